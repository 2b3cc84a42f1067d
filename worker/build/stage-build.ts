// One stage: its instructions in order, each from state to state, by the cache where it can. Lines
// as the classic builder writes them.
import type { EngineJson } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { registryServerOf } from '#protocol/registry-server';
import type { LayerRecord } from '../images/layer-store.ts';
import { type HistoryEntry, storeConfig } from '../images/make-image.ts';
import { parsePlatform, platformText } from '../images/platform.ts';
import type { ImageRecord } from '../images/types.ts';
import {
  type BuildRun,
  configOf,
  type StageRun,
  type StageState,
  shortImageId,
  stateFromCache,
} from './build-run.ts';
import { cacheKey } from './cache.ts';
import {
  changeConfig,
  DEFAULT_PATH,
  envScope,
  type StageConfig,
  stageConfig,
} from './config-change.ts';
import { makeWorkdir, prepareCopy } from './copy-step.ts';
import type { SourceFiles } from './layer-step.ts';
import { parseInstruction } from './parse/dockerfile.ts';
import { expandWord, type Scope } from './parse/expand.ts';
import { type Instruction, readInstruction } from './parse/instructions.ts';
import { findStage, type Stage } from './plan.ts';
import { isUrl } from './remote-file.ts';
import type { RootView } from './root-view.ts';
import { checkAllowed, runCommand, runLayer, StepError, visibleArgs } from './run-instruction.ts';
import { mountKey } from './run-mounts.ts';

/** Runs the stage. @throws what a step throws; TswarmError `cancelled` */
export async function buildStage(run: StageRun, stage: Stage): Promise<StageState> {
  let state = await step(run, stage.from.shown, () => baseOf(run, stage));
  if (state.imageId !== '') run.say(` ---> ${shortImageId(state.imageId)}\n`);
  const triggers = state.config.onBuild.map((text) =>
    readInstruction(parseInstruction(text), run.plan.escapeChar),
  );
  if (triggers.length > 0) {
    run.say(`# Executing ${triggers.length} build trigger${triggers.length > 1 ? 's' : ''}\n`);
    state = { ...state, config: { ...state.config, onBuild: [] } };
    for (const trigger of triggers) state = await oneStep(run, stage, state, trigger);
  }
  for (const instruction of stage.instructions) {
    const before = state;
    state = await step(run, instruction.shown, () => oneStep(run, stage, before, instruction));
  }
  return state;
}

function step<T>(run: StageRun, text: string, work: () => Promise<T>): Promise<T> {
  run.stepsDone += 1;
  run.say(`Step ${run.stepsDone}/${run.stepsTotal} : ${text}\n`);
  return run.steps.during(text, work);
}

async function oneStep(
  run: StageRun,
  stage: Stage,
  before: StageState,
  instruction: Instruction,
): Promise<StageState> {
  if (run.signal.aborted) throw new TswarmError('cancelled', 'build: cancelled');
  const state = await new Step(run, stage, before).execute(instruction).catch((error: unknown) => {
    throw located(error, run, instruction);
  });
  run.say(` ---> ${shortImageId(state.imageId)}\n`);
  return state;
}

/** The error with the place of the instruction in it, unless it tells of a place itself. */
function located(error: unknown, { options }: BuildRun, { line }: Instruction): unknown {
  const isOurs = error instanceof TswarmError && !(error instanceof StepError);
  if (!isOurs || line === 0) return error;
  const { code, message, hint } = error;
  const field = `${options.dockerfile || 'Dockerfile'}:${line}`;
  return new TswarmError(code, message, { cause: error, field, ...(hint ? { hint } : {}) });
}

/** `$PATH` in a Dockerfile means the default one where the base image sets none (as BuildKit does it). */
function withPath(config: StageConfig): StageConfig {
  if (config.env.some((entry) => entry.startsWith('PATH='))) return config;
  return { ...config, env: [...config.env, `PATH=${DEFAULT_PATH}`] };
}

/** The image or stage that FROM names. */
async function baseOf(run: StageRun, stage: Stage): Promise<StageState> {
  const named = contextOf(run, stage.base);
  if (named?.kind === 'folder') {
    throw new TswarmError('not_supported', `FROM ${stage.base}: that context is a folder`, {
      hint: 'Give an image for it (docker-image://…), or copy from the folder with COPY --from.',
    });
  }
  if (named)
    return stateOf(await fetchImage(run, named.image, stage.platform || run.options.platform));
  if (stage.parent !== undefined) {
    const parent = await stateOfStage(run, stage.parent);
    return { ...parent, config: { ...parent.config, isCmdOwn: false } };
  }
  if (stage.base === 'scratch') {
    return {
      imageId: '',
      chainId: '',
      diffIds: [],
      history: [],
      platform: { architecture: run.parts.architecture, os: 'linux' },
      config: withPath(stageConfig({}, '')),
      args: new Map(),
    };
  }
  const image = await fetchImage(run, stage.base, stage.platform || run.options.platform);
  return stateOf(image);
}

function stateOfStage(run: BuildRun, index: number): Promise<StageState> {
  const state = run.states.get(index);
  if (state === undefined) throw new TswarmError('internal', `stage ${index} does not run`);
  return state;
}

/** The further context of this name; it counts before stages and images. */
function contextOf(
  run: BuildRun,
  name: string,
):
  | { readonly kind: 'folder'; readonly view: RootView }
  | { readonly kind: 'image'; readonly image: string }
  | undefined {
  const { contexts } = run.options;
  const key = Object.keys(contexts).find((one) => one.toLowerCase() === name.toLowerCase());
  const source = key === undefined ? undefined : contexts[key];
  if (key === undefined || source === undefined) return undefined;
  if (source !== '' && !isUrl(source)) {
    return { kind: 'image', image: source.replace(/^docker-image:\/\//, '') };
  }
  const view = run.context.contexts.get(key);
  if (view) return { kind: 'folder', view };
  throw new TswarmError('invalid_argument', `context ${key} has not come along`);
}

function stateOf(image: ImageRecord): StageState {
  const { config } = image;
  const { architecture, os, variant } = config;
  return {
    imageId: image.id,
    chainId: image.chainId,
    diffIds: config.rootfs.diff_ids,
    history: (config.history ?? []) as unknown as readonly HistoryEntry[],
    platform: { architecture, os, ...(variant === undefined ? {} : { variant }) },
    config: withPath(stageConfig(config.config ?? {}, config.author ?? '')),
    args: new Map(),
  };
}

async function fetchImage(run: StageRun, ref: string, platform: string): Promise<ImageRecord> {
  const { store, api } = run.images;
  const wanted = parsePlatform(platform, run.parts.architecture);
  const fits = (image: ImageRecord | undefined): boolean =>
    image !== undefined &&
    (platform === '' || ['', wanted.architecture].includes(image.config.architecture));
  const server = registryServerOf(ref);
  const { registryAuths } = run.options;
  const auth = Object.hasOwn(registryAuths, server) ? registryAuths[server] : undefined;
  const access = auth === undefined ? {} : { auth };
  const heard = (line: EngineJson): void => {
    if (!run.options.quiet) run.onLine(line);
    const words = [line.id, line.status, line.progress].filter((word) => typeof word === 'string');
    run.steps.wrote(`${words.join(' ')}\n`);
  };
  let image = store.resolve(ref);
  if (platform !== '' && (run.options.pull || !fits(image))) {
    for await (const line of await api.pull(ref, { platform, ...access }, run.signal)) {
      if (typeof line.error === 'string') throw new TswarmError('unavailable', line.error);
      heard(line);
    }
    image = store.resolve(ref);
  } else if (run.options.pull || image === undefined) {
    image = await store.ensure(ref, {
      ...access,
      policy: run.options.pull ? 'always' : 'missing',
      signal: run.signal,
      onProgress: heard,
    });
  }
  if (image !== undefined && fits(image)) {
    run.lease.chains.add(image.chainId);
    run.lease.blobs.add(image.id);
    return image;
  }
  throw new TswarmError('not_found', `no image ${ref} for platform ${platformText(wanted)}`);
}

/** Whether the stage is one of those that are built without the cache. */
function isFiltered({ options }: BuildRun, { name, index }: Stage): boolean {
  return options.noCacheFilter.some((one) => one.toLowerCase() === (name || String(index)));
}

/** One instruction on one state. */
class Step {
  readonly #run: StageRun;
  readonly #stage: Stage;
  readonly #before: StageState;
  readonly #scope: Scope;

  constructor(run: StageRun, stage: Stage, before: StageState) {
    this.#run = run;
    this.#stage = stage;
    this.#before = before;
    const env = envScope(before.config.env);
    this.#scope = { get: (name) => env.get(name) ?? before.args.get(name) };
  }

  async execute(instruction: Instruction): Promise<StageState> {
    switch (instruction.kind) {
      case 'arg':
        return this.#arg(instruction);
      case 'run':
        return this.#runCommand(instruction);
      case 'copy':
      case 'add':
        return this.#copy(instruction);
      default:
        return this.#config(instruction);
    }
  }

  async #arg(instruction: Extract<Instruction, { kind: 'arg' }>): Promise<StageState> {
    const { plan, options, takenArgs } = this.#run;
    const args = new Map(this.#before.args);
    for (const { name, value } of instruction.args) {
      takenArgs.add(name);
      const given = options.buildArgs[name];
      const fallback =
        value === undefined
          ? plan.globals.get(name)
          : expandWord(value, { get: (n) => args.get(n) ?? this.#scope.get(n) }, plan.escapeChar);
      args.set(name, given ?? fallback);
    }
    const state = await this.#withoutLayer(this.#before.config, instruction.shown);
    return { ...state, args };
  }

  async #config(instruction: Instruction): Promise<StageState> {
    const { escapeChar } = this.#run.plan;
    const config = changeConfig(this.#before.config, instruction, this.#scope, escapeChar);
    if (config === undefined) {
      throw new TswarmError('internal', `${instruction.kind} changes no configuration`);
    }
    if (instruction.kind !== 'workdir') return this.#withoutLayer(config, instruction.shown);
    const key = ['workdir', config.workingDir, config.user];
    return this.#cached(key, config, instruction.shown, async () => {
      return makeWorkdir(this.#run, this.#before, config.workingDir);
    });
  }

  #withoutLayer(config: StageConfig, text: string): Promise<StageState> {
    const made = configOf(this.#before, config, '');
    return this.#cached(
      ['config', made.config, config.author],
      config,
      text,
      async () => undefined,
    );
  }

  async #runCommand(instruction: Extract<Instruction, { kind: 'run' }>): Promise<StageState> {
    checkAllowed(this.#run, instruction);
    const command = runCommand(instruction, this.#before);
    const args = visibleArgs(this.#before);
    const mounts = {
      run: this.#run,
      state: this.#before,
      mounts: instruction.mounts,
      scope: this.#scope,
      line: instruction.line,
      filesOf: (from: string) => this.#filesOf(from),
    };
    const { network, isInsecure } = instruction;
    const key = ['run', command, args, network, await mountKey(mounts)];
    if (isInsecure) key.push('insecure');
    const prefix = args.length > 0 ? `|${args.length} ${args.join(' ')} ` : '';
    const text = `RUN ${prefix}${command.args.join(' ')}`;
    return this.#cached(key, this.#before.config, text, () =>
      runLayer(this.#run, this.#before, instruction, command, mounts),
    );
  }

  async #copy(instruction: Extract<Instruction, { kind: 'copy' | 'add' }>): Promise<StageState> {
    const from = expandWord(instruction.from, this.#scope, this.#run.plan.escapeChar);
    const files: SourceFiles =
      from === '' ? { kind: 'folder', view: this.#run.context.view } : await this.#filesOf(from);
    return prepareCopy(this.#run, this.#before, instruction, files, this.#scope, (copy) =>
      this.#cached(copy.key, this.#before.config, instruction.shown, () => copy.apply()),
    );
  }

  /** The files of a further context, of a stage before this one, or of an image. */
  async #filesOf(from: string): Promise<SourceFiles> {
    const named = contextOf(this.#run, from);
    if (named?.kind === 'folder') return named;
    const stage = named ? undefined : findStage(this.#run.plan.stages, from);
    if (stage && stage.index !== this.#stage.index) {
      return { kind: 'chain', chainId: (await stateOfStage(this.#run, stage.index)).chainId };
    }
    if (!named && /^\d+$/.test(from)) {
      throw new TswarmError(
        'invalid_argument',
        `invalid from flag value ${from}: refers to no other stage`,
      );
    }
    const image = await fetchImage(this.#run, named?.image ?? from, this.#run.options.platform);
    return { kind: 'chain', chainId: image.chainId };
  }

  /** The state after the step: from the cache, or by `make` (undefined = no layer came of it). */
  async #cached(
    keyParts: readonly unknown[],
    config: StageConfig,
    text: string,
    make: () => Promise<LayerRecord | undefined>,
  ): Promise<StageState> {
    const run = this.#run;
    const key = cacheKey(this.#before.imageId, this.#before.platform, keyParts);
    const isFresh = run.options.noCache || isFiltered(run, this.#stage);
    const found = isFresh ? undefined : await run.cache.find(key);
    if (found !== undefined) {
      run.say(' ---> Using cache\n');
      run.steps.fromCache();
      return stateFromCache(run, this.#before, found, config);
    }
    const layer = await make();
    const state = await this.#commit(config, text, layer);
    run.cache.add(key, state.imageId, state.chainId);
    if (layer !== undefined) await run.cache.save();
    return state;
  }

  async #commit(
    config: StageConfig,
    text: string,
    layer: LayerRecord | undefined,
  ): Promise<StageState> {
    const before = this.#before;
    const created = new Date(this.#run.parts.clock.nowMs()).toISOString();
    const entry: HistoryEntry = {
      created,
      created_by: text,
      ...(config.author === '' ? {} : { author: config.author }),
      ...(layer === undefined ? { empty_layer: true } : {}),
    };
    const state = {
      ...before,
      config,
      chainId: layer?.chainId ?? before.chainId,
      diffIds: layer === undefined ? before.diffIds : [...before.diffIds, layer.diffId],
      history: [...before.history, entry],
    };
    const image = configOf(state, config, created);
    const imageId = await storeConfig(this.#run.parts, image, this.#run.lease);
    return { ...state, imageId };
  }
}
