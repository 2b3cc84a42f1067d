// What a text in the search box finds: names that begin with it before those that contain it, ids by their beginning. Pure.
import type { ClusterState } from './state.ts';
import { isAlive } from './task-words.ts';

export interface Hit {
  readonly kind: string;
  readonly name: string;
  readonly link: string;
}

const HITS_MAX = 12;
/** Ids are looked at from this length on. */
const ID_MIN = 4;

export function search(state: ClusterState, text: string): Hit[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return [];
  const starts: Hit[] = [];
  const contains: Hit[] = [];
  const look = (kind: string, name: string, id: string, link: string): void => {
    const lower = name.toLowerCase();
    if (lower.startsWith(wanted) || (wanted.length >= ID_MIN && id.startsWith(wanted))) {
      starts.push({ kind, name, link });
    } else if (lower.includes(wanted)) contains.push({ kind, name, link });
  };
  for (const { id, name } of state.all('stack')) look('stack', name, id, `#/stacks/${name}`);
  for (const { id, name } of state.all('service')) look('service', name, id, `#/services/${id}`);
  for (const { id, name } of state.all('node')) look('node', name, id, `#/nodes/${id}`);
  for (const task of state.all('task')) {
    if (isAlive(task)) look('task', task.name, task.id, `#/tasks/${task.id}`);
  }
  return [...starts, ...contains].slice(0, HITS_MAX);
}
