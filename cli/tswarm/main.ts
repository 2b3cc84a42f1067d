// tswarm: the cluster's command line. This file is flags and help; each command's code is loaded when it is called.
import { Command } from 'commander';
import { addCompletion } from '../completion/command.ts';
import { addExamples } from '../help/examples.ts';
import { EXIT, reportFailure } from '../output/fail.ts';
import { runProgram } from '../run-program.ts';
import { addAccessCommands } from './access/commands.ts';
import {
  addBackupCommands,
  addClusterCommands,
  addDashboardCommand,
  addHistoryCommand,
} from './cluster/commands.ts';
import type { CommandTools } from './command-tools.ts';
import { addContainerCommands, addShortNames } from './container/commands.ts';
import { clientFor, type GlobalOptions } from './context.ts';
import { addDataCommands, addVolumeCommands } from './data/commands.ts';
import { EXAMPLES } from './examples.ts';
import { addImageCommands } from './image/commands.ts';
import { addNetworkCommands } from './network/commands.ts';
import { addNodeCommands } from './node/commands.ts';
import { addServiceCommands } from './service/commands.ts';
import { addSpecCommands } from './service/spec-commands.ts';
import { addStackCommands } from './stack/commands.ts';
import { addEventsCommand, addSystemCommands, addTopCommand } from './system/commands.ts';

type Options = Readonly<Record<string, never>>;

/** The tree of commands and flags. */
export const program: Command = new Command('tswarm')
  .description('A cluster of Linux hosts that runs containers and compose files.')
  .option(
    '-H, --host <socket>',
    'daemon to talk to: unix:///path (default: TSWARM_HOST or /run/tswarm/cluster.sock)',
  )
  .option('-c, --context <name>', 'cluster to talk to (tswarm context ls)')
  .option('--tlscacert <file>', 'with -H tcp://…: root certificate of the cluster')
  .option('--tlscert <file>', 'certificate of yours (tswarm client-cert create)')
  .option('--tlskey <file>', 'its key')
  .helpCommand(false)
  // What follows the image of "service create" belongs to the container, flags too.
  .enablePositionalOptions()
  .showSuggestionAfterError(true)
  .addHelpText(
    'after',
    `
Examples:
  tswarm init                     make this host the first manager
  tswarm service ls               what runs
  tswarm service ps web           the tasks of a service
  tswarm logs -f shop-web-1       what a container wrote, on any node
  tswarm why web                  why they do not run, and what would help
  tswarm dashboard                all of it in the browser
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

const tools: CommandTools = { run, client };
addClusterCommands(program, tools);
addBackupCommands(program, tools);
addDashboardCommand(program, tools);
addAccessCommands(program, tools);
addHistoryCommand(program, tools);
addClusterCommands(
  program.command('swarm').description('The same cluster commands under docker’s name'),
  tools,
);
addNodeCommands(program.command('node').description('Nodes'), tools);
addNetworkCommands(program.command('network').description('Networks'), tools);

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

addStackCommands(program.command('stack').description('Stacks of compose files'), tools);
addContainerCommands(
  program.command('container').description('Containers of all nodes').enablePositionalOptions(),
  tools,
);
addShortNames(program, tools);
addDataCommands(program.command('secret').description('Secrets'), 'secret', tools);
addDataCommands(program.command('config').description('Configs'), 'config', tools);
addVolumeCommands(program.command('volume').description('Volumes'), tools);

const services = program.command('service').description('Services').enablePositionalOptions();
addSpecCommands(services, tools);
addServiceCommands(services, tools);
program
  .command('why <name>')
  .description('Say why a service, a task (web.2, or its id) or a node is as it is')
  .option('--kind <kind>', 'service, task or node, where the name could be several')
  .option('-f, --format <format>', 'json: everything that is known')
  .action(
    run(async (name: string, options: Options) =>
      (await import('./why/why.ts')).why(client(), name, options),
    ),
  );

program
  .command('doctor')
  .description('Look for everything that can be wrong with this node, and say what to do')
  .option('--repair', 'take away what containers have left behind')
  .option('--json', 'all findings as JSON')
  .action(
    run(async (options: Options) => (await import('./doctor/doctor.ts')).doctor(client(), options)),
  );

addImageCommands(program.command('image').description('Images of this node'), tools);
addEventsCommand(program, tools);
addTopCommand(program, tools);
addSystemCommands(program.command('system').description('The node as a whole'), tools);

addCompletion(program, async (question) =>
  (await import('./completion-names.ts')).clusterNames(client(), question),
);

addExamples(program, EXAMPLES);

if (import.meta.main) await runProgram(program, EXIT.usage);
