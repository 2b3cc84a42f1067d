// The logs of a set of tasks as one stream: of those that have a container now, on any node, and while following, of those that get one later and
// of containers that start again. A container that is gone is left out. Used by service logs and stack logs alike.
import type { OutputFrame } from '#protocol/engine';
import { hasCode, TswarmError } from '#protocol/errors';
import { NodeState, type Task, TaskState } from '#protocol/generated/objects';
import type { Clock, Log } from '#protocol/world';
import { nameOf } from '../cache/lookup.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import type { Reply } from '../http/reply.ts';
import { LOG_SOURCES_MAX } from '../limits.ts';
import { nameMissingNodes } from '../reach/missing-nodes.ts';
import { type LogEntry, readEntries } from './entries.ts';
import type { LogSource } from './log-source.ts';
import { LogMerge, type MergedEntry } from './merge.ts';

export interface TaskLogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  readonly sinceMicros: number;
  readonly untilMicros: number;
  readonly tail: number;
  /** With the labels and variables that the containers' log options name. */
  readonly details: boolean;
}

export interface TaskLogDeps {
  readonly logsOf: LogSource;
  readonly cache: ObjectCache;
  readonly clock: Clock;
  readonly log: Log;
  /** Told when a task's log breaks off or cannot be had. */
  readonly onMissing?: (task: Task, reason: string) => void;
}

/** Names the nodes that are down and have logs of these tasks, in a header: what follows is not all there is. */
export function nameSilentNodes(
  cache: ObjectCache,
  selects: (task: Task) => boolean,
  reply: Reply,
): void {
  const silent = new Set<string>();
  for (const task of cache.all('task')) {
    if (!selects(task) || !task.status?.containerStatus?.containerId) continue;
    const node = cache.get('node', task.nodeId);
    if (node && node.status?.state !== NodeState.READY) silent.add(nameOf('node', node));
  }
  nameMissingNodes(reply, [...silent].sort());
}

/** What is known of one container that is or was read. */
interface Reading {
  open: boolean;
  /** Start of the container that was being read (TaskStatus.run). */
  run: number;
  lastMicros: number;
}

/**
 * Merged entries of all tasks that `selects` takes. While following it ends when `isOver` says that nothing can come any more.
 * @throws resource_exhausted when there are too many containers.
 */
export async function* taskLogs(
  deps: TaskLogDeps,
  options: TaskLogOptions,
  select: { readonly selects: (task: Task) => boolean; readonly isOver: () => boolean },
  signal: AbortSignal,
): AsyncIterable<MergedEntry<Task>> {
  const merge = new LogMerge<Task>(
    () => deps.clock.monotonicMs(),
    (task, reason) => {
      deps.log.debug('log of a task ended', { task: task.id, reason });
      deps.onMissing?.(task, reason);
    },
  );
  const ended = AbortSignal.any([signal, deps.cache.signal]);
  const follower = new Follower(deps, options, merge, ended);
  const chosen = [...deps.cache.all('task')].filter((task) => select.selects(task));
  if (chosen.length > LOG_SOURCES_MAX) {
    throw new TswarmError('resource_exhausted', `logs: ${chosen.length} tasks at once`, {
      hint: `At most ${LOG_SOURCES_MAX} are read together; name one service or task.`,
    });
  }
  for (const task of chosen) follower.look(task);
  const stop = (): void => merge.stop();
  ended.addEventListener('abort', stop, { once: true });
  if (ended.aborted) stop();
  const unsubscribe = options.follow
    ? deps.cache.subscribe(() => {
        for (const task of deps.cache.all('task')) if (select.selects(task)) follower.look(task);
        if (select.isOver()) merge.complete();
      })
    : () => {};
  if (!options.follow || select.isOver()) merge.complete();
  try {
    yield* merge.read();
  } finally {
    unsubscribe();
    ended.removeEventListener('abort', stop);
    follower.stop();
    merge.stop();
  }
}

class Follower {
  readonly #deps: TaskLogDeps;
  readonly #options: TaskLogOptions;
  readonly #merge: LogMerge<Task>;
  readonly #abort = new AbortController();
  readonly #readings = new Map<string, Reading>();

  constructor(
    deps: TaskLogDeps,
    options: TaskLogOptions,
    merge: LogMerge<Task>,
    signal: AbortSignal,
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#merge = merge;
    signal.addEventListener('abort', () => this.#abort.abort(), { once: true });
  }

  stop(): void {
    this.#abort.abort();
  }

  /** Starts reading a task's container unless it is being read; again when it has started again since. */
  look(task: Task): void {
    const container = task.status?.containerStatus?.containerId ?? '';
    if (container === '') return;
    const run = task.status?.run ?? 0;
    const reading = this.#readings.get(container);
    if (!reading) this.#start(task, container, { open: true, run, lastMicros: 0 });
    else if (!reading.open && run > reading.run && task.status?.state === TaskState.RUNNING) {
      this.#start(task, container, { open: true, run, lastMicros: reading.lastMicros });
    }
  }

  #start(task: Task, container: string, reading: Reading): void {
    this.#readings.set(container, reading);
    this.#merge.add(task, this.#entries(task, container, reading), () => {
      reading.open = false;
      const now = this.#deps.cache.get('task', task.id);
      if (this.#options.follow && now) this.look(now);
    });
  }

  async *#entries(task: Task, container: string, reading: Reading): AsyncIterable<LogEntry> {
    const again = reading.lastMicros > 0;
    let output: AsyncIterable<OutputFrame>;
    try {
      output = await this.#deps.logsOf(
        task,
        container,
        {
          ...this.#options,
          timestamps: true,
          sinceMicros: again ? reading.lastMicros + 1 : this.#options.sinceMicros,
          tail: again ? -1 : this.#options.tail,
        },
        this.#abort.signal,
      );
    } catch (error) {
      if (hasCode(error, 'not_found')) return;
      throw error;
    }
    for await (const entry of readEntries(output, this.#options.details)) {
      const micros = Date.parse(entry.time) * 1000;
      if (Number.isFinite(micros)) reading.lastMicros = microsOf(entry, micros);
      yield entry;
    }
  }
}

/** Date.parse knows milliseconds only; the three digits after them come from the text. */
function microsOf(entry: LogEntry, millisAsMicros: number): number {
  const fraction = entry.key.slice(20, 29);
  return Math.floor(millisAsMicros / 1e6) * 1e6 + Number(fraction.slice(0, 6) || '0');
}
