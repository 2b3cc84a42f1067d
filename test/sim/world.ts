// The simulated world: virtual time, the events that are due, and who they belong to. One event
// runs at a time, then all promises that it settled, then the checks. The order of events is a
// function of the seed alone: by time, and by age at equal times.
// An actor is a thread of a simulated process: its events are held back while it is paused and
// dropped when it is dead, and its clock may run too fast, too slow, or be set wrong.
// Time is in microseconds, as whole numbers.
import { SimFailure } from './failure.ts';

/** Something that is due; `isCancelled` may be set by whoever scheduled it. */
export interface SimEvent {
  atUs: number;
  readonly order: number;
  readonly actor: Actor | null;
  readonly action: () => void;
  isCancelled: boolean;
}

/** One thread of a simulated process. */
export class Actor {
  readonly name: string;
  /** Small and different for every actor; goes into the trace. */
  readonly code: number;
  readonly bornUs: number;
  /** Speed of its clock; 1.05 is five percent too fast. */
  readonly rate: number;
  /** What its wall clock is wrong by. */
  readonly skewMs: number;
  isAlive = true;
  pausedUntilUs = 0;

  constructor(
    name: string,
    code: number,
    clock: { readonly nowUs: number; readonly rate: number; readonly skewMs: number },
  ) {
    this.name = name;
    this.code = code;
    this.bornUs = clock.nowUs;
    this.rate = clock.rate;
    this.skewMs = clock.skewMs;
  }
}

/** Node's own way to run all promise jobs and ticks that are due, without leaving the caller. */
const drainJobs = (process as unknown as { _tickCallback(): void })._tickCallback.bind(process);

/** 2026-01-01: wall time at the start of every run. */
const EPOCH_MS = 1_767_225_600_000;

/** Where a run notes how far it is: number of the running event, and of its actor. */
export const PROGRESS = { steps: 0, actor: 1, length: 2 } as const;

/** Calls of one kind within one event; healthy runs make at most some hundreds. */
const CALLS_MAX = 20_000;

export class World {
  #heap: SimEvent[] = [];
  #nextOrder = 1;
  #nowUs = 0;
  #steps = 0;
  #hash = 0x811c9dc5;
  #actors = 0;
  /** Whose code is running. */
  current: Actor | null = null;
  #touched: Actor | null = null;
  /** The first error that came up where nobody can catch it (in a promise job). */
  failure: unknown = null;
  readonly #progress: Int32Array | null;
  /** How often what the code under test may call was called within the running event. */
  readonly #calls = new Map<string, number>();
  /** Runs after every event. */
  afterEvent: (actor: Actor | null) => void = () => {};

  /** `progress`: where somebody outside sees how far the run is. */
  constructor(progress: Int32Array | null = null) {
    this.#progress = progress;
  }

  get nowUs(): number {
    return this.#nowUs;
  }

  /** Events run so far. */
  get steps(): number {
    return this.#steps;
  }

  /** A digest of everything that has happened. */
  get traceHash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  newActor(name: string, rate = 1, skewMs = 0): Actor {
    this.#actors++;
    return new Actor(name, this.#actors, { nowUs: this.#nowUs, rate, skewMs });
  }

  /** Has `action` run in `delayUs`, as an event of `actor` (null: the world's own). */
  at(delayUs: number, actor: Actor | null, action: () => void): SimEvent {
    const event = {
      atUs: this.#nowUs + Math.max(0, Math.round(delayUs)),
      order: this.#nextOrder++,
      actor,
      action,
      isCancelled: false,
    };
    this.#push(event);
    return event;
  }

  /** Mixes a number into the trace. */
  trace(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value & 0xffff), 0x01000193);
    this.#hash = Math.imul(this.#hash ^ ((value >>> 16) & 0xffff), 0x01000193);
  }

  /**
   * Counts a call that the running event makes into the simulated world. Too many are a loop without
   * an end: the run has failed. Who calls must then not go on: throw, or leave the call unanswered.
   * @returns whether it may go on
   */
  spend(what: string): boolean {
    const calls = (this.#calls.get(what) ?? 0) + 1;
    this.#calls.set(what, calls);
    if (calls <= CALLS_MAX) return true;
    this.failure ??= new SimFailure('an event comes to an end', {
      event: this.#steps,
      actor: this.current?.name ?? 'the world',
      callsWithoutEnd: what,
    });
    return false;
  }

  /** As `spend`, for calls that can be refused. @throws SimFailure when it may not go on */
  spendOrThrow(what: string): void {
    if (!this.spend(what)) throw this.failure;
  }

  /** Milliseconds since the actor's birth by its own clock. */
  monotonicMs(actor: Actor | null): number {
    if (actor === null) return this.#nowUs / 1000;
    return ((this.#nowUs - actor.bornUs) * actor.rate) / 1000;
  }

  /** Milliseconds since 1970 by the actor's own clock. */
  wallMs(actor: Actor | null): number {
    if (actor === null) return EPOCH_MS + this.#nowUs / 1000;
    return EPOCH_MS + actor.bornUs / 1000 + actor.skewMs + this.monotonicMs(actor);
  }

  /** Runs the next event. False when nothing is due any more. */
  step(): boolean {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) return false;
      if (event.isCancelled) continue;
      const { actor } = event;
      if (actor !== null) {
        if (!actor.isAlive) continue;
        if (actor.pausedUntilUs > event.atUs) {
          // Due when it goes on; what waits there stays in the order in which it was made.
          event.atUs = actor.pausedUntilUs;
          this.#push(event);
          continue;
        }
      }
      this.#run(event);
      return true;
    }
  }

  #run(event: SimEvent): void {
    this.#nowUs = event.atUs;
    this.#steps++;
    if (this.#progress !== null) {
      this.#progress[PROGRESS.actor] = event.actor?.code ?? 0;
      Atomics.store(this.#progress, PROGRESS.steps, this.#steps);
    }
    if (this.#calls.size > 0) this.#calls.clear();
    this.trace(event.atUs);
    this.trace(event.actor?.code ?? 0);
    this.current = event.actor;
    this.#touched = event.actor;
    event.action();
    drainJobs();
    this.current = null;
    if (this.failure !== null) throw this.failure;
    this.afterEvent(this.#touched);
  }

  /** Goes on with the running event as `actor`; later if that is paused, never if it is dead. */
  become(actor: Actor, action: () => void): void {
    if (!actor.isAlive) return;
    if (actor.pausedUntilUs > this.#nowUs) {
      this.at(0, actor, action);
      return;
    }
    this.current = actor;
    this.#touched = actor;
    this.trace(actor.code);
    action();
  }

  /** Runs until `isDone` holds or virtual time has reached `untilUs`; returns whether it holds. */
  runUntil(untilUs: number, isDone: () => boolean): boolean {
    while (this.#nowUs < untilUs) {
      if (isDone()) return true;
      if (!this.step()) break;
    }
    return isDone();
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as SimEvent;
      if (!isBefore(event, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): SimEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as SimEvent)) child++;
      const below = heap[child] as SimEvent;
      if (!isBefore(below, last)) break;
      heap[i] = below;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order);
}

/** Throws unless promises can be run to their end from here (not inside of a promise job). */
export function requireDrain(): void {
  let isRun = false;
  void Promise.resolve().then(() => {
    isRun = true;
  });
  drainJobs();
  if (!isRun) throw new SimFailure('the simulator must be called from a task of its own', {});
}
