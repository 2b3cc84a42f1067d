// The real world for programs on Node: clock, randomness, log. Made once in each program's main.ts
// and passed down; pure code only sees the interfaces of world.ts. The log writes one line per
// event to stderr: JSON for machines, or short text for a terminal. Refuses to throw: a log that
// cannot be written (closed pipe) is dropped, because a program must not die of its log.
import { randomFillSync } from 'node:crypto';
import { writeSync } from 'node:fs';
import type { Clock, Log, LogFields, Random } from '../world.ts';

/** The host's clocks. */
export const nodeClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** Randomness for ids and tokens (`bytes` from the kernel) and for jitter (`next`). */
export const nodeRandom: Random = {
  next: () => Math.random(),
  bytes: randomBytesOf,
};

/** Taken from the kernel at once: asking for each id costs more than all else that an id costs. */
const POOL_BYTES = 4096;
const pool = new Uint8Array(POOL_BYTES);
let poolAt: number = POOL_BYTES;

/** Each byte is handed out once and does not stay in the pool. */
function randomBytesOf(length: number): Uint8Array {
  if (length > POOL_BYTES) return randomFillSync(new Uint8Array(length));
  if (poolAt + length > POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const bytes = pool.slice(poolAt, poolAt + length);
  pool.fill(0, poolAt, poolAt + length);
  poolAt += length;
  return bytes;
}

/** Wall time in microseconds since 1970, as objects carry it; finer than a millisecond. */
export function nowMicros(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000);
}

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = 'json' | 'text';

export interface LogOptions {
  /** Least important level that is written. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where a finished line goes; stderr when absent. */
  readonly write?: (line: string) => void;
}

/** A log level from a flag. Undefined for an unknown text. */
export function logLevelFromText(text: string): LogLevel | undefined {
  return LOG_LEVELS.find((level) => level === text);
}

/** A log at the root component; `child` adds a component and constant fields. */
export function createLog(options: LogOptions): Log {
  return new LineLog(options, '', {});
}

class LineLog implements Log {
  readonly #options: LogOptions;
  readonly #component: string;
  readonly #fields: LogFields;
  readonly #rank: number;

  constructor(options: LogOptions, component: string, fields: LogFields) {
    this.#options = options;
    this.#component = component;
    this.#fields = fields;
    this.#rank = LOG_LEVELS.indexOf(options.level);
  }

  error(message: string, fields?: LogFields): void {
    this.#emit('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#emit('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#emit('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#emit('debug', message, fields);
  }

  child(component: string, fields?: LogFields): Log {
    const path = this.#component === '' ? component : `${this.#component}.${component}`;
    return new LineLog(this.#options, path, { ...this.#fields, ...fields });
  }

  #emit(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (LOG_LEVELS.indexOf(level) > this.#rank) return;
    const all = { ...this.#fields, ...fields };
    const line =
      this.#options.format === 'json'
        ? jsonLine(level, this.#component, message, all)
        : textLine(level, this.#component, message, all);
    (this.#options.write ?? writeStderr)(line);
  }
}

function jsonLine(level: LogLevel, component: string, message: string, fields: LogFields): string {
  const time = new Date().toISOString();
  const head = component === '' ? { time, level, message } : { time, level, component, message };
  return `${JSON.stringify({ ...head, ...fields })}\n`;
}

function textLine(level: LogLevel, component: string, message: string, fields: LogFields): string {
  const time = new Date().toISOString().slice(11, 23);
  const shown = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${quoted(value)}`);
  const where = component === '' ? '' : `${component}: `;
  return `${time} ${level.padEnd(5)} ${where}${message}${shown.join('')}\n`;
}

function quoted(value: unknown): string {
  const text = String(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

/** Synchronous, so that the last line before an exit is not lost. */
function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads it any more, or the pipe is full and not blocking.
  }
}
