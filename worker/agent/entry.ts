// What the agent knows of one task: how it begins, what is kept of it over a restart of the worker, and how it is made again from that. What is not kept
// (the process, its health, its ports) is found out anew from the containers that are there.
import { TaskStatus } from '#protocol/generated/objects';
import type { Entry, SavedTask } from './types.ts';

/** Of a task that the node has just got. */
export function newEntry(task: Entry['task']): Entry {
  return {
    task,
    containerId: '',
    busy: '',
    up: false,
    paused: false,
    pid: 0,
    hasHealthCheck: false,
    health: 'none',
    healthOutput: '',
    unopened: [],
    ports: [],
    serving: false,
    startedAtMs: 0,
    run: task.status?.run ?? 0,
    restartCount: 0,
    restartsInRow: 0,
    restartSeen: task.restartRequest,
    startAtMs: 0,
    held: false,
    stopReason: '',
    besideContainers: [],
    besideRuns: [],
    gone: false,
    exitCode: 0,
    oomKilled: false,
    status: task.status ?? TaskStatus.create(),
  };
}

/** Of a task that was saved; whether it serves must be told anew. */
export function entryFrom(saved: SavedTask): Entry {
  return {
    ...newEntry(saved.task),
    serving: undefined,
    status: saved.status,
    run: saved.run,
    restartCount: saved.restartCount,
    restartsInRow: saved.restartsInRow,
    restartSeen: saved.restartSeen,
    held: saved.held,
    besideContainers: saved.besideContainers,
    besideRuns: saved.besideRuns,
  };
}

/** What is kept of an entry. */
export function savedOf(entry: Entry): SavedTask {
  return {
    task: entry.task,
    status: entry.status,
    run: entry.run,
    restartCount: entry.restartCount,
    restartsInRow: entry.restartsInRow,
    restartSeen: entry.restartSeen,
    held: entry.held,
    besideContainers: entry.besideContainers,
    besideRuns: entry.besideRuns,
  };
}
