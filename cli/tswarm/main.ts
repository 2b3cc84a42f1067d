// tswarm: the cluster's command line. This file is flags and help; each command's code is loaded when it is called.
import { Command } from 'commander';
import { EXIT, reportFailure } from '../output/fail.ts';
import { runProgram } from '../run-program.ts';
import { addBackupCommands, addClusterCommands } from './cluster/commands.ts';
import { type CommandTools, collect } from './command-tools.ts';
import { clientFor, type GlobalOptions } from './context.ts';
import { addNodeCommands } from './node/commands.ts';

type Options = Readonly<Record<string, never>>;

/** The tree of commands and flags. */
export const program: Command = new Command('tswarm')
  .description('A cluster of Linux hosts that runs containers and compose files.')
  .option(
    '-H, --host <socket>',
    'daemon to talk to: unix:///path (default: TSWARM_HOST or /run/tswarm/cluster.sock)',
  )
  .helpCommand(false)
  .showSuggestionAfterError(true)
  .addHelpText(
    'after',
    `
Examples:
  tswarm init                     make this host the first manager
  tswarm service ls               what runs
  tswarm service ps web           the tasks of a service, and why they wait
  tswarm image load -i web.tar    an image from a file
Compose files are deployed with "tcompose up".`,
  );

const client = (): ReturnType<typeof clientFor> => clientFor(program.opts<GlobalOptions>());

function run(verb: (...args: never[]) => Promise<number>): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    process.exitCode = await verb(...(args as never[])).catch(reportFailure);
  };
}

const cluster = (): Promise<typeof import('./cluster/cluster.ts')> =>
  import('./cluster/cluster.ts');
const service = (): Promise<typeof import('./service/service.ts')> =>
  import('./service/service.ts');
const image = (): Promise<typeof import('./image/image.ts')> => import('./image/image.ts');

const tools: CommandTools = { run, client };
addClusterCommands(program, tools);
addBackupCommands(program, tools);
addClusterCommands(
  program.command('swarm').description('The same cluster commands under docker’s name'),
  tools,
);
addNodeCommands(program.command('node').description('Nodes'), tools);

program
  .command('info')
  .description('Show what this node is and has')
  .option('-f, --format <template>', 'json or a template')
  .action(run(async (options: Options) => (await cluster()).info(client(), options)));
program
  .command('version')
  .description('Show the versions of client and server')
  .option('-f, --format <template>', 'json or a template')
  .action(run(async (options: Options) => (await cluster()).version(client(), options)));

const services = program.command('service').description('Services');
services
  .command('ls')
  .alias('list')
  .description('List services')
  .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
  .option('--format <template>', 'table, json or a template')
  .option('-q, --quiet', 'only ids')
  .option('--json', 'one JSON object a line')
  .action(run(async (options: Options) => (await service()).ls(client(), options)));
services
  .command('ps <services...>')
  .description('List the tasks of services')
  .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
  .option('--format <template>', 'table, json or a template')
  .option('--no-resolve', 'ids instead of node names')
  .option('--no-trunc', 'do not cut')
  .option('-q, --quiet', 'only ids')
  .option('--json', 'one JSON object a line')
  .action(
    run(async (names: string[], options: Options) =>
      (await service()).ps(client(), names, options),
    ),
  );
services
  .command('inspect <services...>')
  .description('Show everything about services')
  .option('-f, --format <template>', 'json or a template')
  .action(
    run(async (names: string[], options: Options) =>
      (await service()).inspect(client(), names, options),
    ),
  );
services
  .command('logs <service>')
  .description('Show the logs of a service')
  .option('-f, --follow', 'go on with new lines')
  .option('-n, --tail <lines>', 'last lines of each task', 'all')
  .option('-t, --timestamps', 'with times')
  .option('--since <time>', 'from this time or age')
  .option('--raw', 'only the lines')
  .option('--no-task-ids', 'without task ids')
  .action(
    run(async (name: string, options: Options) =>
      (await import('./service/logs.ts')).logs(client(), name, options),
    ),
  );
services
  .command('scale <service=replicas...>')
  .description('Change the number of replicas')
  .option('-d, --detach', 'do not wait')
  .action(
    run(async (pairs: string[], options: Options) =>
      (await service()).scale(client(), pairs, options),
    ),
  );
services
  .command('rm <services...>')
  .alias('remove')
  .description('Remove services')
  .action(run(async (names: string[]) => (await service()).rm(client(), names)));

const images = program.command('image').description('Images of this node');
images
  .command('ls')
  .alias('list')
  .description('List images')
  .option('-a, --all', 'also unnamed ones')
  .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
  .option('--format <template>', 'table, json or a template')
  .option('-q, --quiet', 'only ids')
  .option('--json', 'one JSON object a line')
  .action(run(async (options: Options) => (await image()).ls(client(), options)));
images
  .command('pull <image>')
  .description('Pull an image from a registry')
  .option('--platform <platform>', 'os/arch')
  .option('-q, --quiet', 'no progress')
  .action(
    run(async (name: string, options: Options) => (await image()).pull(client(), name, options)),
  );
images
  .command('load')
  .description('Load images from an archive (docker save, OCI layout)')
  .option('-i, --input <file>', 'file instead of standard input')
  .option('-q, --quiet', 'no progress')
  .action(run(async (options: Options) => (await image()).load(client(), options)));
images
  .command('import <file> [image]')
  .description('Make an image from a root file system (tar; - is standard input)')
  .option('-c, --change <instruction>', 'Dockerfile instruction (repeatable)', collect)
  .option('-m, --message <text>', 'message for the history')
  .action(
    run(async (file: string, reference: string | undefined, options: Options) =>
      (await image()).importImage(client(), file, reference, options),
    ),
  );
images
  .command('rm <images...>')
  .alias('remove')
  .description('Remove images')
  .option('-f, --force', 'also when a stopped container uses it')
  .action(
    run(async (names: string[], options: Options) => (await image()).rm(client(), names, options)),
  );

program
  .command('system')
  .description('The node as a whole')
  .command('df')
  .description('Show what takes disk space')
  .action(run(async () => (await image()).diskUsage(client())));

if (import.meta.main) await runProgram(program, EXIT.usage);
