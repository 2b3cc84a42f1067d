// A file system of its own for a node's data root, which can lose its power: ext4 on a loop device, shut down by the file system's own request
// (include/uapi/linux/fs.h, EXT4_IOC_SHUTDOWN without flushing its log). What was synced, or written back by the kernel in the meantime, is there after
// the next mount, anything else is not. What the disk itself does with its cache is not tried here.
import { execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { until } from '../../support/test-node.ts';

/** Sparse: it takes what is written. */
const SIZE_BYTES = 3 * 1024 ** 3;
const FREE_MS = 3_000;
/** _IOR('X', 125, __u32), and the flag that leaves the log as it is on the disk. */
const SHUTDOWN =
  'open(F, "<", $ARGV[0]) or die; my $no_flush = pack("L", 2); ioctl(F, 0x8004587d, $no_flush) or die';

export class PowerDisk {
  readonly #mountPoint: string;
  readonly #imageBase: string;
  #image: string;
  #copies = 0;

  /** `mountPoint`: a folder that is there. */
  constructor(imageFile: string, mountPoint: string) {
    this.#imageBase = imageFile;
    this.#image = imageFile;
    this.#mountPoint = mountPoint;
    writeFileSync(imageFile, '');
    truncateSync(imageFile, SIZE_BYTES);
    must('mkfs.ext4', ['-q', '-F', imageFile]);
    this.mount();
  }

  mount(): void {
    must('mount', ['-o', 'loop', this.#image, this.#mountPoint]);
  }

  /** Everything up to now is on the disk. */
  sync(): void {
    must('sync', ['-f', this.#mountPoint]);
  }

  /** From now on nothing reaches the disk. */
  cut(): void {
    must('perl', ['-e', SHUTDOWN, this.#mountPoint]);
  }

  async unmount(): Promise<void> {
    must('umount', [this.#mountPoint]);
    const isFree = (): boolean => must('losetup', ['-j', this.#image]).trim() === '';
    try {
      await until(isFree, FREE_MS);
    } catch {
      // Some other mount namespace of the host still has a copy of the mount: it keeps the file, and we go on with its contents.
      this.#copies += 1;
      const copy = `${this.#imageBase}.${this.#copies}`;
      must('cp', ['--sparse=always', this.#image, copy]);
      this.#image = copy;
    }
  }
}

function must(command: string, args: readonly string[]): string {
  return execFileSync(command, [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
