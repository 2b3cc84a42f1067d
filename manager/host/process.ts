// The manager process: started by the daemon with an IPC channel, gets one request, sends one
// answer, then serves until the channel closes or SIGTERM comes. While its keys are sealed it waits
// for the unlock key first. Flags and messages: protocol/manager-ipc.ts. Runs under its own user when told so, from before it opens anything.
// Refuses to run without the channel: there is nobody who would get the answer.
import { parseArgs } from 'node:util';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import { MANAGER_EXIT, type ManagerRequest } from '#protocol/manager-ipc';
import { createLog, logLevelFromText, nodeRandom } from '#protocol/transport/node-world';
import { parseUnlockKey } from '#protocol/unlock-key';
import type { Log } from '#protocol/world';
import { DaemonChannel, errorForDaemon } from './daemon-channel.ts';
import { makePrivateFolder } from './files.ts';
import { createIdentity, readIdentity } from './identity.ts';
import { joinAsManager, takenSeat } from './join.ts';
import { Manager, type ManagerOptions } from './manager.ts';
import { type Places, portOf, withPort } from './places.ts';
import { restoreBackup } from './restore.ts';

/** For the daemon to be told why the process ends; longer than that nobody waits for it. */
const LAST_WORD_MS = 500;

interface Flags {
  readonly dataDir: string;
  readonly places: Places;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly log: Log;
}

function parseFlags(argv: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      data: { type: 'string' },
      listen: { type: 'string' },
      advertise: { type: 'string' },
      'raft-listen': { type: 'string' },
      'raft-advertise': { type: 'string' },
      uid: { type: 'string' },
      gid: { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
      'log-format': { type: 'string', default: 'json' },
    },
  });
  const level = logLevelFromText(values['log-level']);
  if (!level)
    throw new Error(`--log-level: ${values['log-level']} is not error, warn, info or debug`);
  const format = values['log-format'] === 'text' ? 'text' : 'json';
  const dataDir = values.data ?? '';
  if (!dataDir.startsWith('/')) throw new Error('--data: an absolute path is needed');
  const listenAddress = address('--listen', values.listen);
  const advertiseAddress = address('--advertise', values.advertise ?? listenAddress);
  const raftListenAddress = address(
    '--raft-listen',
    values['raft-listen'] ?? nextPort(listenAddress),
  );
  const raftAdvertiseAddress = address(
    '--raft-advertise',
    values['raft-advertise'] ?? withPort(advertiseAddress, portOf(raftListenAddress)),
  );
  const places: Places = {
    listenAddress,
    advertiseAddress,
    raftListenAddress,
    raftAdvertiseAddress,
  };
  return {
    dataDir,
    places,
    uid: numberOf('--uid', values.uid),
    gid: numberOf('--gid', values.gid ?? values.uid),
    log: createLog({ level, format }).child('manager'),
  };
}

function address(flag: string, text: string | undefined): string {
  if (text === undefined || !/^.+:\d{1,5}$/.test(text))
    throw new Error(`${flag}: expected HOST:PORT`);
  return text;
}

/** Raft's port is one above the control port; any port stays any. */
function nextPort(control: string): string {
  const port = portOf(control);
  return withPort(control, port === 0 ? 0 : port + 1);
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new Error(`${flag}: ${text} is not a number`);
  return Number(text);
}

/** Gives up root for good; everything this process will ever open belongs to its own user. */
function dropPrivileges({ uid, gid }: Flags): void {
  if (uid === undefined || process.getuid?.() !== 0) return;
  process.setgroups?.([]);
  process.setgid?.(gid ?? uid);
  process.setuid?.(uid);
}

type Prepared = Pick<ManagerOptions, 'identity' | 'places' | 'unlockKey'>;

/** Makes the data folder what the request wants it to be; a folder that is that already stays. */
async function prepare(
  flags: Flags,
  request: ManagerRequest,
  channel: DaemonChannel,
): Promise<Prepared> {
  const { dataDir, places, log } = flags;
  makePrivateFolder(dataDir);
  if (request.type === 'join') {
    const identity = takenSeat(dataDir, request);
    if (identity) return { identity, places, unlockKey: null };
    return await joinAsManager({ dataDir, places, log, sign: (csr) => channel.sign(csr) }, request);
  }
  if (request.type === 'restore') return { ...(await restoreBackup(dataDir, request)), places };
  const known = readIdentity(dataDir);
  if (known) return { identity: known, places, unlockKey: null };
  if (request.type === 'bootstrap') {
    return { identity: createIdentity(dataDir, request, nodeRandom), places, unlockKey: null };
  }
  throw new TswarmError('no_cluster', `${dataDir} holds no cluster`, {
    hint: 'Create one with `tswarm init`.',
  });
}

async function run(flags: Flags): Promise<void> {
  const { log, dataDir } = flags;
  const channel = new DaemonChannel(log);
  let manager: Manager | undefined;
  let isStopping = false;
  const stop = async (why: string, code: number): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    log.info('stopping', { why });
    await manager?.stop();
    process.exit(code);
  };
  process.on('SIGTERM', () => void stop('SIGTERM', MANAGER_EXIT.ok));
  process.on('SIGINT', () => void stop('SIGINT', MANAGER_EXIT.ok));
  process.on('disconnect', () => void stop('the daemon is gone', MANAGER_EXIT.ok));
  const request = await channel.request();
  try {
    const prepared = await prepare(flags, request, channel);
    const start = async (unlockKey: Uint8Array | null): Promise<void> => {
      manager = new Manager(
        {
          ...prepared,
          dataDir,
          unlockKey,
          forceNewCluster: request.type === 'start' && request.forceNewCluster === true,
          fatal: (error) => void die(channel, error),
          removed: () => void stop('removed from the group of managers', MANAGER_EXIT.removed),
        },
        log,
      );
      const ready = await manager.start(request);
      log.info('ready', { node: ready.nodeId, address: ready.controlAddress });
      await channel.send(ready);
    };
    await untilUnlocked(prepared.unlockKey, start, channel, log);
  } catch (error) {
    if (isStopping) return;
    await fail(channel, log, error);
  }
}

/** Starts with the keys that there are; when they do not do, asks for the unlock key. */
async function untilUnlocked(
  given: Uint8Array | null,
  start: (unlockKey: Uint8Array | null) => Promise<void>,
  channel: DaemonChannel,
  log: Log,
): Promise<void> {
  let unlockKey = given;
  for (;;) {
    try {
      await start(unlockKey);
      return;
    } catch (error) {
      if (!hasCode(error, 'locked')) throw error;
      log.warn('locked', { error: messageOf(error) });
      unlockKey = await askForKey(channel, unlockKey ? (error as TswarmError) : undefined);
    }
  }
}

async function askForKey(
  channel: DaemonChannel,
  first: TswarmError | undefined,
): Promise<Uint8Array> {
  let problem = first;
  for (;;) {
    const text = await channel.unlockKey(problem);
    try {
      return parseUnlockKey(text);
    } catch (error) {
      if (!(error instanceof TswarmError)) throw error;
      problem = error;
    }
  }
}

async function fail(channel: DaemonChannel, log: Log, error: unknown): Promise<never> {
  const known = error instanceof TswarmError ? error : undefined;
  const message = messageOf(error);
  log.error('cannot start', { error: message, stack: known ? undefined : stackOf(error) });
  const told = known ?? new TswarmError('internal', message);
  await channel.send({ type: 'failed', ...errorForDaemon(told) });
  process.exit(MANAGER_EXIT.failed);
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

/** Raft cannot go on. Everything that it does has ended; who reads `info` is told why. */
async function die(channel: DaemonChannel, error: TswarmError): Promise<never> {
  const late = new Promise((resolve) => setTimeout(resolve, LAST_WORD_MS).unref());
  await Promise.race([late, channel.send({ type: 'failed', ...errorForDaemon(error) })]);
  process.exit(MANAGER_EXIT.fatal);
}

/** A bug: what is acknowledged is on disk, so the safest is to begin anew. */
function dieOfBug(log: Log, error: unknown): never {
  log.error('bug: the manager ends', { error: messageOf(error), stack: stackOf(error) });
  process.exit(MANAGER_EXIT.fatal);
}

/** Runs the process to its end. */
export function runManagerProcess(): void {
  let flags: Flags;
  try {
    flags = parseFlags(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`manager: ${messageOf(error)}\n`);
    process.exit(MANAGER_EXIT.usage);
  }
  if (!process.send) {
    process.stderr.write('manager: it is started by tswarmd, not by hand\n');
    process.exit(MANAGER_EXIT.usage);
  }
  process.title = 'tswarm-manager';
  process.umask(0o077);
  process.on('uncaughtException', (error) => dieOfBug(flags.log, error));
  process.on('unhandledRejection', (error) => dieOfBug(flags.log, error));
  dropPrivileges(flags);
  void run(flags);
}
