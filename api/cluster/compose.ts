// A compose file as text: what is wrong with it and where, what it would change, and its deployment (`/tswarm/v1/compose`). For clients without the loader, the
// dashboard's editor first of all. The text comes alone: it may name no other file, because the files that it would name are those of this host, and whoever
// may deploy must not be able to read them. A stack that is there keeps its folder, so that what was deployed from files is the same project here.
import { createHash } from 'node:crypto';
import type { PlannedImage, PlanOptions } from '#compose-spec/deploy/plan-deploy';
import type { ComposeError } from '#compose-spec/load/errors';
import type { ComposeFiles } from '#compose-spec/load/files';
import type { LoadResult, Location } from '#compose-spec/load/load-project';
import type { JsonValue } from '#compose-spec/load/project';
import type { ErrorCode } from '#protocol/error-codes';
import { hasCode, TswarmError } from '#protocol/errors';
import { ObjectKind } from '#protocol/generated/control';
import { NodeState } from '#protocol/generated/objects';
import { NodeAvailability, type StackSpec } from '#protocol/generated/specs';
import { nameOf, tryLookup } from '../cache/lookup.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import { type Context, type Route, requireSession } from '../context.ts';
import { callOptions } from '../control.ts';
import { problemOf } from '../http/errors.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, textKey } from '../http/request.ts';
import { STACK_BODY_BYTES_MAX } from '../limits.ts';
import { deployStackSpec, planStackSpec } from './stacks.ts';
import type {
  ComposeImage,
  ComposePlan,
  ComposeProblem,
  ComposeSource,
  StackPlan,
} from './types.ts';

const BASE = '/tswarm/v1/compose';
/** Folder of a project that has none; no file is ever there. */
const NO_FOLDER = '/compose-text';
const FILE = 'compose.yaml';
const HINT = 'Deploy it from its folder, with: tcompose up -d';

export function composeRoutes(context: Context): readonly Route[] {
  return [
    { method: 'POST', pattern: `${BASE}/plan`, handler: (q, r) => plan(context, q, r) },
    { method: 'POST', pattern: `${BASE}/deploy`, handler: (q, r) => deploy(context, q, r) },
    {
      method: 'GET',
      pattern: '/tswarm/v1/stacks/{name}/compose',
      handler: (q, r) => source(context, q, r),
    },
  ];
}

async function plan(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const read = await readText(context, request);
  const { stack, images, problems, name } = read;
  let out: ComposePlan = { name, problems, images, plan: null };
  try {
    const answer = stack ? await planStackSpec(context, request, stack) : undefined;
    if (answer) out = { ...out, plan: await shownPlan(answer) };
  } catch (error) {
    // A port that another service has, a secret that is not there: of the file, as far as its author is concerned.
    if (!REFUSALS.some((code) => hasCode(error, code))) throw error;
    out = { ...out, problems: [refusalOf(error), ...problems] };
  }
  reply.json(200, out);
}

const REFUSALS: readonly ErrorCode[] = [
  'invalid_argument',
  'not_found',
  'already_exists',
  'conflict',
  'failed_precondition',
];

function refusalOf(error: unknown): ComposeProblem {
  const { detail, field, hint } = problemOf(error);
  return {
    severity: 'error',
    message: detail,
    ...(field === undefined ? {} : { path: field }),
    ...(hint === undefined ? {} : { hint }),
  };
}

async function deploy(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { stack, problems } = await readText(context, request);
  if (stack) return reply.json(200, await deployStackSpec(context, request, stack));
  const [first] = problems.filter(({ severity }) => severity === 'error');
  const at = first?.line === undefined ? '' : `line ${first.line}: `;
  const hint = first?.hint;
  throw new TswarmError('invalid_argument', `${at}${first?.message ?? 'there is no service'}`, {
    field: first?.path ?? 'content',
    ...(hint === undefined ? {} : { hint }),
  });
}

function noFile(name: string): TswarmError {
  return new TswarmError('not_found', `stack ${name} has no compose file here`, {
    hint: 'Only what was deployed by tcompose, or here, has one.',
  });
}

/** The project as it is deployed now, as a file that means the same. */
async function source(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const name = request.params.name ?? '';
  const held = tryLookup(session.cache, 'stack', name);
  if (!held) throw noFile(name);
  const { object } = await session.control.getObject(
    { kind: ObjectKind.STACK, id: held.id, knownIndex: session.cache.index },
    callOptions(request),
  );
  const project = Buffer.from(object?.stack?.spec?.project ?? []).toString();
  if (project === '') throw noFile(name);
  const { doubleDollars } = await import('#compose-spec/load/canonical-json');
  const { stringify } = await import('yaml');
  const content = stringify(inOrder(doubleDollars(JSON.parse(project) as JsonValue)), {
    lineWidth: 0,
  });
  reply.json(200, { name, content, environment: '' } satisfies ComposeSource);
}

/** Keys that come first, of the file and of a service; the others follow as they are. */
const FIRST = ['name', 'image', 'build', 'services'];
/** Keys that say nothing when there is nothing in them. */
const IDLE = new Set(['entrypoint', 'command', 'ipam', 'volume', 'placement', 'resources']);

/** As people write it: what matters first, nothing that says nothing. */
function inOrder(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const isIdle = (item: JsonValue): boolean =>
    item === null || (typeof item === 'object' && Object.keys(item).length === 0);
  const entries = Object.entries(value).filter(([key, item]) => !IDLE.has(key) || !isIdle(item));
  const rank = (key: string): number => (FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length);
  entries.sort(([a], [b]) => rank(a) - rank(b));
  return Object.fromEntries(entries.map(([key, item]) => [key, inOrder(item)]));
}

interface ReadText {
  readonly name: string;
  readonly stack: StackSpec | undefined;
  readonly images: readonly ComposeImage[];
  readonly problems: readonly ComposeProblem[];
}

async function readText(context: Context, request: ApiRequest): Promise<ReadText> {
  const { cache } = requireSession(context);
  const body = await request.json(STACK_BODY_BYTES_MAX);
  const asked: ComposeSource = {
    name: textKey(body, 'name'),
    content: textKey(body, 'content'),
    environment: textKey(body, 'environment'),
  };
  const folder = folderOf(cache, asked.name);
  const loaded = await load(asked, folder);
  const warnings = loaded.warnings.map((one) => ({
    severity: 'warning' as const,
    ...placeOf(one),
  }));
  if (!loaded.ok) {
    return {
      name: asked.name,
      stack: undefined,
      images: [],
      problems: [...loaded.errors.map(errorOf), ...warnings],
    };
  }
  const { name } = loaded.project;
  const { planDeploy } = await import('#compose-spec/deploy/plan-deploy');
  const options = planOptions(context, cache, loaded.locate);
  const first = planDeploy(loaded.project, options);
  const images = first.ok ? await imagesOf(context, first.images) : [];
  const imageIds = Object.fromEntries(
    images.flatMap(({ service, id }) => (id === '' ? [] : [[service, id]])),
  );
  const result = first.ok ? planDeploy(loaded.project, { ...options, imageIds }) : first;
  const notices = result.notices.map(({ path, message }) => ({
    ...placeOf(loaded.locate(path)),
    severity: 'notice' as const,
    message,
    path,
  }));
  const own = [
    ...(asked.name === '' && name === NO_FOLDER.slice(1) ? [NAMELESS] : []),
    ...notBuilt(images),
    ...(folder === NO_FOLDER ? relativePaths(loaded) : []),
  ].map((problem) => ({
    ...(problem === NAMELESS ? {} : placeOf(loaded.locate(problem.path))),
    ...problem,
    severity: 'error' as const,
  }));
  const errors = [...(result.ok ? [] : result.errors.map(errorOf)), ...own];
  const stack = result.ok && errors.length === 0 ? result.stack : undefined;
  return { name, stack, images, problems: [...errors, ...warnings, ...notices] };
}

/** Where the stack was deployed from: its relative paths mean the same as there. */
function folderOf(cache: ObjectCache, name: string): string {
  for (const { stack, spec } of cache.all('service')) {
    if (name === '' || stack !== name) continue;
    const folder = spec?.labels['com.docker.compose.project.working_dir'];
    if (folder?.startsWith('/')) return folder;
  }
  return NO_FOLDER;
}

async function load(asked: ComposeSource, folder: string): Promise<LoadResult> {
  const { loadProject } = await import('#compose-spec/load/load-project');
  const file = `${folder}/${FILE}`;
  const texts = new Map([[file, asked.content]]);
  if (asked.environment !== '') texts.set(`${folder}/.env`, asked.environment);
  const files: ComposeFiles = {
    read: (path) => texts.get(path),
    isFile: (path) => texts.has(path),
    isDirectory: (path) => path === '/' || folder === path || folder.startsWith(`${path}/`),
    realpath: (path) => path,
  };
  const input = {
    cwd: folder,
    projectDirectory: folder,
    configFiles: [file],
    // Nothing of the daemon's own environment.
    environment: {},
    ...(asked.name === '' ? {} : { projectName: asked.name }),
  };
  return loadProject(input, files);
}

function planOptions(
  context: Context,
  cache: ObjectCache,
  locate: (path: string) => Location | undefined,
): PlanOptions {
  const { nodeId } = context.node.state();
  const open = [...cache.all('node')].filter(
    ({ status, spec }) =>
      status?.state !== NodeState.DOWN && spec?.availability === NodeAvailability.ACTIVE,
  );
  const here = cache.get('node', nodeId);
  const isAlone = open.length === 0 || (open.length === 1 && open[0]?.id === nodeId);
  const hostname = (node: (typeof open)[number]): string => nameOf('node', node);
  const places =
    isAlone || !here
      ? { home: nodeId }
      : { nodes: { here: hostname(here), all: open.map(hostname).sort() } };
  return {
    sha256Hex: (data) => createHash('sha256').update(data).digest('hex'),
    readFile: () => undefined,
    readTree: () => ({ kind: 'unfit', why: 'cannot be read, because the text comes alone' }),
    version: context.version,
    hostPlatform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
    locate,
    ...places,
  };
}

async function imagesOf(
  context: Context,
  images: readonly PlannedImage[],
): Promise<readonly ComposeImage[]> {
  return Promise.all(
    images.map(async ({ service, image, build }) => {
      const id = await idOf(context, image);
      return { service, image, id, isBuilt: build !== undefined };
    }),
  );
}

/** '' when this node does not have it. */
async function idOf(context: Context, image: string): Promise<string> {
  try {
    return String((await context.engine.images.inspect(image)).Id);
  } catch (error) {
    if (hasCode(error, 'not_found') || hasCode(error, 'invalid_argument')) return '';
    throw error;
  }
}

type OwnProblem = Pick<ComposeProblem, 'message' | 'hint'> & { readonly path: string };

const NAMELESS: OwnProblem = {
  path: 'name',
  message: 'the stack has no name',
  hint: 'Give it one, here or as name: in the file.',
};

function notBuilt(images: readonly ComposeImage[]): readonly OwnProblem[] {
  return images
    .filter(({ isBuilt, id }) => isBuilt && id === '')
    .map(({ service, image }) => ({
      path: `services.${service}.build`,
      message: `image ${image} is not built yet, and there are no files here to build it from`,
      hint: 'Build it in its folder, with: tcompose build',
    }));
}

/** Paths of this project's folder, when it has none. */
function relativePaths({ project }: Extract<LoadResult, { ok: true }>): readonly OwnProblem[] {
  const isOurs = (path: string | undefined): boolean =>
    path === NO_FOLDER || path?.startsWith(`${NO_FOLDER}/`) === true;
  return Object.entries(project.services).flatMap(([key, { volumes = [] }]) =>
    volumes.flatMap(({ type, source }, i) =>
      type === 'bind' && isOurs(source)
        ? [
            {
              path: `services.${key}.volumes.${i}`,
              message: `${source?.replace(NO_FOLDER, '.')} is relative to the folder of the file, and the text comes without one`,
              hint: 'Write an absolute path of the nodes, use a named volume, or deploy it from its folder with tcompose.',
            },
          ]
        : [],
    ),
  );
}

function placeOf(
  at: { readonly line?: number; readonly column?: number; readonly message?: string } | undefined,
): { readonly line?: number; readonly column?: number; readonly message: string } {
  return {
    message: (at?.message ?? '').replaceAll(`${NO_FOLDER}/`, ''),
    ...(at?.line === undefined ? {} : { line: at.line }),
    ...(at?.column === undefined ? {} : { column: at.column }),
  };
}

function errorOf(error: ComposeError): ComposeProblem {
  // Any other file is one that it cannot have.
  const hint = error.code === 'file' ? HINT : error.hint;
  return {
    severity: 'error',
    ...placeOf(error),
    ...(error.path === undefined ? {} : { path: error.path }),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** A plan as it is shown: the fields that differ instead of both specifications, and what is at risk. */
export async function shownPlan(answer: StackPlan): Promise<NonNullable<ComposePlan['plan']>> {
  const { changedFields } = await import('#compose-spec/deploy/plan-fields');
  const { planRisks } = await import('#compose-spec/deploy/plan-risks');
  const { changes, ...rest } = answer;
  return {
    ...rest,
    changes: changes.map(({ kind, name, action, recreated, before, after }) => ({
      kind,
      name,
      action,
      recreated,
      fields: action === 'none' ? [] : changedFields(kind, before, after),
    })),
    risks: planRisks(answer).map(({ about, message, hint }) => ({ about, message, hint })),
  };
}
