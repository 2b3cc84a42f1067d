// Making a manager's folder from a backup: the state becomes the first snapshot of a new log whose
// only voter is this manager, with a Raft id that nobody had. manager.json is written last, so that
// a restore that was killed is begun anew. Refuses a folder that holds a cluster.
import { readFileSync, rmSync } from 'node:fs';
import { decodeSnapshot } from '#manager/store/snapshot';
import { StateView } from '#manager/store/state';
import { messageOf, TswarmError } from '#protocol/errors';
import type { ManagerRestore } from '#protocol/manager-ipc';
import { nodeRandom } from '#protocol/transport/node-world';
import { parseUnlockKey } from '#protocol/unlock-key';
import { type BackupHeader, readBackup } from './backup-format.ts';
import { type ManagerIdentity, newRaftId, readIdentity, writeIdentity } from './identity.ts';
import { seedMember } from './raft/seed.ts';

/** @throws TswarmError already_exists, invalid_argument, data_loss, not_supported, locked */
export async function restoreBackup(
  dataDir: string,
  request: ManagerRestore,
): Promise<{ readonly identity: ManagerIdentity; readonly unlockKey: Uint8Array | null }> {
  const unlockKey = request.unlockKey === '' ? null : parseUnlockKey(request.unlockKey);
  const known = readIdentity(dataDir);
  if (known?.origin === 'restore') return { identity: known, unlockKey };
  if (known) {
    throw new TswarmError('already_exists', 'this node is already a manager of a cluster', {
      hint: 'Leave that cluster with `tswarm leave --force` first; nothing was changed.',
    });
  }
  const { header, state } = readBackup(readFile(request.file), unlockKey);
  refuseUnusable(header, state);
  const identity: ManagerIdentity = {
    clusterId: header.clusterId,
    nodeId: header.nodeId,
    raftId: newRaftId(nodeRandom),
    origin: 'restore',
    hasLog: true,
    peers: [],
    hostname: request.hostname,
    addressPools: [],
    subnetSize: 0,
    dataPathPort: 0,
  };
  rmSync(`${dataDir}/raft`, { recursive: true, force: true });
  rmSync(`${dataDir}/certificates`, { recursive: true, force: true });
  await seedMember({
    dataDir: `${dataDir}/raft`,
    clusterId: identity.clusterId,
    raftId: identity.raftId,
    kek: header.sealId === '' ? null : unlockKey,
    index: header.index,
    state,
  });
  writeIdentity(dataDir, identity);
  return { identity, unlockKey: header.sealId === '' ? null : unlockKey };
}

function readFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new TswarmError('invalid_argument', `${path} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Before anything is written: the state must be one, and of the cluster and node of the header. */
function refuseUnusable(header: BackupHeader, state: Uint8Array): void {
  const decoded = decodeSnapshot(state);
  const view = new StateView(() => decoded);
  const isWhole =
    [...view.list('cluster')].some((cluster) => cluster.id === header.clusterId) &&
    view.get('node', header.nodeId) !== undefined;
  if (isWhole) return;
  throw new TswarmError('data_loss', 'the backup does not hold the cluster that it names', {
    hint: 'Nothing was changed; use another backup.',
  });
}
