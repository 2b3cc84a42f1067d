// The manager process: started by the daemon with an IPC channel, gets one request, sends one
// answer, then serves until the channel closes or SIGTERM comes. Flags and messages:
// protocol/manager-ipc.ts. Runs under its own user when told so, from before it opens anything.
// Refuses to run without the channel: there is nobody who would get the answer.
import { parseArgs } from 'node:util';
import { messageOf, TswarmError } from '#protocol/errors';
import { type FromManager, MANAGER_EXIT, type ToManager } from '#protocol/manager-ipc';
import { createLog, logLevelFromText, nodeRandom } from '#protocol/transport/node-world';
import type { Log } from '#protocol/world';
import { makePrivateFolder } from './files.ts';
import { createIdentity, type ManagerIdentity, readIdentity } from './identity.ts';
import { Manager } from './manager.ts';

interface Flags {
  readonly dataDir: string;
  readonly listenAddress: string;
  readonly advertiseAddress: string;
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
  return {
    dataDir,
    listenAddress,
    advertiseAddress: address('--advertise', values.advertise ?? listenAddress),
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

function send(message: FromManager): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) resolve();
    else process.send?.(message, () => resolve());
  });
}

function nextRequest(): Promise<ToManager> {
  return new Promise((resolve) =>
    process.once('message', (message) => resolve(message as ToManager)),
  );
}

/** The identity to start with; a bootstrap into a folder that has one goes on with it. */
function identityFor(flags: Flags, request: ToManager): ManagerIdentity {
  const identity = readIdentity(flags.dataDir);
  if (identity) return identity;
  if (request.type === 'bootstrap') return createIdentity(flags.dataDir, request, nodeRandom);
  throw new TswarmError('no_cluster', `${flags.dataDir} holds no cluster`, {
    hint: 'Create one with `tswarm init`.',
  });
}

async function run(flags: Flags): Promise<void> {
  const { log } = flags;
  let manager: Manager | undefined;
  let isStopping = false;
  const stop = async (why: string): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    log.info('stopping', { why });
    await manager?.stop();
    process.exit(MANAGER_EXIT.ok);
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  process.on('disconnect', () => void stop('the daemon is gone'));
  const request = await nextRequest();
  try {
    makePrivateFolder(flags.dataDir);
    if (request.type !== 'bootstrap' && request.type !== 'start') {
      throw new TswarmError('not_supported', `${request.type} is not supported yet`);
    }
    const identity = identityFor(flags, request);
    manager = new Manager({ ...flags, identity }, log);
    const ready = await manager.start(request);
    log.info('ready', { node: ready.nodeId, address: ready.controlAddress });
    await send(ready);
  } catch (error) {
    if (isStopping) return;
    const known = error instanceof TswarmError ? error : undefined;
    const message = messageOf(error);
    log.error('cannot start', { error: message, stack: known ? undefined : stackOf(error) });
    await send({
      type: 'failed',
      code: known?.code ?? 'internal',
      message,
      hint: known?.hint ?? '',
    });
    process.exit(MANAGER_EXIT.failed);
  }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
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
