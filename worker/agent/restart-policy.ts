// Whether and when a container that ended is started again, as Docker's engine does it: no, always, unless-stopped, on-failure[:N]; back-off 100 ms
// doubling to 1 min, reset after 10 s of running. Used for Compose tasks and for `docker run` containers alike.

/** Docker's: 100 ms doubling to 1 min, reset after 10 s of running. */
export const RESTART_DELAY_MS_MIN = 100;
export const RESTART_DELAY_MS_MAX = 60_000;
export const RESTART_RESET_AFTER_MS = 10_000;

export type RestartName = 'no' | 'always' | 'unless-stopped' | 'on-failure';

export interface RestartInput {
  readonly name: RestartName;
  /** on-failure only; 0 = unlimited. */
  readonly retriesMax: number;
  readonly exitCode: number;
  /** A person or the agent asked for the stop. */
  readonly stopRequested: boolean;
  /** How long this run lasted. */
  readonly ranMs: number;
  /** Restarts in a row before this end. */
  readonly restartsInRow: number;
}

export interface RestartDecision {
  readonly restart: boolean;
  readonly delayMs: number;
  /** The new number of restarts in a row, when it restarts. */
  readonly restartsInRow: number;
}

const STAY: RestartDecision = { restart: false, delayMs: 0, restartsInRow: 0 };

/** What follows the end of a run. */
export function decideRestart(input: RestartInput): RestartDecision {
  if (input.stopRequested || !wants(input)) return STAY;
  const before = input.ranMs >= RESTART_RESET_AFTER_MS ? 0 : input.restartsInRow;
  if (input.name === 'on-failure' && input.retriesMax > 0 && before >= input.retriesMax) {
    return STAY;
  }
  return { restart: true, delayMs: restartDelayMs(before), restartsInRow: before + 1 };
}

function wants(input: RestartInput): boolean {
  if (input.name === 'always' || input.name === 'unless-stopped') return true;
  return input.name === 'on-failure' && input.exitCode !== 0;
}

/** Delay before the restart number `before + 1` in a row. */
export function restartDelayMs(before: number): number {
  return Math.min(RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN * 2 ** Math.min(before, 20));
}

/** Whether a container that the host's reboot (or a lost shim) ended comes back. `unless-stopped`: not when it was stopped before. */
export function comesBackAfterReboot(input: {
  readonly name: RestartName;
  readonly stopRequested: boolean;
  readonly wasRunning: boolean;
  readonly exitCode: number;
}): boolean {
  if (input.name === 'always') return true;
  if (input.name === 'unless-stopped') return !input.stopRequested;
  return input.name === 'on-failure' && input.wasRunning && !input.stopRequested;
}
