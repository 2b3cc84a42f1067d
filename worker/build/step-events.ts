// The steps of one stage for who follows a build on a terminal: each event goes out when it happens, while text waits until its stage has its turn (stages.ts).
// Says nothing unless the build was asked for events.
import { BUILD_STEP_LINE, type BuildStepEvent, type EngineJson } from '#protocol/engine';
import { hasCode } from '#protocol/errors';

/** Errors that a step has failed with: who waits for that step's stage ends with the same. */
const told = new WeakSet<object>();

function isOfAnother(error: unknown): boolean {
  if (hasCode(error, 'cancelled')) return true;
  const [own, cause] = error instanceof Error ? [error, error.cause] : [undefined, undefined];
  if (own === undefined) return false;
  if (told.has(own) || (cause instanceof Error && told.has(cause))) return true;
  told.add(own);
  return false;
}

export class StepEvents {
  readonly #stage: string;
  readonly #steps: number;
  readonly #onLine: ((line: EngineJson) => void) | undefined;
  #step = 0;
  #isCached = false;

  /** `onLine`: undefined = nobody follows. */
  constructor(stage: string, steps: number, onLine: ((line: EngineJson) => void) | undefined) {
    this.#stage = stage;
    this.#steps = steps;
    this.#onLine = onLine;
  }

  /** Does the stage's next step, and says how it came out. */
  async during<T>(text: string, work: () => Promise<T>): Promise<T> {
    this.#step += 1;
    this.#isCached = false;
    this.#tell({ state: 'running', text });
    try {
      const made = await work();
      this.#tell({ state: this.#isCached ? 'cached' : 'done' });
      return made;
    } catch (error) {
      this.#tell({ state: isOfAnother(error) ? 'cancelled' : 'failed' });
      throw error;
    }
  }

  /** The step that runs was there already. */
  fromCache(): void {
    this.#isCached = true;
  }

  /** The step that runs has written something. */
  wrote(output: string): void {
    this.#tell({ state: 'running', output });
  }

  #tell(event: Pick<BuildStepEvent, 'state' | 'text' | 'output'>): void {
    const aux = { stage: this.#stage, step: this.#step, steps: this.#steps, ...event };
    this.#onLine?.({ id: BUILD_STEP_LINE, aux });
  }
}
