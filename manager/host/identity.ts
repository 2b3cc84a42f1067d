// What a manager must know before its state can be read: which cluster and node it is, its Raft id,
// and what the cluster is to be created with if that has not happened yet. Written once, before the
// log exists, so that a start after a crash at any moment goes on from there.
import { TswarmError } from '#protocol/errors';
import { newId } from '#protocol/ids';
import type { ManagerBootstrap } from '#protocol/manager-ipc';
import type { Random } from '#protocol/world';
import { readIfThere, writeFileAtomic } from './files.ts';

const FILE = 'manager.json';
const FORMAT_VERSION = 1;

export interface ManagerIdentity {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly raftId: number;
  readonly hostname: string;
  readonly addressPools: readonly string[];
  readonly subnetSize: number;
}

/**
 * The identity in a data folder; undefined in an empty one. @throws TswarmError data_loss,
 * not_supported.
 */
export function readIdentity(dataDir: string): ManagerIdentity | undefined {
  const path = `${dataDir}/${FILE}`;
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  let parsed: ManagerIdentity & { readonly formatVersion: number };
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new TswarmError('data_loss', `${path} is damaged: ${String(error)}`, {
      hint: 'Restore the folder from a backup, or leave the cluster with --force and begin anew.',
    });
  }
  if (parsed.formatVersion !== FORMAT_VERSION) {
    throw new TswarmError('not_supported', `${path} is of a newer tswarm`);
  }
  return parsed;
}

/** A new identity, written to disk. */
export function createIdentity(
  dataDir: string,
  request: ManagerBootstrap,
  random: Random,
): ManagerIdentity {
  const identity: ManagerIdentity = {
    clusterId: newId(random),
    nodeId: newId(random),
    raftId: 1 + Math.floor(random.next() * 2 ** 52),
    hostname: request.hostname,
    addressPools: request.addressPools,
    subnetSize: request.subnetSize,
  };
  const content = { formatVersion: FORMAT_VERSION, ...identity };
  writeFileAtomic(`${dataDir}/${FILE}`, `${JSON.stringify(content, null, 2)}\n`, 0o600);
  return identity;
}
