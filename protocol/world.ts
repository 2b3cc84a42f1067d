// The small interfaces through which the world comes into pure code: clock, randomness, log, files' bytes. Real ones are made once, in each
// program's main.ts; the simulator passes its own.

/** Time. `nowMs` is wall time (ms since 1970); `monotonicMs` only grows and is for durations. */
export interface Clock {
  nowMs(): number;
  monotonicMs(): number;
}

/** Uniform random numbers. `bytes` is cryptographically strong outside the simulator. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  bytes(length: number): Uint8Array;
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured log: a constant lower-case message, variables as fields (`node task service session term index durationMs …`). */
export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  child(component: string, fields?: LogFields): Log;
}

/** A stream in both directions. `read` ends after the far side has closed its writing half. */
export interface ByteStream {
  readonly read: AsyncIterable<Uint8Array>;
  /** Resolves when the bytes are accepted (back-pressure). */
  write(chunk: Uint8Array): Promise<void>;
  /** Half-close: nothing more will be written; reading goes on. */
  closeWrite(): void;
  close(): void;
}

/** What of an `AbortSignal` pure code may use (the real one fits). */
export interface CancelSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** A long-lived component: `start` must finish before others use it, `stop` undoes it and may be called once. */
export interface Lifecycle {
  start(): Promise<void>;
  stop(): Promise<void>;
}
