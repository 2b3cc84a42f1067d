// Flags and help of tswarm service ls, ps, inspect, logs, scale, rm; create, update and rollback are in spec-commands.ts; docker's flags.
import type { Command } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';

type Options = Readonly<Record<string, never>>;

export function addServiceCommands(services: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./service.ts')> => import('./service.ts');
  services
    .command('ls')
    .alias('list')
    .description('List services')
    .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
    .option('--format <template>', 'table, json or a template')
    .option('-q, --quiet', 'only ids')
    .option('--json', 'one JSON object a line')
    .action(run(async (options: Options) => (await verbs()).ls(client(), options)));
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
        (await verbs()).ps(client(), names, options),
      ),
    );
  services
    .command('inspect <services...>')
    .description('Show everything about services')
    .option('-f, --format <template>', 'json or a template')
    .option('--pretty', 'for people')
    .action(
      run(async (names: string[], options: Options) =>
        (await verbs()).inspect(client(), names, options),
      ),
    );
  services
    .command('logs <service|task>')
    .description('Show the logs of a service or of one task')
    .option('-f, --follow', 'go on with new lines')
    .option('-n, --tail <lines>', 'last lines of each task', 'all')
    .option('-t, --timestamps', 'with times')
    .option('--since <time>', 'from this time or age')
    .option('--details', 'with the labels and variables that the log options name')
    .option('--raw', 'only the lines')
    .option('--no-task-ids', 'without task ids')
    .option('--no-resolve', 'ids instead of names')
    .option('--no-trunc', 'whole ids')
    .action(
      run(async (name: string, options: Options) =>
        (await import('./logs.ts')).logs(client(), name, options),
      ),
    );
  services
    .command('scale <service=replicas...>')
    .description('Change the number of replicas')
    .option('-d, --detach', 'do not wait')
    .action(
      run(async (pairs: string[], options: Options) =>
        (await verbs()).scale(client(), pairs, options),
      ),
    );
  services
    .command('rebalance <services...>')
    .description('Move tasks to nodes that have fewer of the service')
    .option('-d, --detach', 'do not wait')
    .option('-q, --quiet', 'no progress')
    .action(
      run(async (names: string[], options: Options) =>
        (await import('./change.ts')).rebalance(client(), names, options),
      ),
    );
  services
    .command('rm <services...>')
    .alias('remove')
    .description('Remove services')
    .action(run(async (names: string[]) => (await verbs()).rm(client(), names)));
}
