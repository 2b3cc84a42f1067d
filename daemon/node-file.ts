// What this node knows about itself on disk: `node.json` in the data root. No file = in no cluster. It is written after the cluster was made and removed
// last when leaving, so that an init that was killed half-way counts as none, and a leave is finished after a restart.
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { readIfThere, syncFolder, writeFileAtomic } from './files.ts';

export interface NodeRecord {
  readonly format: 1;
  /** `leaving`: what belongs to the cluster is being removed. */
  readonly phase: 'member' | 'leaving';
  readonly nodeId: string;
  readonly clusterId: string;
  readonly isManager: boolean;
  /** `host:port` that the manager listens on. */
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly raftPort: number;
  /** `host:port` at which this host reaches the manager. */
  readonly controlAddr: string;
}

function pathIn(dataRoot: string): string {
  return join(dataRoot, 'node.json');
}

/** @throws data_loss when the file is there and makes no sense. */
export function readNodeRecord(dataRoot: string): NodeRecord | undefined {
  const path = pathIn(dataRoot);
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  try {
    const record = JSON.parse(text) as NodeRecord;
    if (record.format === 1 && typeof record.nodeId === 'string') return record;
  } catch {
    // Said below.
  }
  throw new TswarmError('data_loss', `${path}: not a node file of this version`, {
    hint: 'Restore it from a backup, or remove the data root to start over.',
  });
}

export function writeNodeRecord(dataRoot: string, record: NodeRecord): void {
  writeFileAtomic(pathIn(dataRoot), `${JSON.stringify(record, null, 2)}\n`);
}

export function removeNodeRecord(dataRoot: string): void {
  const path = pathIn(dataRoot);
  rmSync(path, { force: true });
  syncFolder(dirname(path));
}
