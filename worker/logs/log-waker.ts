// Wakes one reader of a container's log: inotify on the container's folder (one watch sees growth and rotation) and the container's own changes, never a timer.
import type { FSWatcher } from 'node:fs';
import { watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CancelSignal } from '#protocol/world';

/** Whether more can come, and a way to be told when that changes. */
export interface LogSource {
  isActive(): boolean;
  /** @returns how to stop listening */
  onChange(listener: () => void): () => void;
}

/** Counts everything that may mean new lines, and lets one reader wait for the next. */
export class LogWaker {
  changes = 0;
  readonly #source: LogSource;
  readonly #signal: CancelSignal;
  readonly #watcher: FSWatcher;
  readonly #unlisten: () => void;
  #wake: (() => void) | undefined;

  constructor(path: string, source: LogSource, signal: CancelSignal) {
    this.#source = source;
    this.#signal = signal;
    const notify = (): void => this.#notify();
    this.#watcher = watch(dirname(path), { persistent: false }, notify);
    this.#watcher.on('error', notify);
    this.#unlisten = source.onChange(notify);
    signal.addEventListener('abort', notify, { once: true });
  }

  isActive(): boolean {
    return this.#source.isActive();
  }

  isOver(): boolean {
    return this.#signal.aborted || !this.isActive();
  }

  /** Resolves when something has changed since `seen`. */
  async wait(seen: number): Promise<void> {
    if (this.changes !== seen || this.#signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  #notify(): void {
    this.changes += 1;
    this.#wake?.();
  }

  close(): void {
    this.#watcher.close();
    this.#unlisten();
  }
}

/** Waits for the first line of a container that has not written anything yet. @returns whether there is a file */
export async function waitForFile(path: string, waker: LogWaker | undefined): Promise<boolean> {
  while (waker && !waker.isOver()) {
    const changes = waker.changes;
    if (await exists(path)) return true;
    await waker.wait(changes);
  }
  return exists(path);
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
