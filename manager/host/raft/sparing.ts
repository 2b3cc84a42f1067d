// Keeps a line that could come a thousand times a second to one in a while, per source. The sources
// are members of the group, of which there are few.
import type { RaftId } from '#manager/raft/types';

export class Sparing {
  readonly #pauseMs: number;
  readonly #lastMs = new Map<RaftId, number>();

  constructor(pauseMs: number) {
    this.#pauseMs = pauseMs;
  }

  /** Whether `source` is to be spoken of now. */
  isNews(source: RaftId, nowMs: number): boolean {
    const lastMs = this.#lastMs.get(source);
    if (lastMs !== undefined && nowMs - lastMs < this.#pauseMs) return false;
    this.#lastMs.set(source, nowMs);
    return true;
  }
}
