// Whether a leader is fit to lead although the core sees nothing wrong: heartbeats go out while its
// disk hangs, or while the main thread, which has to act on what is committed, does not answer.
// (raft.md §2.1 slow disk, §5 stalled main thread.) Only measures; the host hands over.
import {
  HAND_OVER_PAUSE_MS,
  MAIN_SILENT_MS,
  SLOW_DISK_WINDOW_MS,
  SLOW_DISK_WRITES_MIN,
  STALLED_WRITE_ELECTIONS,
} from './limits.ts';

export class LeaderHealth {
  readonly #nowMs: () => number;
  readonly #electionMs: number;
  #windowStartMs: number;
  #writes = 0;
  #slowWrites = 0;
  #isSlow = false;
  /** Null while nobody is asked. */
  #mainHeardMs: number | null = null;
  #pausedUntilMs = 0;
  /** Nothing new can be written. */
  isDiskFull = false;

  constructor(nowMs: () => number, electionMs: number) {
    this.#nowMs = nowMs;
    this.#electionMs = electionMs;
    this.#windowStartMs = nowMs();
  }

  wrote(tookMs: number): void {
    const now = this.#nowMs();
    if (now - this.#windowStartMs >= SLOW_DISK_WINDOW_MS) {
      this.#isSlow = this.#writes >= SLOW_DISK_WRITES_MIN && this.#slowWrites > this.#writes / 100;
      this.#windowStartMs = now;
      this.#writes = 0;
      this.#slowWrites = 0;
    }
    this.#writes++;
    if (tookMs > this.#electionMs / 4) this.#slowWrites++;
  }

  mainAnswered(): void {
    this.#mainHeardMs = this.#nowMs();
  }

  /** `writingMs`: how long the running write has taken. Null when all is well, or when leadership was
   * given away a moment ago. */
  reasonToHandOver(writingMs: number): string | null {
    const now = this.#nowMs();
    if (now < this.#pausedUntilMs) return null;
    if (this.isDiskFull) return 'the disk is nearly full';
    if (writingMs > STALLED_WRITE_ELECTIONS * this.#electionMs) return 'the disk is stalled';
    if (this.#isSlow) return 'the disk is slow';
    const isSilent = this.#mainHeardMs !== null && now - this.#mainHeardMs > MAIN_SILENT_MS;
    return isSilent ? 'the main thread is stalled' : null;
  }

  handedOver(): void {
    this.#isSlow = false;
    this.#pausedUntilMs = this.#nowMs() + HAND_OVER_PAUSE_MS;
  }
}
