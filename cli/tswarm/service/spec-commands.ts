// Flags and help of tswarm service create, update and rollback. The flags that change a specification come from spec-flags.ts and spec-lists.ts; here are those
// that say what to do with it.
import type { Command } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';
import { REPEATED_FLAGS, SCALAR_FLAGS } from './spec-flags.ts';
import { LIST_FLAGS } from './spec-lists.ts';

type Options = Readonly<Record<string, never>>;

const SHORT: Readonly<Record<string, string>> = {
  user: '-u, ',
  workdir: '-w, ',
  tty: '-t, ',
  env: '-e, ',
  label: '-l, ',
  publish: '-p, ',
};

/** What docker has under another name on update, or not at all. */
const LIST_HELP: Readonly<Record<string, string>> = {
  mount: 'type=volume,source=data,target=/data',
  publish: '8080:80, or published=8080,target=80,mode=host',
  network: 'name, or name=front,alias=web',
  secret: 'name, or source=name,target=file,mode=0440',
  config: 'name, or source=name,target=/file',
  constraint: 'node.labels.disk==ssd',
  'placement-pref': 'spread=node.labels.zone',
  ulimit: 'nofile=1024:2048',
  'generic-resource': 'GPU=1',
  host: 'name:address',
  device: '/dev/fuse[:/dev/fuse[:rwm]]',
};

function addSpecFlags(command: Command, kind: 'create' | 'update'): void {
  for (const { flag, value, help } of SCALAR_FLAGS) {
    const short = kind === 'create' || flag !== 'tty' ? (SHORT[flag] ?? '') : '-t, ';
    command.option(`${short}--${flag}${value === '' ? '' : ` ${value}`}`, help);
  }
  for (const flag of LIST_FLAGS) {
    const help = `${LIST_HELP[flag] ?? flag.replaceAll('-', ' ')} (repeatable)`;
    if (kind === 'create') {
      command.option(`${SHORT[flag] ?? ''}--${flag} <value>`, help, collect);
    } else {
      command.option(`--${flag}-add <value>`, `add or change: ${help}`, collect);
      command.option(`--${flag}-rm <value>`, 'remove (repeatable)', collect);
    }
  }
  for (const flag of REPEATED_FLAGS) {
    command.option(`--${flag} <value>`, `${flag.replaceAll('-', ' ')} (repeatable)`, collect);
  }
  command
    .option('-d, --detach', 'do not wait until it is done')
    .option('-q, --quiet', 'no progress')
    .option('--no-resolve-image', 'do not pin the image to its digest')
    .option('--with-registry-auth', 'pull with the credentials of this client');
}

export function addSpecCommands(services: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./change.ts')> => import('./change.ts');
  const create = services
    .command('create <image> [command...]')
    .description('Create a service')
    .option('--name <name>', 'name of the service')
    .option('--mode <mode>', 'replicated, global, replicated-job or global-job')
    .option('--replicas <number>', 'number of tasks')
    .option('--max-concurrent <number>', 'tasks of a job at once')
    .option('--env-file <file>', 'variables from a file (repeatable)', collect)
    .passThroughOptions()
    .action(
      run(async (image: string, command: string[], options: Options) =>
        (await verbs()).create(client(), { image, command }, options),
      ),
    );
  addSpecFlags(create, 'create');
  const update = services
    .command('update <service>')
    .description('Change a service; its tasks are replaced as --update-* say')
    .option('--image <image>', 'another image')
    .option('--args <command>', 'another command')
    .option('--replicas <number>', 'number of tasks')
    .option('--max-concurrent <number>', 'tasks of a job at once')
    .option('--force', 'replace the tasks although nothing has changed')
    .option('--rollback', 'go back to the specification before')
    .option('--pause', 'halt the update that is under way')
    .option('--resume', 'go on with an update that is paused')
    .action(
      run(async (name: string, options: Options) =>
        (await verbs()).update(client(), name, options),
      ),
    );
  addSpecFlags(update, 'update');
  services
    .command('rollback <service>')
    .description('Go back to an earlier specification')
    .option('--to <revision>', 'a revision from --list, instead of the one before')
    .option('--list', 'show the revisions that are kept')
    .option('-d, --detach', 'do not wait until it is done')
    .option('-q, --quiet', 'no progress')
    .action(
      run(async (name: string, options: Options) =>
        (await verbs()).rollback(client(), name, options),
      ),
    );
}
