// The nodes that may take the tasks of one group, kept so that the best one is found without looking at all of them again: a level per spread
// preference (branches are filled evenly, a full one is passed over), and in each leaf a heap by score. While tasks are being placed scores only
// get worse, so an entry that is on top with an old score is put where it belongs and the next one is looked at.
import { compareScores, type Score } from './score.ts';

export interface Candidate<T> {
  readonly item: T;
  score: Score;
  /** Decides between equal scores. */
  readonly tie: number;
}

/** What the tree asks about its candidates. */
export interface Rules<T> {
  score(item: T): Score;
  /** False once it can take no more. */
  fits(item: T): boolean;
}

interface Branch<T> {
  /** Tasks of the service below this branch, also on nodes that cannot take more. */
  tasks: number;
  readonly children: Map<string, Branch<T>>;
  readonly heap: Candidate<T>[];
}

interface Found<T> {
  readonly candidate: Candidate<T>;
  /** Tasks of the branches on the way to it. */
  readonly branches: readonly number[];
}

export class PlacementTree<T> {
  readonly #root: Branch<T> = { tasks: 0, children: new Map(), heap: [] };
  readonly #rules: Rules<T>;

  constructor(rules: Rules<T>) {
    this.#rules = rules;
  }

  /** Counts tasks that are in a branch; `path` has one value per preference. */
  count(path: readonly string[], tasks: number): void {
    for (const branch of this.#walk(path)) branch.tasks += tasks;
  }

  add(path: readonly string[], item: T, tie: number): void {
    const leaf = this.#walk(path).at(-1);
    const candidate = { item, score: this.#rules.score(item), tie };
    if (leaf) push(leaf.heap, candidate);
  }

  /** The best one that fits. It stays in; after using it call `count` for its path. */
  best(): T | undefined {
    return this.#bestOf(this.#root)?.candidate.item;
  }

  #walk(path: readonly string[]): Branch<T>[] {
    const branches = [this.#root];
    let branch = this.#root;
    for (const value of path) {
      const child = branch.children.get(value) ?? { tasks: 0, children: new Map(), heap: [] };
      branch.children.set(value, child);
      branches.push(child);
      branch = child;
    }
    return branches;
  }

  /** The emptiest branch at each level; between equally full ones what is below decides. */
  #bestOf(branch: Branch<T>): Found<T> | undefined {
    if (branch.children.size === 0) {
      const top = this.#top(branch.heap);
      return top && { candidate: top, branches: [] };
    }
    let best: Found<T> | undefined;
    for (const child of branch.children.values()) {
      if (best && child.tasks > (best.branches[0] ?? 0)) continue;
      const found = this.#bestOf(child);
      if (!found) continue;
      const here = { candidate: found.candidate, branches: [child.tasks, ...found.branches] };
      if (!best || compareFound(here, best) < 0) best = here;
    }
    return best;
  }

  /** The heap's best, after putting right what is out of date. */
  #top(heap: Candidate<T>[]): Candidate<T> | undefined {
    for (;;) {
      const top = heap[0];
      if (!top) return undefined;
      if (!this.#rules.fits(top.item)) {
        pop(heap);
        continue;
      }
      const score = this.#rules.score(top.item);
      if (compareScores(score, top.score) === 0) return top;
      top.score = score;
      sink(heap, 0);
      if (heap[0] === top) return top;
    }
  }
}

function compareFound<T>(a: Found<T>, b: Found<T>): number {
  return compareScores(a.branches, b.branches) || compare(a.candidate, b.candidate);
}

function compare<T>(a: Candidate<T>, b: Candidate<T>): number {
  return compareScores(a.score, b.score) || a.tie - b.tie;
}

function push<T>(heap: Candidate<T>[], candidate: Candidate<T>): void {
  let at = heap.length;
  heap.push(candidate);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (isBelow(heap, parent, at)) return;
    swap(heap, parent, at);
    at = parent;
  }
}

function pop<T>(heap: Candidate<T>[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  heap[0] = last;
  sink(heap, 0);
}

function sink<T>(heap: Candidate<T>[], from: number): void {
  let at = from;
  for (;;) {
    let least = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child < heap.length && !isBelow(heap, least, child)) least = child;
    }
    if (least === at) return;
    swap(heap, least, at);
    at = least;
  }
}

/** Whether the one at `a` comes before the one at `b`. */
function isBelow<T>(heap: readonly Candidate<T>[], a: number, b: number): boolean {
  const [left, right] = [heap[a], heap[b]];
  return left !== undefined && right !== undefined && compare(left, right) <= 0;
}

function swap<T>(heap: Candidate<T>[], a: number, b: number): void {
  const [left, right] = [heap[a], heap[b]];
  if (!left || !right) return;
  heap[a] = right;
  heap[b] = left;
}
