// Tasks that share namespaces with the containers of others (`network_mode: service:X`): the manager says beside whom each stands (Task.beside); here, when a container can be made and started,
// and that it is started again when the one whose namespaces it has joined was. Until that one is back it goes on, as with docker, in namespaces that lead nowhere.
import type { Pass } from './decide.ts';
import type { Companion, Entry } from './types.ts';

/** What a task stands beside, as it is now. */
interface Beside {
  /** Their containers; fewer than it stands beside while one has none. */
  readonly companions: readonly Companion[];
  /** Run numbers of those that run; fewer while one does not. */
  readonly runs: readonly number[];
}

function besideOf(entry: Entry, pass: Pass): Beside {
  const companions: Companion[] = [];
  const runs: number[] = [];
  for (const taskId of entry.task.beside) {
    const other = pass.entryOf(taskId);
    if (!other || other.containerId === '') continue;
    companions.push({ service: other.task.serviceName, containerId: other.containerId });
    if (other.up) runs.push(other.run);
  }
  return { companions, runs };
}

/** The containers whose namespaces it will join; undefined while there is one that is not made yet. */
export function companionsFor(entry: Entry, pass: Pass): readonly Companion[] | undefined {
  const { companions } = besideOf(entry, pass);
  return companions.length === entry.task.beside.length ? companions : undefined;
}

/** The runs that it would join if it started now; undefined while one of them does not run. */
export function runsToJoin(entry: Entry, pass: Pass): readonly number[] | undefined {
  const { runs } = besideOf(entry, pass);
  return runs.length === entry.task.beside.length ? runs : undefined;
}

/** Whether those that it has joined have been started again, so that it has to be as well. */
export function mustRejoin(entry: Entry, pass: Pass): boolean {
  if (entry.task.beside.length === 0) return false;
  const runs = runsToJoin(entry, pass);
  return runs?.some((run, index) => run !== entry.besideRuns[index]) ?? false;
}

/** Whether its container was made for one that is another one now. */
export function isMadeForOthers(entry: Entry, pass: Pass): boolean {
  const now = companionsFor(entry, pass);
  if (now === undefined) return false;
  return now.some(({ containerId }, index) => containerId !== entry.besideContainers[index]);
}

/** What it waits for, in words. */
export function besideText(entry: Entry, pass: Pass): string {
  const missing = entry.task.beside.find((taskId) => pass.entryOf(taskId)?.up !== true);
  const name = missing === undefined ? '' : pass.entryOf(missing)?.task.serviceName;
  return `waiting for the container of service ${name ?? ''} on this node, beside which it runs`;
}
