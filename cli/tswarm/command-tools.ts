// What the files that register commands are given: how an action is run, and the client for the chosen daemon. Their verbs are loaded when they are called.
import type { ApiClient } from '../client/http.ts';

export interface CommandTools {
  /** Wraps a verb: its result is the exit code, what it throws is reported. */
  readonly run: (
    verb: (...args: never[]) => Promise<number>,
  ) => (...args: unknown[]) => Promise<void>;
  readonly client: () => ApiClient;
}

/** For options that may be repeated. */
export function collect(value: string, list: readonly string[] = []): string[] {
  return [...list, value];
}
