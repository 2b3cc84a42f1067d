// Entry of the Raft thread: opens the member, then connects port, clock and disk watch to RaftHost.
// A write error or a broken invariant ends the process by way of the main thread (exit code 70).
import { statfsSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { RaftInvariantError } from '#manager/raft/invariant';
import { Role } from '#manager/raft/types';
import { DiskWatch } from './disk-watch.ts';
import { RaftHost } from './host.ts';
import { KeyService } from './key-service.ts';
import { DISK_CHECK_MS, FAREWELL_MS, STOP_TIMEOUT_MS } from './limits.ts';
import { type OpenedMember, openMember } from './open-member.ts';
import { problemOf } from './peer-screen.ts';
import { PeerTransport } from './peer-transport.ts';
import { toThreadError } from './thread-errors.ts';
import type {
  FromThread,
  ThreadData,
  ThreadError,
  ThreadNote,
  ThreadService,
  ToThread,
  Turn,
} from './thread-messages.ts';
import { openingTurn } from './turn-report.ts';

const { options, kek } = workerData as ThreadData;

function post(message: FromThread, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

/** Entries go by transfer, without a copy. */
function postTurn(turn: Turn): void {
  post(turn, turn.applied === null ? [] : [turn.applied.packed]);
}

function run(member: OpenedMember): void {
  const { wal, storage, snapshots, appliedIndex, disk } = member;
  const { clusterId, raftId, listenAddress, advertiseAddress, instance } = options;
  const transport = new PeerTransport(
    { clusterId, raftId, listenAddress, advertiseAddress, instance },
    {
      member: {
        greeting: (to) => host.greeting(to),
        judge: (from, greeting) => host.judge(from, greeting),
        toldRemoved: (by) => host.toldRemoved(by),
        receive: (messages) => host.receive(messages),
        receiveSnapshot: (message) => host.receiveSnapshot(message).catch(rethrowBug),
        lostContact: (id) => host.lostContact(id),
        unreachable: (id) => host.unreachable(id),
        snapshotSent: (id, hasFailed) => host.snapshotSent(id, hasFailed),
      },
      snapshots,
      note: (level, message, values) => host.noteLine(level, message, values),
      random: Math.random,
    },
  );
  const host = new RaftHost(options, {
    wal,
    storage,
    snapshots,
    appliedIndex,
    recoverUpTo: member.recoverUpTo,
    recoverTerm: member.recoverTerm,
    random: Math.random,
    nowMs: () => performance.now(),
    screen: problemOf,
    send: (to, messages) => transport.send(to, messages),
    sendSnapshot: (to, message) => transport.sendSnapshot(to, message),
    peerPort: () => transport.port,
    instanceOf: (id) => transport.instanceOf(id),
    postTurn,
    fatal: (error) => post({ type: 'fatal', error }),
    schedule: (action) => setImmediate(action),
  });
  disk.mayBlock = () => host.isSoleVoter() || host.core.raft.role !== Role.leader;
  const parts = { transport, host, keys: new KeyService(member.vault, host, member) };
  const fullness = diskWatch(member, host);
  const ticker = setInterval(() => host.tick(), options.tickMs);
  const watch = setInterval(() => {
    post({ type: 'ping' });
    fullness.look();
  }, DISK_CHECK_MS);
  parentPort?.on('message', (message: ToThread) => {
    host.handle(message);
    if (message.type === 'peers') transport.setPeers(message.peers);
    if (message.type === 'pong') host.mainAnswered();
    if (message.type === 'service') serve(message.id, () => perform(message.service, parts));
    if (message.type !== 'stop') return;
    clearInterval(ticker);
    clearInterval(watch);
    void stop(host, member, transport);
  });
  postTurn(firstTurn(member, host));
  host.start();
  parts.keys.finish();
}

/** A disk that is full is the sender's problem, too; a broken invariant ends the process. */
function rethrowBug(error: unknown): never {
  if (error instanceof RaftInvariantError) {
    setImmediate(() => {
      throw error;
    });
  }
  throw error;
}

function firstTurn({ contents, restore, appliedIndex }: OpenedMember, host: RaftHost): Turn {
  const values = {
    entries: contents.entries.length,
    segments: contents.segments.length,
    snapshotIndex: appliedIndex,
    tornBytes: contents.tornBytes,
    closedCleanly: contents.isClosedCleanly,
  };
  const opened: ThreadNote = { level: 'info', message: 'log opened', values };
  return openingTurn(host.status(), restore, [opened]);
}

/** What services work on. */
interface Parts {
  readonly transport: PeerTransport;
  readonly host: RaftHost;
  readonly keys: KeyService;
}

/** Carries out a service and answers. */
function serve(id: number, action: () => Promise<void>): void {
  const done = (error: ThreadError | null): void => {
    post({ type: 'answered', answers: [{ id, error }] });
  };
  action().then(
    () => done(null),
    (error: unknown) => done(toThreadError(error)),
  );
}

async function perform(service: ThreadService, { transport, host, keys }: Parts): Promise<void> {
  if (service.kind !== 'identity') return keys.perform(service);
  await transport.setIdentity(service.identity);
  host.reportStatus();
}

/** Connects the watch over the disk with what it can do something about. */
function diskWatch({ disk, wal }: OpenedMember, host: RaftHost): DiskWatch {
  const { dataDir: folder, segmentBytes } = options;
  return new DiskWatch({
    folder,
    segmentBytes,
    freeBytes: () => {
      const { bavail, bsize } = statfsSync(folder);
      return bavail * bsize;
    },
    refuse: (error) => host.refuseProposals(error),
    olderSegments: () => wal.olderSegments,
    compact: () => host.takeWholeSnapshot(() => undefined),
    hasReserve: () => disk.hasReserve(segmentBytes),
    makeReserve: (done) => disk.makeReserve(segmentBytes, done),
    hasSpare: () => wal.hasSpare,
    prepareSpare: () => wal.retrySpare(),
    note: (level, message, values) => host.noteLine(level, message, values),
  });
}

async function stop(host: RaftHost, member: OpenedMember, transport: PeerTransport): Promise<void> {
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while ((!host.isIdle || member.wal.isBusy) && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  host.hasEnded = true;
  await new Promise<void>((resolve) => {
    if (member.wal.isBusy) resolve();
    else member.wal.close(() => resolve());
  });
  const tooLong = new Promise((resolve) => setTimeout(resolve, FAREWELL_MS));
  await Promise.race([transport.close(), tooLong]);
  member.unlock();
  post({ type: 'stopped' });
  parentPort?.close();
}

openMember(options, kek).then(run, (error: unknown) => {
  post({ type: 'failed', error: toThreadError(error) });
});
