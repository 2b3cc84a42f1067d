// The program tswarmd: settings, host check, signals, exit codes. 0 stopped, 1 could not start (one sentence on stderr), 2 wrong usage, 70 a bug.
import './small-heap.ts';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '#protocol/errors';
import { createLog, nodeClock, nodeRandom } from '#protocol/transport/node-world';
import { TSWARM_VERSION } from '#protocol/version';
import { parseCommand } from './config.ts';
import { Daemon } from './daemon.ts';
import { checkHost, thisHost } from './preflight.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, bug: 70 } as const;

const HERE: string = dirname(fileURLToPath(import.meta.url));
const FROM_SOURCE: boolean = import.meta.url.endsWith('.ts');
/** Folder of package.json: one up from daemon/, two up from dist/daemon/. */
const ROOT: string = join(HERE, FROM_SOURCE ? '..' : '../..');

/** Runs the daemon until it is told to stop. @returns the exit code, or undefined while it runs. */
async function main(): Promise<number | undefined> {
  const version = TSWARM_VERSION;
  const nativeDir = join(ROOT, 'native/build');
  let command: ReturnType<typeof parseCommand>;
  try {
    command = parseCommand(process.argv.slice(2), process.env, { nativeDir, version });
  } catch (error) {
    return complain(error, EXIT.usage);
  }
  if (command.type === 'print') {
    process.stdout.write(command.text);
    return EXIT.ok;
  }
  const { config } = command;
  const log = createLog({ level: config.logLevel, format: config.logFormat });
  const daemon = new Daemon(config, {
    clock: nodeClock,
    random: nodeRandom,
    log,
    version,
    root: ROOT,
    managerScript: join(ROOT, FROM_SOURCE ? 'manager/main.ts' : 'dist/manager/main.js'),
  });
  process.on('uncaughtException', (error) => {
    log.error('bug: uncaught exception', { reason: error.message, stack: error.stack });
    process.exit(EXIT.bug);
  });
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info('stopping', { signal });
    daemon.stop().then(
      () => process.exit(EXIT.ok),
      (error: unknown) => process.exit(complain(error, EXIT.failed)),
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('SIGHUP', () => log.info('SIGHUP is ignored: restart to read settings again'));
  try {
    checkHost(thisHost(), config.nativeDir);
    await daemon.start();
  } catch (error) {
    return complain(error, EXIT.failed);
  }
  return undefined;
}

/** One line for the user. */
function complain(error: unknown, code: number): number {
  const hint = (error as { hint?: string } | null)?.hint;
  const message = messageOf(error).replace(/\.$/, '');
  process.stderr.write(`tswarmd: ${message}.${hint ? ` ${hint}` : ''}\n`);
  return code;
}

const code = await main();
if (code !== undefined) process.exit(code);
