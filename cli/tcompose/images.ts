// Images before an `up`: built where the file says how, pulled where they are missing, so that a wrong name fails here, at once and clearly, and
// nothing is created. Afterwards each service carries the id of its image, so that a rebuilt image replaces its containers.
import { readFileSync } from 'node:fs';
import type { PlannedImage } from '#compose-spec/deploy/plan-deploy';
import { BUILD_STEP_LINE, type BuildStepEvent } from '#protocol/engine';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import { refreshAfterMs } from '#protocol/pull-policy';
import { besideRemote, buildContext, isRemoteContext } from '../client/build-context.ts';
import { type BuildExtras, buildBody, extraQuery } from '../client/build-extras.ts';
import { Checkouts } from '../client/git-checkout.ts';
import type { ApiClient, CallOptions, Json } from '../client/http.ts';
import { pushCall, streamError } from '../client/image-calls.ts';
import { allRegistriesHeaders, registryHeaders } from '../client/registry-auth.ts';
import { ImageSteps } from '../output/build-steps.ts';
import type { ProgressDisplay } from '../output/progress.ts';
import { atMost } from './parallel.ts';

export interface ImageOptions {
  readonly build: 'never' | 'missing' | 'always';
  /** `--pull`; '' = as each service says. */
  readonly pull: '' | 'always' | 'missing' | 'never';
  readonly noCache?: boolean;
  /** Of each step of a build; absent: no limit. */
  readonly memoryBytes?: number;
  /** No progress of pulls. */
  readonly quiet?: boolean;
  readonly quietBuild?: boolean;
  /** Most images at a time; absent: all. */
  readonly parallel?: number;
  /** Ends what is under way; the server drops it when nobody listens any more. */
  readonly signal?: AbortSignal;
}

/** Makes every image present on this node; with the first that fails the others end. @returns service key → image id */
export async function ensureImages(
  client: ApiClient,
  images: readonly PlannedImage[],
  options: ImageOptions,
  display: ProgressDisplay,
): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>();
  const byName = new Map<string, PlannedImage>();
  for (const image of images) {
    const known = byName.get(image.image);
    if (!known?.build) byName.set(image.image, image);
  }
  const begun = new Map<string, Promise<string>>();
  const failed = new AbortController();
  const signals = [failed.signal, ...(options.signal ? [options.signal] : [])];
  const each = { ...options, signal: AbortSignal.any(signals) };
  await atMost(options.parallel, inOrder([...byName.values()]), async (image) => {
    // They stand before it in the order, so they have begun.
    const before = image.after.map((service) => begun.get(service));
    const made = Promise.all(before).then(() => ensureImage(client, image, each, display));
    made.catch(() => failed.abort());
    const named = images.filter((other) => other.image === image.image);
    for (const { service } of named) begun.set(service, made);
    const id = await made;
    for (const { service } of named) ids.set(service, id);
  });
  return ids;
}

/** Each after those whose images it is built from. */
export function inOrder(images: readonly PlannedImage[]): readonly PlannedImage[] {
  const ordered = new Set<PlannedImage>();
  const seen = new Set<PlannedImage>();
  const add = (image: PlannedImage | undefined): void => {
    if (image === undefined || seen.has(image)) return;
    seen.add(image);
    for (const name of image.after) add(images.find(({ service }) => service === name));
    ordered.add(image);
  };
  for (const image of images) add(image);
  return [...ordered];
}

async function ensureImage(
  client: ApiClient,
  image: PlannedImage,
  options: ImageOptions,
  display: ProgressDisplay,
): Promise<string> {
  const present = await presentImage(client, image.image);
  const way = wayOf(image, present, options);
  if (way === 'present') return present?.id ?? '';
  if (way === 'build') {
    if (options.build === 'never') {
      throw new TswarmError(
        'not_found',
        `image ${image.image} of service ${image.service} is not built yet`,
        {
          hint: 'Leave out --no-build, or run "tcompose build".',
        },
      );
    }
    await buildImage(client, image, options, display);
  } else {
    refuseNeverPulled(image, options);
    await pullImage(client, image, options, display);
  }
  return (await presentImage(client, image.image))?.id ?? '';
}

function refuseNeverPulled(image: PlannedImage, options: ImageOptions): void {
  const policy = options.pull === '' ? image.pullPolicy : options.pull;
  if (policy !== 'never') return;
  throw new TswarmError(
    'not_found',
    `image ${image.image} of service ${image.service} is not here and pull_policy is never`,
  );
}

/** Whether `ensureImages` would build this image, pull it, or take the one that is there. */
export function wayOf(
  image: PlannedImage,
  present: PresentImage | undefined,
  options: Pick<ImageOptions, 'build' | 'pull'>,
): 'present' | 'build' | 'pull' {
  const policy = options.pull === '' ? image.pullPolicy : options.pull;
  if (image.build)
    return options.build === 'always' || policy === 'build' || !present ? 'build' : 'present';
  return policy === 'always' || !present || isStale(present, policy) ? 'pull' : 'present';
}

function isStale({ taggedAtMs }: PresentImage, policy: string): boolean {
  const refreshMs = refreshAfterMs(policy);
  return refreshMs !== undefined && Date.now() - taggedAtMs > refreshMs;
}

export interface PresentImage {
  readonly id: string;
  /** When it was fetched or got its name; ms since 1970. */
  readonly taggedAtMs: number;
}

/** An image of this node; undefined when it has none of that name. */
export async function presentImage(
  client: ApiClient,
  name: string,
): Promise<PresentImage | undefined> {
  try {
    const image = await client.get<Json>(`/images/${name}/json`);
    const { LastTagTime = '' } = (image.Metadata ?? {}) as { LastTagTime?: string };
    return { id: String(image.Id), taggedAtMs: Date.parse(LastTagTime) || 0 };
  } catch (error) {
    if (hasCode(error, 'not_found')) return undefined;
    throw error;
  }
}

async function pullImage(
  client: ApiClient,
  image: PlannedImage,
  options: ImageOptions,
  display: ProgressDisplay,
): Promise<void> {
  const id = `Image ${image.image}`;
  display.update(id, 'working', 'Pulling');
  try {
    const query = { fromImage: image.image, platform: image.platform || undefined };
    const headers = await registryHeaders(image.image, process.env);
    await drain(client, '/images/create', { query, headers }, options.signal, (line) => {
      if (options.quiet === true) return;
      const progress = typeof line.progress === 'string' ? line.progress : '';
      display.update(
        id,
        'working',
        'Pulling',
        `${line.id ?? ''} ${line.status ?? ''} ${progress}`.trim(),
      );
    });
    display.update(id, 'done', 'Pulled');
  } catch (error) {
    const isCancelled = hasCode(error, 'cancelled');
    display.update(id, isCancelled ? 'warning' : 'error', isCancelled ? 'Interrupted' : 'Error');
    if (!(error instanceof TswarmError) || isCancelled) throw error;
    throw new TswarmError(
      error.code,
      `image ${image.image} of service ${image.service} cannot be pulled: ${error.message}`,
      { hint: error.hint ?? 'An image from a file comes in with "tswarm image load".' },
    );
  }
}

/** Characters of a build's output that are kept for its error, and how many lines of them it shows. */
const BUILD_OUTPUT_KEPT = 16_384;
const BUILD_LINES_SHOWN = 20;

/** Builds one image; the output is shown line by line, or kept for the error when quiet. */
export async function buildImage(
  client: ApiClient,
  image: PlannedImage,
  options: ImageOptions,
  display: ProgressDisplay,
): Promise<void> {
  const { build } = image;
  if (!build) return;
  const checkouts = new Checkouts();
  const local = (context: string): Promise<string> =>
    checkouts.local(context, {
      ...(options.signal ? { signal: options.signal } : {}),
      fetching: (url) =>
        display.update(`Image ${image.image}`, 'working', 'Building', `git fetch ${url}`),
    });
  try {
    const contexts: Record<string, string> = {};
    for (const [name, source] of Object.entries(image.contexts))
      contexts[name] = await local(source);
    const context = await local(build.context ?? '.');
    await buildLocal(client, { ...image, contexts }, { ...build, context }, { options, display });
  } finally {
    await checkouts.remove();
  }
}

async function buildLocal(
  client: ApiClient,
  image: PlannedImage,
  build: NonNullable<PlannedImage['build']>,
  { options, display }: { readonly options: ImageOptions; readonly display: ProgressDisplay },
): Promise<void> {
  const id = `Image ${image.image}`;
  const extras = extrasOf(image, build);
  const { query: extra, folders } = extraQuery(extras, client.endpoint);
  const folder = build.context ?? '.';
  const isRemote = isRemoteContext(folder);
  const own = {
    dockerfile: build.dockerfile ?? 'Dockerfile',
    inline: build.dockerfile_inline,
    more: folders,
  };
  const context = isRemote ? besideRemote(own) : buildContext({ folder, ...own });
  display.update(id, 'working', 'Building');
  const query = {
    t: [image.image, ...(build.tags ?? [])],
    dockerfile: context.dockerfile,
    remote: isRemote ? folder : undefined,
    target: build.target,
    nocache: options.noCache === true || build.no_cache === true ? 1 : undefined,
    pull: build.pull === true ? 1 : undefined,
    networkmode: build.network,
    extrahosts: build.extra_hosts?.map((entry) => entry.replace('=', ':')),
    shmsize: build.shm_size,
    ulimits: ulimitsOf(build),
    nocachefilter: build.no_cache_filter,
    entitlements: [
      ...(build.entitlements ?? []),
      ...(build.privileged === true ? ['security.insecure'] : []),
    ],
    ...extra,
    buildargs: JSON.stringify(build.args ?? {}),
    labels: JSON.stringify(build.labels ?? {}),
    platform: image.platform || undefined,
    memory: options.memoryBytes,
    stepevents: 1,
    version: 1,
  };
  const steps = options.quietBuild === true ? undefined : new ImageSteps(display, id);
  let output = '';
  try {
    const stream = { data: buildBody(context.stream, extras), type: 'application/x-tar' };
    const headers = await allRegistriesHeaders(process.env);
    await drain(client, '/build', { query, stream, headers }, options.signal, (line) => {
      if (line.id === BUILD_STEP_LINE) {
        steps?.take(line.aux as BuildStepEvent);
        return;
      }
      // A piece of output may end anywhere, in the middle of a line too.
      const text = String(line.stream ?? `${line.status ?? ''}\n`);
      output = (output + text).slice(-BUILD_OUTPUT_KEPT);
    });
    display.update(id, 'done', 'Built');
  } catch (error) {
    if (hasCode(error, 'cancelled')) {
      display.update(id, 'warning', 'Interrupted');
      throw error;
    }
    display.update(id, 'error', 'Error');
    // Listed line by line it has been said already.
    const said = steps ? steps.failure : output.trimEnd();
    if (said !== '' && !(steps && display.isList))
      display.say(said.split('\n').slice(-BUILD_LINES_SHOWN).join('\n'));
    throw error;
  }
}

function extrasOf(image: PlannedImage, build: NonNullable<PlannedImage['build']>): BuildExtras {
  const secrets = image.secrets.map((secret): [string, Uint8Array] => {
    if ('text' in secret) return [secret.id, Buffer.from(secret.text)];
    try {
      return [secret.id, readFileSync(secret.file)];
    } catch (error) {
      const message = `secret ${secret.id} of the build of ${image.service}: ${messageOf(error)}`;
      throw new TswarmError('not_found', message);
    }
  });
  return { secrets: new Map(secrets), ssh: build.ssh ?? [], contexts: image.contexts };
}

/** In the Engine API's form. */
function ulimitsOf({ ulimits }: NonNullable<PlannedImage['build']>): string | undefined {
  if (ulimits === undefined) return undefined;
  const list = Object.entries(ulimits).map(([Name, limit]) =>
    typeof limit === 'number'
      ? { Name, Soft: limit, Hard: limit }
      : { Name, Soft: limit.soft ?? 0, Hard: limit.hard ?? 0 },
  );
  return JSON.stringify(list);
}

/** Sends an image to its registry. */
export async function pushImage(
  client: ApiClient,
  image: string,
  display: ProgressDisplay,
): Promise<void> {
  const id = `Image ${image}`;
  display.update(id, 'working', 'Pushing');
  const { path, options } = await pushCall(image, process.env);
  try {
    await drain(client, path, options, undefined, (line) => {
      const progress = typeof line.progress === 'string' ? line.progress : '';
      const details = `${line.id ?? ''} ${line.status ?? ''} ${progress}`.trim();
      display.update(id, 'working', 'Pushing', details);
    });
    display.update(id, 'done', 'Pushed');
  } catch (error) {
    display.update(id, 'error', 'Error');
    throw error;
  }
}

/** Reads a progress stream to its end. @throws TswarmError with the stream's own error, or cancelled */
async function drain(
  client: ApiClient,
  path: string,
  call: CallOptions,
  signal: AbortSignal | undefined,
  show: (line: Json) => void,
): Promise<void> {
  const options = signal === undefined ? call : { ...call, signal };
  for await (const line of client.lines('POST', path, options)) {
    const failure = streamError(line);
    if (failure) throw failure;
    show(line);
  }
  if (signal?.aborted === true) throw new TswarmError('cancelled', 'interrupted');
}
