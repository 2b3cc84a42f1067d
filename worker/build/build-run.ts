// What one build carries along: its plan, its options, what it has made so far, and how it speaks.
// Output goes out in Docker's words; a step whose output nobody reads is clipped rather than kept
// in memory.
import type { BuildOptions, EngineJson } from '#protocol/engine';
import type { Lease } from '../images/collector.ts';
import { hexOf } from '../images/digest.ts';
import type { FullImageService, ImageParts } from '../images/image-store.ts';
import type { HistoryEntry } from '../images/make-image.ts';
import { parseConfig } from '../images/manifest.ts';
import type { BuildStepRunner, OciImageConfig } from '../images/types.ts';
import type { BuildCache } from './cache.ts';
import type { StageConfig } from './config-change.ts';
import { processConfig } from './config-change.ts';
import type { BuildContext } from './context.ts';
import type { BuildPlan } from './plan.ts';
import type { StepEvents } from './step-events.ts';

/** An image between two instructions. */
export interface StageState {
  /** '' before the first step on `scratch`. */
  readonly imageId: string;
  readonly chainId: string;
  readonly diffIds: readonly string[];
  readonly history: readonly HistoryEntry[];
  readonly platform: Pick<OciImageConfig, 'architecture' | 'os' | 'variant'>;
  readonly config: StageConfig;
  /** ARGs declared so far; undefined = declared without a value. */
  readonly args: ReadonlyMap<string, string | undefined>;
}

export interface BuildRun {
  readonly plan: BuildPlan;
  readonly options: BuildOptions;
  readonly context: BuildContext;
  readonly images: FullImageService;
  readonly parts: ImageParts;
  readonly runner: BuildStepRunner;
  readonly cache: BuildCache;
  readonly lease: Lease;
  readonly signal: AbortSignal;
  /** `<dataDir>` of builds. */
  readonly dataDir: string;
  /** On a tmpfs: secrets of steps that run. */
  readonly secretsDir: string;
  /** Stages by index, each from the moment at which it begins. */
  readonly states: Map<number, Promise<StageState>>;
  /** Names of build arguments that some ARG has taken. */
  readonly takenArgs: Set<string>;
  readonly stepsTotal: number;
}

/** What a stage says, and how far it is. */
export interface StageVoice {
  stepsDone: number;
  /** For who follows each step as it happens. */
  readonly steps: StepEvents;
  /** One line of progress. */
  readonly onLine: (line: EngineJson) => void;
  /** Text of the build's own; nothing in a quiet build. */
  say(text: string): void;
}

/** A build as one stage sees it: stages run side by side, and what each says is kept apart. */
export type StageRun = BuildRun & StageVoice;

export function shortImageId(id: string): string {
  return hexOf(id).slice(0, 12);
}

/** The configuration that an image of this state has. */
export function configOf(state: StageState, config: StageConfig, created: string): OciImageConfig {
  return {
    created,
    ...(config.author === '' ? {} : { author: config.author }),
    ...state.platform,
    config: processConfig(config),
    rootfs: { type: 'layers', diff_ids: state.diffIds },
    history: state.history.map((entry) => ({ ...entry })),
  };
}

/** The state after a step that was found in the cache; `config` as the instruction makes it. */
export async function stateFromCache(
  run: BuildRun,
  before: StageState,
  found: { readonly imageId: string; readonly chainId: string },
  config: StageConfig,
): Promise<StageState> {
  run.lease.blobs.add(found.imageId);
  run.lease.chains.add(found.chainId);
  const image = parseConfig(await run.parts.blobs.read(found.imageId), found.imageId);
  return {
    ...before,
    ...found,
    diffIds: image.rootfs.diff_ids,
    history: (image.history ?? []) as unknown as readonly HistoryEntry[],
    config,
  };
}
