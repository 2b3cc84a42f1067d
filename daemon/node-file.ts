// What this node knows about itself on disk: `node.json` in the data root. No file = in no cluster. It is written after the node got its certificate and
// removed last when leaving, so that an init or a join that was killed half-way counts as none, and a leave is finished after a restart.
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { readTextFile, removeTree, syncFolder, writeFileAtomic } from '#worker/files';

export interface NodeRecord {
  readonly format: 1;
  /** `leaving`: what belongs to the cluster is being removed. */
  readonly phase: 'member' | 'leaving';
  readonly nodeId: string;
  readonly clusterId: string;
  /**
   * `joining`: a manager is being made on this node; it may count in the others' quorum already. `member`: it has been ready once.
   */
  readonly manager: 'none' | 'joining' | 'member';
  /** `host:port` that a manager on this node listens on, now or after a promotion. */
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  /** `found`: the address of an interface of this host, which may get another one. `given`: by a person. */
  readonly advertiseIs: 'found' | 'given';
  /** The daemon's `--advertise-addr` at that time: another one at a later start is an order to move. null: not known. */
  readonly advertiseFlag: string | null;
  /** The managers as last heard, never empty. */
  readonly managers: readonly { readonly nodeId: string; readonly addr: string }[];
}

function pathIn(dataRoot: string): string {
  return join(dataRoot, 'node.json');
}

/** Of versions with clusters of one node. */
interface OldRecord {
  readonly isManager?: boolean;
  readonly controlAddr?: string;
}

/** What versions did not write that knew of no addresses that change. */
const OF_OLD = { advertiseIs: 'given', advertiseFlag: null } as const;

function current({ isManager, controlAddr, ...read }: NodeRecord & OldRecord): NodeRecord {
  const record = { ...OF_OLD, ...read };
  if (isManager === undefined || controlAddr === undefined) return record;
  const managers = [{ nodeId: record.nodeId, addr: controlAddr }];
  return { ...record, manager: isManager ? 'member' : 'none', managers };
}

/** @throws data_loss when the file is there and makes no sense. */
export async function readNodeRecord(dataRoot: string): Promise<NodeRecord | undefined> {
  const path = pathIn(dataRoot);
  const text = await readTextFile(path);
  if (text === undefined) return undefined;
  try {
    const record = JSON.parse(text) as NodeRecord & OldRecord;
    if (record.format === 1 && typeof record.nodeId === 'string') return current(record);
  } catch {
    // Said below.
  }
  throw new TswarmError('data_loss', `${path}: not a node file of this version`, {
    hint: 'Restore it from a backup, or remove the data root to start over.',
  });
}

export async function writeNodeRecord(dataRoot: string, record: NodeRecord): Promise<void> {
  const text = `${JSON.stringify(record, null, 2)}\n`;
  await writeFileAtomic(pathIn(dataRoot), text, { sync: true });
}

export async function removeNodeRecord(dataRoot: string): Promise<void> {
  await removeTree(pathIn(dataRoot));
  await syncFolder(dataRoot);
}
