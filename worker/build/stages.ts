// Stages side by side: each begins when one of a few places is free, and waits for those that it stands on or copies from. What they say comes in the Dockerfile's order, as if they ran one
// after the other: the first that has not ended speaks at once, those after it when its turn comes. The first failure ends the others.
import type { BuildOptions, EngineJson } from '#protocol/engine';
import { Gate } from '../queue.ts';
import type { BuildRun, StageVoice } from './build-run.ts';
import { STAGES_PARALLEL_MAX } from './limits.ts';
import type { Stage } from './plan.ts';
import { buildStage } from './stage-build.ts';
import { StepEvents } from './step-events.ts';

/** Steps that a stage counts as. */
export function stepsOf(stage: Stage): number {
  return 1 + stage.instructions.length;
}

/** Runs all stages of the plan. `stop` ends those that run. @throws what the first failed one threw */
export async function buildStages(
  run: BuildRun,
  voices: StageVoices,
  stop: () => void,
): Promise<void> {
  // In order: a stage waits only for earlier ones, which have their place already.
  const gate = new Gate(STAGES_PARALLEL_MAX);
  let failure: { readonly error: unknown } | undefined;
  const all = run.plan.stages.map((stage, place) => {
    const voice = voices.of(place);
    const state = gate.run(() => buildStage({ ...run, ...voice }, stage));
    const ended = state.then(
      () => voices.end(place),
      (error: unknown) => {
        failure ??= { error };
        voices.end(place);
        stop();
      },
    );
    run.states.set(stage.index, state);
    return ended;
  });
  await Promise.all(all);
  if (failure) throw failure.error;
}

/** Lines that wait for their turn, and whose turn it is. */
export class StageVoices {
  readonly #voices: readonly StageVoice[];
  readonly #waiting: (EngineJson[] | undefined)[];
  readonly #hasEnded: boolean[];
  readonly #onLine: (line: EngineJson) => void;

  constructor(
    stages: readonly Stage[],
    options: Pick<BuildOptions, 'quiet' | 'events'>,
    onLine: (line: EngineJson) => void,
  ) {
    const followed = options.events ? onLine : undefined;
    this.#onLine = onLine;
    this.#waiting = stages.map((_, place) => (place === 0 ? undefined : []));
    this.#hasEnded = stages.map(() => false);
    let before = 0;
    this.#voices = stages.map((stage, place): StageVoice => {
      const stepsDone = before;
      before += stepsOf(stage);
      const speak = (line: EngineJson): void => this.#speak(place, line);
      const name = stage.name || String(stage.index);
      const steps = new StepEvents(name, stepsOf(stage), followed);
      return { stepsDone, steps, ...speaking(speak, options) };
    });
    const steps = new StepEvents('', 0, undefined);
    this.last = { stepsDone: before, steps, ...speaking(onLine, options) };
  }

  /** For what is said when all stages have ended. */
  readonly last: StageVoice;

  of(place: number): StageVoice {
    const voice = this.#voices[place];
    if (!voice) throw new RangeError(`no stage ${place}`);
    return voice;
  }

  /** A stage says no more. */
  end(place: number): void {
    this.#hasEnded[place] = true;
    for (let next = place; this.#waiting[next] === undefined && this.#hasEnded[next]; next++) {
      const lines = this.#waiting[next + 1];
      this.#waiting[next + 1] = undefined;
      for (const line of lines ?? []) this.#onLine(line);
    }
  }

  #speak(place: number, line: EngineJson): void {
    const waiting = this.#waiting[place];
    if (waiting) waiting.push(line);
    else this.#onLine(line);
  }
}

function speaking(
  onLine: (line: EngineJson) => void,
  { quiet }: Pick<BuildOptions, 'quiet'>,
): Pick<StageVoice, 'onLine' | 'say'> {
  return {
    onLine,
    say: (text) => {
      if (!quiet) onLine({ stream: text });
    },
  };
}
