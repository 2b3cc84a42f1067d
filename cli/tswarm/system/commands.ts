// Flags and help of tswarm system, and of events, which is also a command of its own.
import type { Command } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';

type Options = Readonly<Record<string, never>>;

const verbs = (): Promise<typeof import('./system.ts')> => import('./system.ts');

/** `events`, which is the same below `system`. */
export function addEventsCommand(parent: Command, { run, client }: CommandTools): void {
  parent
    .command('events')
    .description('Show what happens on this node and in the cluster')
    .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
    .option('--format <template>', 'json or a template')
    .option('--since <time>', 'from this time or age (10m)')
    .option('--until <time>', 'up to this time or age, then it ends')
    .option('--json', 'one JSON object a line')
    .action(run(async (options: Options) => (await verbs()).events(client(), options)));
}

/** `top`: of all nodes. */
export function addTopCommand(parent: Command, { run, client }: CommandTools): void {
  parent
    .command('top')
    .description('Show what services use of all nodes, busiest first')
    .option('--containers', 'a line for each container, with its node')
    .option('--stack <name>', 'only of this stack')
    .option('--service <name>', 'only of this service (repeatable)', collect)
    .option('--node <name>', 'only on this node (repeatable)', collect)
    .option('--format <template>', 'table, json or a template')
    .option('--json', 'one JSON object a line')
    .option('--no-stream', 'one picture')
    .action(run(async (options: Options) => (await import('./top.ts')).top(client(), options)));
}

export function addSystemCommands(system: Command, { run, client }: CommandTools): void {
  system
    .command('df')
    .description('Show what takes disk space')
    .option('--format <template>', 'table, json or a template')
    .option('--json', 'one JSON object a line')
    .action(
      run(async (options: Options) =>
        (await import('../image/image.ts')).diskUsage(client(), options),
      ),
    );
  addEventsCommand(system, { run, client });
  system
    .command('info')
    .description('Show what this node is and has')
    .option('-f, --format <template>', 'json or a template')
    .action(
      run(async (options: Options) =>
        (await import('../cluster/cluster.ts')).info(client(), options),
      ),
    );
  system
    .command('prune')
    .description('Remove what nothing uses on this node')
    .option('-a, --all', 'all images without a container, not only unnamed ones')
    .option('--volumes', 'anonymous volumes as well')
    .option('--filter <key=value>', 'only those (repeatable)', collect)
    .option('-f, --force', 'do not ask')
    .action(run(async (options: Options) => (await verbs()).prune(client(), options)));
}
