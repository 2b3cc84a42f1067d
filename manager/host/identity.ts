// What a manager must know before its state can be read: which cluster and node it is, its Raft id,
// how it came into the cluster, and what it is to be created with if that has not happened yet.
// Written before the log exists, so that a start after a crash at any moment goes on from there.
import { rmSync } from 'node:fs';
import type { MemberAddress } from '#manager/control/managers';
import { TswarmError } from '#protocol/errors';
import { newId } from '#protocol/ids';
import type { ManagerBootstrap } from '#protocol/manager-ipc';
import type { Random } from '#protocol/world';
import { readIfThere, syncFolder, writeFileAtomic } from './files.ts';

const FILE = 'manager.json';
/** 1: created by bootstrap only. 2: says how it came into the cluster. */
const FORMAT_VERSION = 2;

export interface ManagerIdentity {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly raftId: number;
  /** bootstrap: made the cluster; join: came later; restore: made it from a backup. */
  readonly origin: 'bootstrap' | 'join' | 'restore';
  /** The log exists: if it is gone, this seat is lost, because an empty log must not vote for it. */
  readonly hasLog: boolean;
  /** Members to begin with, until the store knows; for a manager that joined. */
  readonly peers: readonly MemberAddress[];
  readonly hostname: string;
  readonly addressPools: readonly string[];
  readonly subnetSize: number;
  readonly dataPathPort: number;
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
  if (parsed.formatVersion > FORMAT_VERSION) {
    throw new TswarmError(
      'not_supported',
      `${path} is of a newer tswarm (format ${parsed.formatVersion}; this one reads up to ${FORMAT_VERSION})`,
      { hint: 'Start the newer version of tswarm that wrote it.' },
    );
  }
  return { ...NOT_IN_FORMAT_1, ...parsed };
}

const NOT_IN_FORMAT_1 = {
  origin: 'bootstrap',
  hasLog: false,
  peers: [],
  dataPathPort: 0,
} as const;

/** Writes the identity; durable when it returns. */
export function writeIdentity(dataDir: string, identity: ManagerIdentity): void {
  const content = { ...identity, formatVersion: FORMAT_VERSION };
  writeFileAtomic(`${dataDir}/${FILE}`, `${JSON.stringify(content, null, 2)}\n`, 0o600);
}

/** Forgets who this manager was; durable when it returns. */
export function removeIdentity(dataDir: string): void {
  rmSync(`${dataDir}/${FILE}`, { force: true });
  syncFolder(dataDir);
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
    raftId: newRaftId(random),
    origin: 'bootstrap',
    hasLog: false,
    peers: [],
    hostname: request.hostname,
    addressPools: request.addressPools,
    subnetSize: request.subnetSize,
    dataPathPort: request.dataPathPort ?? 0,
  };
  writeIdentity(dataDir, identity);
  return identity;
}

/** A Raft id that nobody has had: 52 random bits. */
export function newRaftId(random: Random): number {
  const bytes = random.bytes(8);
  let id = 0;
  for (const byte of bytes.subarray(0, 6)) id = id * 256 + byte;
  return 1 + id * 16 + ((bytes[6] ?? 0) & 15);
}
