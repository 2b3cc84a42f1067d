// Entry of the Raft thread: opens the member, then connects port, clock and disk watch to RaftHost.
// A write error or a broken invariant ends the process by way of the main thread (exit code 70).
import { statfsSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { RaftHost } from './host.ts';
import {
  DISK_CHECK_MS,
  DISK_HIGH_WATER_BYTES,
  DISK_LOW_WATER_BYTES,
  STOP_TIMEOUT_MS,
} from './limits.ts';
import { type OpenedMember, openMember } from './open-member.ts';
import { threadError, toThreadError } from './thread-errors.ts';
import type { FromThread, ThreadData, ToThread, Turn } from './thread-messages.ts';

const { options, kek } = workerData as ThreadData;

function post(message: FromThread, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

/** Entries go by transfer, without a copy. */
function postTurn(turn: Turn): void {
  post(turn, turn.applied === null ? [] : [turn.applied.packed]);
}

function run(member: OpenedMember): void {
  const { wal, storage, snapshots, appliedIndex, recoverUpTo, disk } = member;
  const host = new RaftHost(options, {
    wal,
    storage,
    snapshots,
    appliedIndex,
    recoverUpTo,
    random: Math.random,
    send: () => {
      // Members other than this one are reached by the peer transport; without it there are none.
    },
    postTurn,
    fatal: (error) => post({ type: 'fatal', error }),
    schedule: (action) => setImmediate(action),
  });
  disk.isSynchronous = host.isSoleVoter();
  const ticker = setInterval(() => host.tick(), options.tickMs);
  const watch = setInterval(() => {
    watchDisk(host);
    wal.retrySpare();
  }, DISK_CHECK_MS);
  parentPort?.on('message', (message: ToThread) => {
    host.handle(message);
    if (message.type !== 'stop') return;
    clearInterval(ticker);
    clearInterval(watch);
    void stop(host, member);
  });
  const { contents, restore } = member;
  postTurn({
    type: 'turn',
    notes: [
      {
        level: 'info',
        message: 'log opened',
        values: {
          entries: contents.entries.length,
          segments: contents.segments.length,
          snapshotIndex: appliedIndex,
          tornBytes: contents.tornBytes,
          closedCleanly: contents.isClosedCleanly,
        },
      },
    ],
    restore,
    applied: null,
    refused: null,
    reads: null,
    snapshotWanted: false,
    status: host.status(),
    termStartIndex: 0,
    isReplayed: false,
  });
  host.start();
}

let isDiskLow = false;

/** Raft.md §2.1: at the low-water mark stop accepting, before the log itself runs out of room. */
function watchDisk(host: RaftHost): void {
  const { bavail, bsize } = statfsSync(options.dataDir);
  const freeBytes = bavail * bsize;
  if (!isDiskLow && freeBytes < DISK_LOW_WATER_BYTES) {
    isDiskLow = true;
    const message = `the disk of ${options.dataDir} is nearly full: ${freeBytes} bytes are free`;
    const hint = `free at least ${DISK_HIGH_WATER_BYTES} bytes; changes are accepted again then`;
    host.refuseProposals(threadError('no_space', message, hint));
  } else if (isDiskLow && freeBytes >= DISK_HIGH_WATER_BYTES) {
    isDiskLow = false;
    host.refuseProposals(null);
  }
}

async function stop(host: RaftHost, member: OpenedMember): Promise<void> {
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while ((!host.isIdle || member.wal.isBusy) && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await new Promise<void>((resolve) => {
    if (member.wal.isBusy) resolve();
    else member.wal.close(() => resolve());
  });
  member.unlock();
  post({ type: 'stopped' });
  parentPort?.close();
}

openMember(options, kek).then(run, (error: unknown) => {
  post({ type: 'failed', error: toThreadError(error) });
});
