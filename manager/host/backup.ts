// Taking a backup while everything runs: the state of one moment, encoded in pieces between which
// other work goes on. Any manager can give one.
import type { Store } from '#manager/store/store';
import { TSWARM_VERSION } from '#protocol/version';
import { writeBackup } from './backup-format.ts';

/** The bytes of a backup of the state as it is when the first piece is asked for. */
export async function* backupOf(
  nodeId: string,
  store: Store,
  nowMicros: number,
): AsyncIterable<Uint8Array> {
  const { id: clusterId, unlockKey } = store.view.cluster();
  const facts = {
    clusterId,
    nodeId,
    version: TSWARM_VERSION,
    createdAtMicros: nowMicros,
    index: store.index,
  };
  const key = unlockKey.length > 0 ? unlockKey : null;
  for (const piece of writeBackup(facts, key, store.snapshot())) {
    yield piece;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
