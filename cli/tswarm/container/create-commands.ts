// Flags and help of tswarm container run, create, update, attach, cp, commit and export.
import type { Command } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';
import { UPDATE_FLAGS } from './create.ts';
import { CREATE_FLAGS } from './create-flags.ts';
import type { Flag } from './flag-setters.ts';

type Options = Readonly<Record<string, never>>;
type Names = readonly string[];

const KEYS = '--detach-keys <keys>';
const KEYS_HELP = 'keys that detach (default ctrl-p,ctrl-q)';

export function addCreateCommands(containers: Command, tools: CommandTools): void {
  addRuns(containers, tools);
  addJoins(containers, tools);
  addFiles(containers, tools);
}

/** What follows the image belongs to the container. */
function addRuns(containers: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./create.ts')> => import('./create.ts');
  const ran = withCreateFlags(containers.command('run <image> [command...]'))
    .description('Make a container of an image and start it; the exit code is its')
    .option('-d, --detach', 'do not wait for it; print its id')
    .option(KEYS, KEYS_HELP)
    .option('--sig-proxy', 'signals to us reach it (the default)', true)
    .option('--no-sig-proxy', 'do not pass signals on');
  ran.action(
    run(async (image: string, command: Names, options: Options) =>
      (await verbs()).run(client(), image, command, options),
    ),
  );
  withCreateFlags(containers.command('create <image> [command...]'))
    .description('Make a container of an image; print its id')
    .action(
      run(async (image: string, command: Names, options: Options) =>
        (await verbs()).create(client(), image, command, options),
      ),
    );
  withFlags(containers.command('update <containers...>'), UPDATE_FLAGS)
    .description('Change limits and restart policy of containers')
    .action(
      run(async (names: Names, options: Options) =>
        (await verbs()).update(client(), names, options),
      ),
    );
}

function withCreateFlags(command: Command): Command {
  return withFlags(command.passThroughOptions(), CREATE_FLAGS)
    .option('--name <name>', 'its name')
    .option('--network <network>', 'its network, host, none or container:NAME')
    .option('--env-file <file>', 'variables, one a line (repeatable)', collect)
    .option('-i, --interactive', 'with our standard input')
    .option('-t, --tty', 'with a terminal')
    .option('-a, --attach <stream>', 'only stdin, stdout or stderr (repeatable)', collect)
    .option('--rm', 'remove it when it has ended')
    .option('--cidfile <file>', 'write the id there')
    .option('--platform <platform>', 'os/arch')
    .option('--pull <policy>', 'always, missing (the default) or never')
    .option('-q, --quiet', 'no progress of a pull');
}

function withFlags(command: Command, flags: readonly Flag[]): Command {
  for (const { flags: written, help, isMany } of flags) {
    if (isMany) command.option(written, `${help} (repeatable)`, collect);
    else command.option(written, help);
  }
  return command;
}

function addJoins(containers: Command, { run, client }: CommandTools): void {
  containers
    .command('attach <container>')
    .description('Join this terminal to a running container')
    .option(KEYS, KEYS_HELP)
    .option('--no-stdin', 'only its output')
    .option('--sig-proxy', 'signals to us reach it (the default)', true)
    .option('--no-sig-proxy', 'do not pass signals on')
    .action(
      run(async (name: string, options: Options) =>
        (await import('./streams.ts')).attach(client(), name, options),
      ),
    );
  containers
    .command('start <containers...>')
    .description('Start containers')
    .option('-a, --attach', 'join it; the exit code is its')
    .option('-i, --interactive', 'join it with our standard input')
    .option(KEYS, KEYS_HELP)
    .action(
      run(async (names: Names, options: Options) =>
        (await import('./streams.ts')).start(client(), names, options),
      ),
    );
}

function addFiles(containers: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./files.ts')> => import('./files.ts');
  containers
    .command('cp <source> <destination>')
    .description('Copy files: CONTAINER:PATH PATH, or PATH CONTAINER:PATH; - is a tar stream')
    .option('-a, --archive', 'keep owners')
    .option('-L, --follow-link', 'copy what a symbolic link leads to')
    .option('-q, --quiet', 'accepted: there is no progress to show')
    .action(
      run(async (source: string, destination: string, options: Options) =>
        (await verbs()).cp(client(), source, destination, options),
      ),
    );
  containers
    .command('commit <container> [image]')
    .description('Make an image of a container, on its node')
    .option('-a, --author <name>', 'who made it')
    .option('-c, --change <instruction>', 'Dockerfile instruction (repeatable)', collect)
    .option('-m, --message <text>', 'what for')
    .option('-p, --pause', 'freeze its processes meanwhile (the default)', true)
    .option('--no-pause', 'let its processes go on meanwhile')
    .action(
      run(async (name: string, image: string | undefined, options: Options) =>
        (await verbs()).commit(client(), name, image, options),
      ),
    );
  containers
    .command('export <container>')
    .description('Write a container’s root file system as a tar archive')
    .option('-o, --output <file>', 'to a file')
    .action(
      run(async (name: string, options: Options) =>
        (await verbs()).exportTo(client(), name, options),
      ),
    );
}
