// Follows a rollout until it has ended: a line per task with its state and what it waits for, then the update's own end. The exit code says whether it
// went through: 1 when it was paused, failed or rolled back. Asks a few times a second; the gateway answers from memory. Only looks: whoever ends it
// ends nothing of the rollout, and is told so. A manager that is not there for a moment is waited for.

import type { ErrorCode } from '#protocol/error-codes';
import { TswarmError } from '#protocol/errors';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { ProgressDisplay, type ProgressState } from '../../output/progress.ts';

const POLL_MS = 200;
/** Thousands of tasks are much to ask for: then no more than a quarter of the time, but not more seldom than this. */
const POLL_MS_MAX = 2000;
/** As docker: more tasks than this are one line. */
const LINES_MAX = 20;
/** Without an update status (create, scale) tasks must have run this long. */
const STABLE_MS = 1000;
/** A leader is elected within a few seconds, a daemon that is replaced is back within ten. */
const NO_ANSWER_MS_MAX = 30_000;
const PASSING: ReadonlySet<ErrorCode> = new Set(['unavailable', 'no_leader', 'deadline_exceeded']);

const obj = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const str = (value: unknown): string =>
  value === undefined || value === null ? '' : String(value);

export interface FollowOptions {
  readonly quiet: boolean;
  /** Only the number of tasks has changed: how an earlier update ended does not matter. */
  readonly scaling?: boolean;
}

interface Picture {
  readonly service: Json;
  readonly tasks: readonly Json[];
}

/** @returns the exit code */
export async function followRollout(
  client: ApiClient,
  idOrName: string,
  { quiet, scaling = false }: FollowOptions,
): Promise<number> {
  const display = new ProgressDisplay('Rollout', quiet ? 'quiet' : 'auto');
  const looking = new Looking(client, idOrName, display);
  const interrupted = (): void => {
    display.stop();
    const { name, isUpdating } = looking;
    const halt = isUpdating ? `, halt it with: tswarm service update --pause ${name}` : '';
    process.stderr.write(
      `Service ${name}: the rollout goes on. See it with: tswarm service ps ${name}${halt}\n`,
    );
    process.exit(EXIT.interrupted);
  };
  process.on('SIGINT', interrupted);
  let stableSince = 0;
  try {
    for (;;) {
      const askedAt = performance.now();
      const picture = await looking.next();
      draw(display, picture);
      const end = endOf(picture, scaling);
      const now = performance.now();
      stableSince = end === undefined ? 0 : stableSince || now;
      const isJobDone = end !== undefined && jobMode(picture.service) !== undefined;
      const isDecided =
        (!scaling && str(obj(picture.service.UpdateStatus).State) !== '') || isJobDone;
      if (end !== undefined && (isDecided || now - stableSince >= STABLE_MS)) {
        display.stop();
        return report(picture.service, end);
      }
      const pauseMs = Math.min(POLL_MS_MAX, Math.max(POLL_MS, 3 * (performance.now() - askedAt)));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  } finally {
    process.off('SIGINT', interrupted);
    display.stop();
  }
}

/** Asks until there is an answer; once there was one, a pause is borne. */
class Looking {
  readonly #client: ApiClient;
  readonly #display: ProgressDisplay;
  #asked: string;
  #answeredAt: number | undefined;
  /** Of the service; what it was asked for by until it is known. */
  name: string;
  isUpdating = false;

  constructor(client: ApiClient, idOrName: string, display: ProgressDisplay) {
    this.#client = client;
    this.#display = display;
    this.#asked = idOrName;
    this.name = idOrName;
  }

  async next(): Promise<Picture> {
    for (;;) {
      try {
        const picture = await look(this.#client, this.#asked);
        this.#answeredAt = performance.now();
        this.#asked = str(picture.service.ID);
        this.name = str(obj(picture.service.Spec).Name);
        this.isUpdating = isUpdating(picture.service);
        return picture;
      } catch (error) {
        if (!this.#isBorne(error)) throw error;
        this.#display.update(`Service ${this.name}`, 'working', 'no answer', error.message);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #isBorne(error: unknown): error is TswarmError {
    if (!(error instanceof TswarmError) || !PASSING.has(error.code)) return false;
    const since = this.#answeredAt;
    return since !== undefined && performance.now() - since < NO_ANSWER_MS_MAX;
  }
}

async function look(client: ApiClient, idOrName: string): Promise<Picture> {
  const service = await call(client, 'GET /tswarm/v1/services/{id}', { params: { id: idOrName } });
  const tasks = await call(client, 'GET /tswarm/v1/tasks', {
    query: { service: str(service.ID) },
  });
  return { service, tasks: tasks.filter(isWanted) };
}

function isWanted(task: Json): boolean {
  return !['shutdown', 'remove', 'orphaned'].includes(str(task.DesiredState));
}

function jobMode(service: Json): Json | undefined {
  const mode = obj(obj(service.Spec).Mode);
  return (mode.ReplicatedJob ?? mode.GlobalJob) as Json | undefined;
}

const FAILED_STATES = ['paused', 'failed', 'rollback_paused', 'rollback_completed'];

/** Undefined while it goes on. */
function endOf({ service, tasks }: Picture, scaling: boolean): 'done' | 'failed' | undefined {
  const update = scaling ? {} : obj(service.UpdateStatus);
  const state = str(update.State);
  const byHand = str(update.Message).includes('manually requested') || state === 'completed';
  if (state === 'rollback_completed' && isOurRollback(service)) return 'done';
  if (FAILED_STATES.includes(state) && !byHand) return 'failed';
  if (state === 'updating' || state === 'rollback_started') return undefined;
  const status = obj(service.ServiceStatus);
  if (jobMode(service)) {
    const mode = obj(obj(obj(service.Spec).Mode).ReplicatedJob);
    const total = Number(mode.TotalCompletions ?? tasks.length);
    return Number(status.CompletedTasks ?? 0) >= total ? 'done' : undefined;
  }
  const running = tasks.filter((task) => str(obj(task.Status).State) === 'running').length;
  const desired = Number(status.DesiredTasks ?? 0);
  return running >= desired && tasks.every(runs) ? 'done' : undefined;
}

/** It was asked for, and not what the failure action made of an update. */
function isOurRollback(service: Json): boolean {
  return obj(service.PreviousSpec).Name !== undefined;
}

function runs(task: Json): boolean {
  return ['running', 'complete'].includes(str(obj(task.Status).State));
}

const UNDER_WAY: ReadonlySet<string> = new Set(['updating', 'rollback_started']);
/** As long as "preparing", so that what follows stands in a column. */
const STATE_WIDTH = 9;

const NUMERIC = { numeric: true } as const;

function isUpdating(service: Json): boolean {
  return UNDER_WAY.has(str(obj(service.UpdateStatus).State));
}

function draw(display: ProgressDisplay, { service, tasks }: Picture): void {
  const name = str(obj(service.Spec).Name);
  const update = obj(service.UpdateStatus);
  const shown = newestOfSlots(tasks);
  const done = shown.filter(runs).length;
  const all = Math.max(Number(obj(service.ServiceStatus).DesiredTasks ?? 0), shown.length);
  const updated =
    Number(update.Total ?? 0) > 0
      ? `, ${str(update.Updated) || '0'} of ${str(update.Total)} updated`
      : '';
  const isDone = done >= all && !isUpdating(service);
  const text = `${done}/${all} running${updated}`;
  display.update(`Service ${name}`, isDone ? 'done' : 'working', text);
  if (shown.length > LINES_MAX) return;
  for (const task of shown) {
    // Runs, but is to be replaced.
    const isOld = isUpdating(service) && task.UpToDate === false;
    const state = str(obj(task.Status).State).padEnd(STATE_WIDTH);
    const id = `Task ${name}.${slotOf(task)}`;
    if (isOld && runs(task)) display.update(id, 'working', state, 'waits for its turn');
    else display.update(id, taskState(task), state, reason(task));
  }
}

/** A number, or for tasks of a global service their node. */
function slotOf(task: Json): string {
  return Number(task.Slot ?? 0) > 0 ? str(task.Slot) : str(task.NodeName);
}

/** With start-first a slot has two tasks that are wanted for a while: the one to look at is the new one. */
function newestOfSlots(tasks: readonly Json[]): readonly Json[] {
  const newest = new Map<string, Json>();
  for (const task of tasks) {
    const other = newest.get(slotOf(task));
    if (!other || madeAt(task) >= madeAt(other)) newest.set(slotOf(task), task);
  }
  return [...newest.values()].sort((a, b) => slotOf(a).localeCompare(slotOf(b), 'en', NUMERIC));
}

function madeAt(task: Json): number {
  return Date.parse(str(task.CreatedAt));
}

function taskState(task: Json): ProgressState {
  const state = str(obj(task.Status).State);
  if (state === 'failed' || state === 'rejected') return 'error';
  return runs(task) ? 'done' : 'working';
}

/** What it waits for, or what went wrong. */
function reason(task: Json): string {
  if (runs(task)) return '';
  const { Err: err, Message: message, State: state } = obj(task.Status);
  const text = str(err) || str(task.WaitingFor) || str(message);
  return text.startsWith(`${str(state)}: `) ? text.slice(str(state).length + 2) : text;
}

function report(service: Json, end: 'done' | 'failed'): number {
  const update = obj(service.UpdateStatus);
  const name = str(obj(service.Spec).Name);
  if (end === 'done') return EXIT.ok;
  process.stderr.write(
    `Error: service ${name}: ${str(update.State).replace('_', ' ')}: ${str(update.Message)}\nHint:  tswarm why ${name}\n`,
  );
  return EXIT.failed;
}
