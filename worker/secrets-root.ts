// Where secrets' data may be written: a folder on a tmpfs. The run root usually is on one; where it is not, a small tmpfs is mounted below it (and
// unmounted when the node leaves). Refuses to go on without: secrets never reach a disk.
import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { messageOf, TswarmError } from '#protocol/errors';
import { makeFolder } from './files.ts';

const run = promisify(execFile);
const MOUNT_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
const TMPFS_MAGIC = 0x01021994;
const RAMFS_MAGIC = 0x858458f6;
/** Many times what secrets (at most 500 KiB each) come to on one node. */
const SECRETS_TMPFS_SIZE = '256m';

/** Makes the folder, on a tmpfs. @throws failed_precondition */
export async function openSecretsRoot(folder: string): Promise<void> {
  await makeFolder(folder);
  if (await isInMemory(folder)) return;
  try {
    await run(
      'mount',
      ['-t', 'tmpfs', '-o', `mode=0700,size=${SECRETS_TMPFS_SIZE},nosuid,nodev`, 'tswarm', folder],
      { env: MOUNT_ENV },
    );
  } catch (error) {
    throw new TswarmError(
      'failed_precondition',
      `${folder} is not on a tmpfs and none can be mounted there: ${messageOf(error)}`,
      { hint: 'Put the run root on a tmpfs (--run-root /run/tswarm).', cause: error },
    );
  }
}

/** Takes away a tmpfs that openSecretsRoot mounted. */
export async function closeSecretsRoot(folder: string): Promise<void> {
  await run('umount', [folder], { env: MOUNT_ENV }).catch(() => undefined);
}

async function isInMemory(folder: string): Promise<boolean> {
  const { type } = await statfs(folder);
  return type === TMPFS_MAGIC || type === RAMFS_MAGIC;
}
