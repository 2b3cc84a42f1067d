// The thread that runs seeds, one after the other, as SeedRunner asks: in a thread of its own a run
// that never ends can be ended from outside. Says after every event how far it is, in memory that
// both sides see, because an endless loop sends no messages. With `isCounted` V8 counts what runs,
// from before the modules under test are loaded.
import { Session } from 'node:inspector';
import { parentPort, workerData } from 'node:worker_threads';
import type { SeedResult } from './seed-result.ts';

/** One function of a script, as V8 counts it. */
export interface FunctionCoverage {
  readonly ranges: readonly {
    readonly startOffset: number;
    readonly endOffset: number;
    readonly count: number;
  }[];
}

export interface ScriptCoverage {
  readonly url: string;
  readonly functions: readonly FunctionCoverage[];
}

/** What the thread is started with. */
export interface ThreadData {
  /** Where it says how far it is: see PROGRESS in world.ts. */
  readonly progress: Int32Array;
  readonly isCounted: boolean;
}

export type ToSeedThread =
  | { readonly type: 'run'; readonly seed: number; readonly steps: number }
  | { readonly type: 'coverage' };

export type FromSeedThread =
  | { readonly type: 'ready' }
  | { readonly type: 'result'; readonly result: SeedResult }
  | { readonly type: 'coverage'; readonly scripts: readonly ScriptCoverage[] };

/** Runs one seed, and notes the events that it has run. */
type RunSeed = (seed: number, steps: number, progress: Int32Array) => SeedResult;

/** Answers what comes from the other side; `load` imports what is under test. */
export async function serveSeeds(load: () => Promise<RunSeed>): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('seed-thread.ts is started by SeedRunner');
  const { progress, isCounted } = workerData as ThreadData;
  const session = new Session();
  if (isCounted) {
    session.connect();
    ask(session, 'Profiler.enable');
    ask(session, 'Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }
  const runSeed = await load();
  const answer = (message: FromSeedThread): void => port.postMessage(message);
  answer({ type: 'ready' });
  port.on('message', (message: ToSeedThread) => {
    if (message.type === 'coverage') {
      const { result } = ask(session, 'Profiler.takePreciseCoverage') as {
        result: ScriptCoverage[];
      };
      answer({ type: 'coverage', scripts: result });
      return;
    }
    const { seed, steps } = message;
    // A task of its own: runs must not begin inside of a promise job.
    setImmediate(() => answer({ type: 'result', result: runSeed(seed, steps, progress) }));
  });
}

/** The answer of the inspector, which comes before `post` returns. */
function ask(session: Session, method: string, parameters: object = {}): unknown {
  let answer: unknown;
  session.post(method, parameters, (error, result) => {
    if (error !== null) throw new Error(`${method}: ${error.message}`);
    answer = result;
  });
  return answer;
}
