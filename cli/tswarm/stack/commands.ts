// Flags and help of tswarm stack.
import type { Command } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';

type Options = Readonly<Record<string, never>>;

export function addStackCommands(stacks: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./stack.ts')> => import('./stack.ts');
  stacks
    .command('deploy <stack>')
    .alias('up')
    .description('Deploy a compose file, or change a stack to what it says')
    .option('-c, --compose-file <file>', 'compose file (repeatable; - is standard input)', collect)
    .option('--prune', 'remove services that the file no longer has')
    .option('-d, --detach', 'do not wait until everything runs (the default)')
    .option('--no-detach', 'wait until everything runs')
    .option('-q, --quiet', 'no progress')
    .action(
      run(async (name: string, options: Options) =>
        (await verbs()).deploy(client(), name, options),
      ),
    );
  stacks
    .command('config')
    .description('Show a compose file as it would be deployed')
    .option('-c, --compose-file <file>', 'compose file (repeatable; - is standard input)', collect)
    .option('--skip-interpolation', 'leave variables as they are')
    .action(run(async (options: Options) => (await verbs()).config(client(), options)));
  stacks
    .command('ls')
    .alias('list')
    .description('List stacks')
    .option('--format <template>', 'table, json or a template')
    .option('--json', 'one JSON object a line')
    .action(run(async (options: Options) => (await verbs()).ls(client(), options)));
  stacks
    .command('ps <stack>')
    .description('List the tasks of a stack')
    .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
    .option('--format <template>', 'table, json or a template')
    .option('--json', 'one JSON object a line')
    .option('--no-resolve', 'ids of nodes instead of names')
    .option('--no-trunc', 'whole texts')
    .option('-q, --quiet', 'only ids')
    .action(
      run(async (name: string, options: Options) => (await verbs()).ps(client(), name, options)),
    );
  stacks
    .command('services <stack>')
    .description('List the services of a stack')
    .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
    .option('--format <template>', 'table, json or a template')
    .option('--json', 'one JSON object a line')
    .option('-q, --quiet', 'only ids')
    .action(
      run(async (name: string, options: Options) =>
        (await verbs()).services(client(), name, options),
      ),
    );
  stacks
    .command('rollback <stack>')
    .description('Take all services of a stack back to what they were before its last change')
    .option('--to <version>', 'a version from --list, instead of the newest')
    .option('--list', 'show the versions that are kept')
    .option('--dry-run', 'show what would change, and change nothing')
    .option('-d, --detach', 'do not wait until it is done (the default)')
    .option('--no-detach', 'wait until it is done')
    .option('-q, --quiet', 'no progress')
    .action(
      run(async (name: string, options: Options) =>
        (await import('./rollback.ts')).rollback(client(), name, options),
      ),
    );
  stacks
    .command('rm <stacks...>')
    .alias('down')
    .alias('remove')
    .description('Remove stacks; volumes stay')
    .option('-d, --detach', 'do not wait until the containers are gone (the default)')
    .option('--no-detach', 'wait until the containers are gone')
    .action(
      run(async (names: string[], options: Options) =>
        (await verbs()).rm(client(), names, options),
      ),
    );
}
