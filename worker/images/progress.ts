// Progress lines of the Engine API: {status, id, progressDetail, progress} / {stream} / {aux} /
// {errorDetail, error}. A reader may be slow or gone: beyond a backlog, bar lines of one layer
// replace each other; nothing else is ever dropped.
import type { EngineJson, Progress } from '#protocol/engine';
import { messageOf } from '#protocol/errors';
import type { Clock } from '#protocol/world';
import { PROGRESS_BACKLOG_MAX, PROGRESS_PERIOD_MS } from './limits.ts';

export type OnLine = (line: EngineJson) => void;

/** A queue that one reader drains. */
export class ProgressQueue {
  #lines: EngineJson[] = [];
  #wake: (() => void) | undefined;
  #isEnded = false;

  push(line: EngineJson): void {
    if (this.#isEnded) return;
    if (this.#lines.length >= PROGRESS_BACKLOG_MAX && isBar(line)) {
      const index = this.#lines.findLastIndex((old) => isBar(old) && old.id === line.id);
      if (index >= 0) this.#lines.splice(index, 1);
    }
    this.#lines.push(line);
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** May be iterated once. `onClose` is called when the reader stops, early or at the end. */
  async *lines(onClose: () => void): Progress {
    try {
      for (;;) {
        const ready = this.#lines;
        this.#lines = [];
        yield* ready;
        if (this.#lines.length > 0) continue;
        if (this.#isEnded) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    } finally {
      onClose();
    }
  }
}

/**
 * Runs work that reports lines, and gives them to the reader as they come. A failure becomes the
 * last line ({errorDetail, error}), as
 * the status code is long sent. When the reader leaves early, the work is aborted.
 */
export function progressOf(
  work: (onLine: OnLine, signal: AbortSignal) => Promise<void>,
  outer:
    | { readonly aborted: boolean; addEventListener: AbortSignal['addEventListener'] }
    | undefined,
): Progress {
  const queue = new ProgressQueue();
  const abort = new AbortController();
  if (outer?.aborted === true) abort.abort();
  outer?.addEventListener('abort', () => abort.abort(), { once: true });
  let isDone = false;
  work((line) => queue.push(line), abort.signal)
    .catch((error: unknown) => queue.push(errorLine(error)))
    .finally(() => {
      isDone = true;
      queue.end();
    });
  return queue.lines(() => {
    if (!isDone) abort.abort();
  });
}

/**
 * `exitCode`: what the client shall end with, when there is one. Where the fault is and what to do about it stand beside the message, for clients that show them.
 */
export function errorLine(error: unknown): EngineJson {
  const message = messageOf(error);
  const { exitCode, field, hint } = (error ?? {}) as Readonly<Record<string, unknown>>;
  const errorDetail = {
    ...(typeof exitCode === 'number' ? { code: exitCode } : {}),
    message,
    ...(isText(field) ? { field } : {}),
    ...(isText(hint) ? { hint } : {}),
  };
  return { errorDetail, error: message };
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

export function statusLine(status: string, id?: string): EngineJson {
  return id === undefined ? { status } : { status, progressDetail: {}, id };
}

/** A bar, as `docker` draws it from `progressDetail`. */
export function barLine(status: string, id: string, current: number, total: number): EngineJson {
  return {
    status,
    progressDetail: total > 0 ? { current, total } : { current },
    progress: barText(current, total),
    id,
  };
}

const BAR_WIDTH = 50;

function barText(current: number, total: number): string {
  if (total <= 0) return sizeText(current);
  const filled = Math.min(BAR_WIDTH, Math.floor((current / total) * BAR_WIDTH));
  const head = filled < BAR_WIDTH ? '>' : '';
  const bar = `[${'='.repeat(filled)}${head}${' '.repeat(BAR_WIDTH - filled - head.length)}]`;
  return `${bar}  ${sizeText(current)}/${sizeText(total)}`;
}

/** Bytes for people: powers of 1000, four digits, as Docker writes them. */
export function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number.parseFloat(value.toPrecision(4))}${units[unit] ?? ''}`;
}

function isBar(line: EngineJson): boolean {
  const detail = line.progressDetail;
  return typeof detail === 'object' && detail !== null && 'current' in detail;
}

/** Calls at most every PROGRESS_PERIOD_MS. */
export function throttled(
  clock: Clock,
  report: (current: number) => void,
): (current: number) => void {
  let saidAtMs = clock.monotonicMs();
  return (current) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - saidAtMs < PROGRESS_PERIOD_MS) return;
    saidAtMs = nowMs;
    report(current);
  };
}
