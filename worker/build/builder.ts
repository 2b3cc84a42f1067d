// `POST /build`: context in, image out. Reads and plans before the first line is written, so that a
// bad Dockerfile is a plain error; then runs the stages that the target needs, and gives the result
// its names. A build that fails or is cancelled leaves nothing but cached steps.
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildOptions, EngineFilters, EngineJson, Progress } from '#protocol/engine';
import { checkFilters, untilMs } from '#protocol/engine-filters';
import { TswarmError } from '#protocol/errors';
import type { CancelSignal } from '#protocol/world';
import type { FullImageService } from '../images/image-store.ts';
import { registerImage } from '../images/make-image.ts';
import { parsePlatform, platformText } from '../images/platform.ts';
import { progressOf } from '../images/progress.ts';
import { familiarText, parseReference, parseTagged, type Reference } from '../images/reference.ts';
import type { Builder, BuildStepRunner, ImageDeps } from '../images/types.ts';
import { type BuildRun, type StageRun, type StageState, shortImageId } from './build-run.ts';
import { BuildCache } from './cache.ts';
import { type BuildContext, receiveContext } from './context.ts';
import type { Instruction } from './parse/instructions.ts';
import { type BuildPlan, planBuild } from './plan.ts';
import { isProxyArg } from './run-instruction.ts';
import { buildStages, StageVoices, stepsOf } from './stages.ts';

export interface BuilderDeps extends ImageDeps {
  readonly images: FullImageService;
  readonly runner: BuildStepRunner;
  /** A folder on a tmpfs. */
  readonly secretsDir: string;
}

/** `dataDir` = `<dataRoot>/build`. */
export function createBuilder(
  options: { readonly dataDir: string; readonly nativeDir: string; readonly architecture: string },
  deps: BuilderDeps,
): Builder {
  return new DockerfileBuilder(options.dataDir, options.architecture, deps);
}

const FOLDERS = ['contexts', 'views', 'steps', 'caches'];

/** Labels are for the other things that `docker system prune` removes; steps have none, and Docker's builder ignores them too. */
const PRUNE_FILTERS: readonly string[] = ['until', 'unused-for', 'label', 'label!'];

class DockerfileBuilder implements Builder {
  readonly #dataDir: string;
  readonly #architecture: string;
  readonly #deps: BuilderDeps;
  readonly #cache: BuildCache;
  #opened: Promise<void> | undefined;

  constructor(dataDir: string, architecture: string, deps: BuilderDeps) {
    this.#dataDir = dataDir;
    this.#architecture = architecture;
    this.#deps = deps;
    this.#cache = new BuildCache(join(dataDir, 'cache.json'), deps.images.parts);
    deps.images.parts.collector.addPruner(() => this.#cache.prune(Number.POSITIVE_INFINITY));
  }

  async build(
    context: AsyncIterable<Uint8Array>,
    options: BuildOptions,
    signal: CancelSignal,
  ): Promise<Progress> {
    await this.#open();
    const tags = options.tags.map(tagOf);
    this.#deps.runner.check?.(options.limits);
    const abort = new AbortController();
    const onAbort = (): void => abort.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    const received = await receiveContext(context, {
      contextsDir: join(this.#dataDir, 'contexts'),
      dockerfile: options.dockerfile,
      remote: options.remote ?? '',
      contexts: options.contexts,
      tool: this.#deps.images.parts.tool,
      signal: abort.signal,
    });
    let plan: BuildPlan;
    try {
      plan = this.#plan(received, options);
    } catch (error) {
      await received.remove();
      throw inFile(error, options.dockerfile);
    }
    return progressOf(async (onLine, inner) => {
      try {
        await this.#run(received, plan, options, tags, onLine, inner);
      } finally {
        signal.removeEventListener('abort', onAbort);
        await received.remove();
      }
    }, signal);
  }

  async recover(): Promise<void> {
    const { rootfs } = this.#deps.images.parts;
    await this.#deps.runner.recover?.();
    for (const id of await namesIn(join(this.#dataDir, 'steps'))) {
      await rootfs.remove(id);
      await rm(join(this.#dataDir, 'steps', id), { recursive: true, force: true });
    }
    for (const name of await namesIn(join(this.#dataDir, 'views'))) {
      const path = join(this.#dataDir, 'views', name);
      await rootfs.unmountView(path);
      // A view is an empty folder now, a script a file.
      await rmdir(path).catch(() => rm(path, { force: true }));
    }
    await rm(this.#deps.secretsDir, { recursive: true, force: true });
    const contexts = join(this.#dataDir, 'contexts');
    await rm(contexts, { recursive: true, force: true, maxRetries: 50, retryDelay: 20 });
    await this.#open();
  }

  stepIds(): Promise<readonly string[]> {
    return namesIn(join(this.#dataDir, 'steps'));
  }

  async pruneCache(filters: EngineFilters): Promise<EngineJson> {
    checkFilters(filters, PRUNE_FILTERS);
    const nowMs = this.#deps.clock.nowMs();
    const times = [...(filters.until ?? []), ...(filters['unused-for'] ?? [])];
    const usedBeforeMs = Math.min(...times.map((time) => untilMs(time, nowMs)));
    await this.#open();
    await this.#cache.prune(usedBeforeMs);
    const { freedBytes, chains } = await this.#deps.images.parts.collector.collect();
    const attributes = { reclaimed: String(freedBytes) };
    this.#deps.events.emit({ type: 'builder', action: 'prune', actorId: '', attributes });
    return { CachesDeleted: chains.length > 0 ? chains : null, SpaceReclaimed: freedBytes };
  }

  #open(): Promise<void> {
    this.#opened ??= (async () => {
      for (const name of FOLDERS) {
        await mkdir(join(this.#dataDir, name), { recursive: true, mode: 0o700 });
      }
      await this.#cache.open();
    })();
    return this.#opened;
  }

  #plan(context: BuildContext, options: BuildOptions): BuildPlan {
    const { target, buildArgs, labels, platform } = options;
    const platformArgs = platformArguments(platform, this.#architecture);
    const triggersOf = (image: string): readonly string[] =>
      this.#deps.images.store.resolve(image)?.config.config?.OnBuild ?? [];
    const wanted = { target, buildArgs, platformArgs, triggersOf };
    const plan = planBuild(context.dockerfile, wanted);
    return Object.keys(labels).length > 0 ? withLabels(plan, labels) : plan;
  }

  async #run(
    context: BuildContext,
    plan: BuildPlan,
    options: BuildOptions,
    tags: readonly Reference[],
    onLine: (line: EngineJson) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { images, runner } = this.#deps;
    const { parts } = images;
    const lease = parts.collector.lease();
    const abort = new AbortController();
    const run: BuildRun = {
      ...{ plan, options, context, images, parts, runner, lease },
      signal: AbortSignal.any([signal, abort.signal]),
      cache: this.#cache,
      dataDir: this.#dataDir,
      secretsDir: this.#deps.secretsDir,
      states: new Map(),
      takenArgs: new Set(),
      stepsTotal: plan.stages.reduce((sum, stage) => sum + stepsOf(stage), 0),
    };
    const voices = new StageVoices(plan.stages, options, onLine);
    try {
      await buildStages(run, voices, () => abort.abort());
      const result = await run.states.get(plan.target.index);
      const whole = { ...run, ...voices.last };
      await this.#finish(whole, result, tags);
    } finally {
      await this.#cache.save();
      lease.release();
      await parts.collector.collect();
    }
  }

  async #finish(
    run: StageRun,
    result: StageState | undefined,
    tags: readonly Reference[],
  ): Promise<void> {
    if (result === undefined || result.imageId === '') {
      throw new TswarmError(
        'invalid_argument',
        'No image was generated. Is your Dockerfile empty?',
      );
    }
    const unused = Object.keys(run.options.buildArgs).filter(
      (name) => !run.takenArgs.has(name) && !run.plan.globals.has(name) && !isProxyArg(name),
    );
    if (unused.length > 0) {
      run.say(
        `[Warning] One or more build-args ${JSON.stringify(unused).replaceAll(',', ' ').replaceAll('"', '')} were not consumed\n`,
      );
    }
    const known = run.parts.db.get(result.imageId);
    await registerImage(run.parts, result.imageId, known?.parent ?? '', tags);
    run.onLine({ aux: { ID: result.imageId } });
    if (run.options.quiet) run.onLine({ stream: `${result.imageId}\n` });
    run.say(`Successfully built ${shortImageId(result.imageId)}\n`);
    for (const tag of tags) {
      run.say(`Successfully tagged ${familiarText(tag)}\n`);
      const attributes = { name: familiarText(tag) };
      this.#deps.events.emit({ type: 'image', action: 'tag', actorId: result.imageId, attributes });
    }
  }
}

/** Says which file it is about, when that is not the usual one. */
function inFile(error: unknown, dockerfile: string): unknown {
  if (!(error instanceof TswarmError) || dockerfile === '' || dockerfile === 'Dockerfile')
    return error;
  const { code, field = '', hint } = error;
  const message = error.message.replace(
    /^dockerfile parse error on line \d+/,
    `$& of ${dockerfile}`,
  );
  return new TswarmError(code, message, {
    cause: error,
    field: field.replace(/^Dockerfile(?=:)/, dockerfile),
    ...(hint ? { hint } : {}),
  });
}

function tagOf(text: string): Reference {
  const ref = parseTagged(text);
  if (parseReference(text).digest === undefined) return ref;
  throw new TswarmError('invalid_argument', 'refusing to create a tag with a digest reference', {
    field: 't',
  });
}

/** `--label` is a last LABEL instruction. */
function withLabels(plan: BuildPlan, labels: Readonly<Record<string, string>>): BuildPlan {
  const quote = (text: string): string => `'${text.replaceAll("'", `'"'"'`)}'`;
  const pairs = Object.entries(labels).map(([name, value]) => ({
    name: quote(name),
    value: quote(value),
  }));
  const shown = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const label: Instruction = { kind: 'label', pairs, shown: `LABEL ${shown.join(' ')}`, line: 0 };
  const add = (stage: BuildPlan['target']): BuildPlan['target'] =>
    stage.index === plan.target.index
      ? { ...stage, instructions: [...stage.instructions, label] }
      : stage;
  return { ...plan, stages: plan.stages.map(add), target: add(plan.target) };
}

/** TARGET… is what is built for, BUILD… is this node. */
function platformArguments(platform: string, architecture: string): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  for (const [prefix, text] of [
    ['TARGET', platform],
    ['BUILD', ''],
  ] as const) {
    const { os, architecture: arch, variant } = parsePlatform(text, architecture);
    args.set(`${prefix}PLATFORM`, platformText({ os, architecture: arch, variant }));
    args.set(`${prefix}OS`, os);
    args.set(`${prefix}ARCH`, arch);
    args.set(`${prefix}VARIANT`, variant);
  }
  return args;
}

async function namesIn(dir: string): Promise<readonly string[]> {
  return readdir(dir).catch(() => []);
}
