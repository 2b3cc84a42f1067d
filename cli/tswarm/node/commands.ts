// Flags and help of tswarm node ls, inspect, ps, update, promote, demote, rm; docker's flags.
import type { Command } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';

type Options = Readonly<Record<string, never>>;

export function addNodeCommands(nodes: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./node.ts')> => import('./node.ts');
  nodes
    .command('ls')
    .alias('list')
    .description('List nodes')
    .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
    .option('--format <template>', 'table, json or a template')
    .option('-q, --quiet', 'only ids')
    .option('--json', 'one JSON object a line')
    .action(run(async (options: Options) => (await verbs()).ls(client(), options)));
  nodes
    .command('inspect <nodes...>')
    .description('Show everything about nodes (self = this one)')
    .option('-f, --format <template>', 'json or a template')
    .option('--pretty', 'for people')
    .action(
      run(async (names: string[], options: Options) =>
        (await verbs()).inspect(client(), names, options),
      ),
    );
  nodes
    .command('ps [nodes...]')
    .description('List the tasks on nodes (default: this one)')
    .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
    .option('--format <template>', 'table, json or a template')
    .option('--no-resolve', 'ids instead of names')
    .option('--no-trunc', 'do not cut')
    .option('-q, --quiet', 'only ids')
    .option('--json', 'one JSON object a line')
    .action(
      run(async (names: string[], options: Options) =>
        (await verbs()).ps(client(), names, options),
      ),
    );
  addChanges(nodes, { run, client });
}

function addChanges(nodes: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./change.ts')> => import('./change.ts');
  nodes
    .command('update <node>')
    .description('Change a node')
    .option('--availability <word>', 'active, pause or drain')
    .option('--role <role>', 'worker or manager')
    .option('--label-add <key=value>', 'add or change a label (repeatable)', collect)
    .option('--label-rm <key>', 'remove a label (repeatable)', collect)
    .action(
      run(async (name: string, options: Options) =>
        (await verbs()).update(client(), name, options),
      ),
    );
  nodes
    .command('promote <nodes...>')
    .description('Make nodes managers')
    .action(run(async (names: string[]) => (await verbs()).setRole(client(), names, 'manager')));
  nodes
    .command('demote <nodes...>')
    .description('Make managers workers')
    .action(run(async (names: string[]) => (await verbs()).setRole(client(), names, 'worker')));
  nodes
    .command('rm <nodes...>')
    .alias('remove')
    .description('Remove nodes from the cluster')
    .option('-f, --force', 'also one that is not down')
    .action(
      run(async (names: string[], options: Options) =>
        (await verbs()).rm(client(), names, options),
      ),
    );
}
