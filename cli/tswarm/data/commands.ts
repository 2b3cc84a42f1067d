// Flags and help of tswarm secret, config and volume.
import type { Command } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';
import type { DataKind } from './data.ts';

type Options = Readonly<Record<string, never>>;

/** secret, or config: the same commands. */
export function addDataCommands(
  parent: Command,
  kind: DataKind,
  { run, client }: CommandTools,
): void {
  const verbs = (): Promise<typeof import('./data.ts')> => import('./data.ts');
  const create = parent
    .command('create <name> [file]')
    .description(`Create a ${kind} from a file, or from standard input (-)`)
    .option('-l, --label <key=value>', 'label (repeatable)', collect)
    .option('--template-driver <name>', 'golang: the content is a template');
  if (kind === 'secret') create.option('-d, --driver <name>', 'refused: secrets have their data');
  create.action(
    run(async (name: string, file: string | undefined, options: Options) =>
      (await verbs()).create(client(), kind, name, file, options),
    ),
  );
  addList(parent, `List ${kind}s`).action(
    run(async (options: Options) => (await verbs()).ls(client(), kind, options)),
  );
  parent
    .command('inspect <names...>')
    .description(`Show everything about ${kind}s${kind === 'secret' ? ', but their data' : ''}`)
    .option('-f, --format <template>', 'json or a template')
    .option('--pretty', 'for people')
    .action(
      run(async (names: string[], options: Options) =>
        (await verbs()).inspect(client(), kind, names, options),
      ),
    );
  parent
    .command('rm <names...>')
    .alias('remove')
    .description(`Remove ${kind}s that no service uses`)
    .action(run(async (names: string[]) => (await verbs()).rm(client(), kind, names)));
}

function addList(parent: Command, description: string): Command {
  return parent
    .command('ls')
    .alias('list')
    .description(description)
    .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
    .option('--format <template>', 'table, json or a template')
    .option('-q, --quiet', 'only ids or names')
    .option('--json', 'one JSON object a line');
}

export function addVolumeCommands(volumes: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./volumes.ts')> => import('./volumes.ts');
  volumes
    .command('create [name]')
    .description('Create a volume on this node')
    .option('-d, --driver <driver>', 'local')
    .option('-o, --opt <key=value>', 'option of the driver (repeatable)', collect)
    .option('--label <key=value>', 'label (repeatable)', collect)
    .action(
      run(async (name: string | undefined, options: Options) =>
        (await verbs()).create(client(), name, options),
      ),
    );
  addList(volumes, 'List volumes').action(
    run(async (options: Options) => (await verbs()).ls(client(), options)),
  );
  volumes
    .command('inspect <names...>')
    .description('Show everything about volumes')
    .option('-f, --format <template>', 'json or a template')
    .action(
      run(async (names: string[], options: Options) =>
        (await verbs()).inspect(client(), names, options),
      ),
    );
  volumes
    .command('rm <names...>')
    .alias('remove')
    .description('Remove volumes that no container uses, with their data')
    .option('-f, --force', 'no error for one that is not there')
    .action(
      run(async (names: string[], options: Options) =>
        (await verbs()).rm(client(), names, options),
      ),
    );
  volumes
    .command('prune')
    .description('Remove anonymous volumes that no container uses')
    .option('-a, --all', 'also those with a name')
    .option('--filter <key=value>', 'only those (repeatable)', collect)
    .option('-f, --force', 'do not ask')
    .action(run(async (options: Options) => (await verbs()).prune(client(), options)));
}
