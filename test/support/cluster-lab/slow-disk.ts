// A slow disk for a lab's node: its daemon and manager get so few writes a second from the block device below their data root that each waits. The kernel does it (blkio throttle of
// control groups v1), for what these processes write themselves; the journal of the file system, written for everybody, is not held up. Ends with `heal`, and with the processes.
// Refuses a data root without a block device, and kernels without that controller.
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const ROOT = '/sys/fs/cgroup/blkio';
const LIMIT = 'blkio.throttle.write_iops_device';
/** A synced write is this many to the device: the block, and what says where it is. */
const WRITES_PER_SYNC = 2;
const TRIES_MAX = 50;

/** Writes of `pids` that wait for the disk take about `ms` from now on. @throws when the kernel cannot do that */
export function slowDisk(
  labFolder: string,
  node: string,
  { pids, dataRoot, ms }: { pids: readonly number[]; dataRoot: string; ms: number },
): void {
  if (!existsSync(join(ROOT, LIMIT))) {
    throw new Error(
      `a slow disk needs the kernel's blkio throttle (control groups v1): ${ROOT} has none`,
    );
  }
  const device = wholeDiskOf(dataRoot);
  const perSecond = Math.max(1, Math.round((1000 * WRITES_PER_SYNC) / ms));
  const group = groupOf(labFolder, node);
  mkdirSync(group, { recursive: true });
  writeFileSync(join(group, LIMIT), `${device} ${perSecond}`);
  for (const pid of pids) writeFileSync(join(group, 'cgroup.procs'), String(pid));
}

/** The node's disk is as fast as it was. */
export function endSlowDisk(labFolder: string, node: string): void {
  const group = groupOf(labFolder, node);
  for (let i = 0; existsSync(group) && i < TRIES_MAX; i++) {
    for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n')) {
      if (pid !== '') tryTo(() => writeFileSync(join(ROOT, 'cgroup.procs'), pid));
    }
    tryTo(() => rmdirSync(group));
  }
}

export function hasSlowDisk(labFolder: string, node: string): boolean {
  return existsSync(groupOf(labFolder, node));
}

function groupOf(labFolder: string, node: string): string {
  return join(ROOT, `${basename(labFolder)}-${node}-slow`);
}

/** `major:minor`; the throttle knows whole disks only. */
function wholeDiskOf(path: string): string {
  const { dev } = statSync(path);
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  const block = `/sys/dev/block/${major}:${minor}`;
  if (!existsSync(block)) throw new Error(`${path} is on no block device that could be slow`);
  const isPart = existsSync(join(block, 'partition'));
  return readFileSync(join(block, isPart ? '../dev' : 'dev'), 'utf8').trim();
}

/** Processes end, and groups are busy for a moment. */
function tryTo(action: () => void): void {
  try {
    action();
  } catch {
    // The next round finds what is left.
  }
}
