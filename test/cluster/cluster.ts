// What the tests of real clusters share: a lab with a name of its own, the cluster as a node sees it, waiting for it to look as it should.
import { inNetns } from '../support/cluster-lab/kernel.ts';
import { Lab, type UpOptions } from '../support/cluster-lab/lab.ts';
import { GATEWAY, SUBNET } from '../support/cluster-lab/state.ts';
import { until } from '../support/test-node.ts';

export interface NodeRow {
  readonly ID: string;
  readonly Hostname: string;
  readonly Status: string;
  readonly Availability: string;
  readonly ManagerStatus: string;
}

let labs = 0;

/** A lab that is up; `await using` takes it down. */
export async function labUp(options: UpOptions): Promise<Lab> {
  const lab = newLab();
  try {
    await lab.up(options);
  } catch (error) {
    await lab.down();
    throw error;
  }
  return lab;
}

export function newLab(): Lab {
  labs += 1;
  return new Lab(`test-${process.pid}-${labs}`);
}

/** The host has another address from now on, the one with this last number: it is returned. */
export function moveHost(lab: Lab, name: string, last: number): string {
  const { netns } = lab.paths(name);
  const address = `${SUBNET}.${last}`;
  // All at once: with the first address of a subnet Linux takes the others of it away, too.
  inNetns(netns, 'ip', ['addr', 'flush', 'dev', 'eth0', 'scope', 'global']);
  inNetns(netns, 'ip', ['addr', 'add', `${address}/24`, 'dev', 'eth0']);
  inNetns(netns, 'ip', ['route', 'replace', 'default', 'via', GATEWAY]);
  return address;
}

/** `node ls` on a manager. */
export async function nodesOf(lab: Lab, via: string): Promise<readonly NodeRow[]> {
  const text = await lab.ok(via, ['node', 'ls', '--json'], { timeoutMs: 20_000 });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as NodeRow);
}

/** The row of a host that is not down: a host that has joined twice has a row of before, too. */
export function rowOf(rows: readonly NodeRow[], name: string): NodeRow {
  const own = rows.filter((row) => row.Hostname === name);
  const found = own.find((row) => row.Status !== 'Down') ?? own[0];
  if (!found) throw new Error(`no node ${name} in ${JSON.stringify(rows)}`);
  return found;
}

/** Name of the manager that leads, as `via` sees it; undefined while there is none. */
export async function leaderOf(lab: Lab, via: string): Promise<string | undefined> {
  const rows = await nodesOf(lab, via).catch(() => []);
  return rows.find((row) => row.ManagerStatus === 'Leader')?.Hostname;
}

/** Waits until `node ls` on `via` satisfies the condition. @returns the rows */
export async function untilNodes(
  lab: Lab,
  via: string,
  condition: (rows: readonly NodeRow[]) => boolean,
  timeoutMs = 30_000,
): Promise<readonly NodeRow[]> {
  let rows: readonly NodeRow[] = [];
  let failure = '';
  await until(
    async () => {
      try {
        rows = await nodesOf(lab, via);
        return condition(rows);
      } catch (error) {
        failure = String(error);
        return false;
      }
    },
    timeoutMs,
    () => `${via} sees:\n${rows.map((row) => JSON.stringify(row)).join('\n')}\n${failure}`,
  );
  return rows;
}

/** Managers that are reachable or lead. */
export function liveManagers(rows: readonly NodeRow[]): readonly string[] {
  return rows
    .filter((row) => ['Leader', 'Reachable'].includes(row.ManagerStatus))
    .map((row) => row.Hostname)
    .sort();
}
