// POST /build in its classic form: parameters in the query, the context as a tar in the body. BuildKit's form (version=2) needs
// a BuildKit behind it and is refused with what to do instead.
import type { BuildOptions, BuildUlimit } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { Context, Route } from '../context.ts';
import { parseFilters } from '../http/filters.ts';
import { sendProgress } from '../http/json-stream.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest, Query } from '../http/request.ts';
import { limitsOf, refuseUnsupported } from './build-limits.ts';
import { registryAuths } from './registry-auth.ts';

export function buildRoutes(context: Context): readonly Route[] {
  return [
    { method: 'POST', pattern: '/build', handler: (q, r) => build(context, q, r) },
    {
      method: 'POST',
      pattern: '/build/prune',
      handler: async (request, reply) => {
        const { query } = request;
        if (query.int('keep-storage', 0, 400) > 0) {
          throw new TswarmError('not_supported', 'keep-storage: not supported by the builder', {
            field: 'keep-storage',
            hint: 'Name a time instead: --filter until=24h.',
          });
        }
        const filters = parseFilters(query.raw('filters'));
        reply.json(200, await context.engine.images.pruneBuilds(filters));
      },
    },
  ];
}

async function build(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { query } = request;
  if (query.text('version') === '2') {
    throw new TswarmError('not_supported', 'version=2: the BuildKit protocol is not supported', {
      hint: 'Set DOCKER_BUILDKIT=0 to use the classic builder.',
    });
  }
  refuseUnsupported(query);
  const { rest, ...options } = await readAll(request);
  const progress = await context.engine.images.build(rest, options, request.signal);
  await sendProgress(reply, progress);
}

/** Who sends an archive hears an error only when all of it has been taken. */
async function readAll(
  request: ApiRequest,
): Promise<BuildOptions & { readonly rest: AsyncIterable<Uint8Array> }> {
  const { query } = request;
  const body = request.stream();
  let options: Omit<BuildOptions, 'secrets'>;
  try {
    options = { ...optionsOf(query), registryAuths: registryAuths(request) };
  } catch (error) {
    for await (const _ of body);
    throw error;
  }
  return { ...options, ...(await withSecrets(body, query)) };
}

function optionsOf(query: Query): Omit<BuildOptions, 'secrets' | 'registryAuths'> {
  return {
    dockerfile: query.text('dockerfile') || 'Dockerfile',
    tags: query.all('t'),
    target: query.text('target'),
    buildArgs: textMap(query, 'buildargs', true),
    labels: textMap(query, 'labels', false) as Record<string, string>,
    noCache: query.bool('nocache'),
    pull: query.bool('pull'),
    quiet: query.bool('q'),
    events: query.bool('stepevents'),
    networkMode: query.text('networkmode'),
    extraHosts: query.all('extrahosts'),
    shmBytes: query.int('shmsize', 0, 400),
    platform: query.text('platform'),
    noCacheFilter: query.all('nocachefilter'),
    ulimits: ulimitsOf(query),
    limits: limitsOf(query),
    entitlements: entitlementsOf(query),
    sshAgents: textMap(query, 'sshagents', false) as Record<string, string>,
    contexts: contextsOf(query),
    remote: query.text('remote'),
  };
}

/** Docker's own form: `[{"Name": "nofile", "Soft": 1, "Hard": 2}]`. */
function ulimitsOf(query: Query): BuildUlimit[] {
  const text = query.text('ulimits');
  if (text === '' || text === 'null') return [];
  const bad = new TswarmError('invalid_argument', 'ulimits: must be a JSON list of limits', {
    field: 'ulimits',
  });
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw bad;
  }
  if (!Array.isArray(list)) throw bad;
  return list.map((item: { Name?: unknown; Soft?: unknown; Hard?: unknown } | null) => {
    const { Name: name, Soft: soft, Hard: hard } = item ?? {};
    if (typeof name !== 'string' || !Number.isInteger(soft) || !Number.isInteger(hard)) throw bad;
    return { name, soft: Number(soft), hard: Number(hard) };
  });
}

const ENTITLEMENTS: ReadonlySet<string> = new Set(['security.insecure', 'network.host']);

function entitlementsOf(query: Query): readonly string[] {
  const names = query.all('entitlements');
  const unknown = names.find((name) => !ENTITLEMENTS.has(name));
  if (unknown === undefined) return names;
  throw new TswarmError('invalid_argument', `invalid entitlement: ${unknown}`, {
    field: 'entitlements',
    hint: `There are ${[...ENTITLEMENTS].join(' and ')}.`,
  });
}

/** Name → `docker-image://REF`, an http or https address, or '' for a folder in the archive. */
function contextsOf(query: Query): Readonly<Record<string, string>> {
  const contexts = textMap(query, 'contexts', false) as Record<string, string>;
  for (const [name, source] of Object.entries(contexts)) {
    const isName = /^[A-Za-z0-9][\w.-]*$/.test(name) || source.startsWith('docker-image://');
    if (isName && /^($|docker-image:\/\/|https?:\/\/)/.test(source)) continue;
    throw new TswarmError('not_supported', `build context ${name}: ${source} is not supported`, {
      field: 'contexts',
      hint: 'A further context is a folder, docker-image://REFERENCE or an http or https address.',
    });
  }
  return contexts;
}

/** Most that all secrets of a build may come to; BuildKit's limit for one is 500 KB. */
const SECRETS_BYTES_MAX = 4 * 1024 * 1024;

/** Secrets stand before the archive, as JSON of so many bytes (`secretbytes`): neither in a log of requests nor among the files of the context. */
async function withSecrets(
  body: AsyncIterable<Uint8Array>,
  query: Query,
): Promise<{
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  readonly rest: AsyncIterable<Uint8Array>;
}> {
  const length = query.int('secretbytes', 0, 400);
  if (length === 0) return { secrets: new Map(), rest: body };
  const bad = new TswarmError('invalid_argument', 'secretbytes: no JSON object of base64 texts', {
    field: 'secretbytes',
  });
  if (length > SECRETS_BYTES_MAX) {
    throw new TswarmError('too_large', `the secrets of a build have ${length} bytes`);
  }
  const chunks = body[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  for (let next = await chunks.next(); ; next = await chunks.next()) {
    if (next.done === true) throw bad;
    head = Buffer.concat([head, next.value]);
    if (head.length >= length) break;
  }
  const secrets = new Map<string, Uint8Array>();
  try {
    const json = JSON.parse(head.subarray(0, length).toString()) as Record<string, string>;
    for (const [id, text] of Object.entries(json)) secrets.set(id, Buffer.from(text, 'base64'));
  } catch {
    throw bad;
  }
  return { secrets, rest: startingWith(head.subarray(length), chunks) };
}

async function* startingWith(
  head: Uint8Array,
  chunks: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  yield* { [Symbol.asyncIterator]: () => chunks };
}

/** A parameter that is a JSON object of texts. @throws invalid_argument. */
function textMap(query: Query, name: string, nullable: boolean): Record<string, string | null> {
  const text = query.text(name);
  if (text === '' || text === 'null') return {};
  const bad = new TswarmError('invalid_argument', `${name}: must be a JSON object of strings`, {
    field: name,
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw bad;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw bad;
  for (const value of Object.values(json)) {
    if (typeof value !== 'string' && !(nullable && value === null)) throw bad;
  }
  return json as Record<string, string | null>;
}
