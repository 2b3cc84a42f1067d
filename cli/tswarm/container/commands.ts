// Flags and help of tswarm container, and of ps, logs and exec, which are the same under docker's short names.
import { type Command, Option } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';
import { addCreateCommands } from './create-commands.ts';

type Options = Readonly<Record<string, never>>;
type Names = readonly string[];

export function addContainerCommands(containers: Command, tools: CommandTools): void {
  addViews(containers, tools);
  addStreams(containers, tools);
  addStates(containers, tools);
  addRemovals(containers, tools);
  addCreateCommands(containers, tools);
}

/** What people type all day, without the word in between. */
export function addShortNames(program: Command, tools: CommandTools): void {
  addList(program.command('ps'), tools);
  addLogs(program, tools);
  addExec(program, tools);
}

function addList(list: Command, { run, client }: CommandTools): void {
  list
    .description('List containers, of all nodes')
    .option('-a, --all', 'also those that do not run')
    .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
    .option('--format <template>', 'table, json or a template')
    .option('-n, --last <count>', 'the last that were created, in any state')
    .option('-l, --latest', 'the very last one')
    .option('--no-trunc', 'whole ids and commands')
    .option('-q, --quiet', 'only ids')
    .option('-s, --size', 'what they take on the disk')
    .option('--json', 'one JSON object a line')
    .action(
      run(async (options: Options) => (await import('./containers.ts')).ls(client(), options)),
    );
}

function addViews(containers: Command, tools: CommandTools): void {
  const { run, client } = tools;
  const verbs = (): Promise<typeof import('./containers.ts')> => import('./containers.ts');
  addList(containers.command('ls').alias('list').alias('ps'), tools);
  containers
    .command('inspect <containers...>')
    .description('Show everything about containers')
    .option('-f, --format <template>', 'json or a template')
    .option('-s, --size', 'also what they take on the disk')
    .action(
      run(async (names: Names, options: Options) =>
        (await verbs()).inspect(client(), names, options),
      ),
    );
  containers
    .command('top <container> [flags...]')
    .description('Show the processes; FLAGS are those of ps')
    .passThroughOptions()
    .action(run(async (name: string, flags: Names) => (await verbs()).top(client(), name, flags)));
  containers
    .command('port <container> [port]')
    .description('Show published ports')
    .action(
      run(async (name: string, port: string | undefined) =>
        (await verbs()).port(client(), name, port),
      ),
    );
  containers
    .command('diff <container>')
    .description('Show what differs from the image')
    .action(run(async (name: string) => (await verbs()).diff(client(), name)));
}

const streams = (): Promise<typeof import('./streams.ts')> => import('./streams.ts');

function addLogs(parent: Command, { run, client }: CommandTools): void {
  parent
    .command('logs <container>')
    .description('Show what a container wrote')
    .option('-f, --follow', 'go on with what comes')
    .option('-n, --tail <lines>', 'lines from the end, or all')
    .option('--since <time>', 'from this time or age (10m)')
    .option('--until <time>', 'up to this time or age')
    .option('-t, --timestamps', 'with the time of each line')
    .option('--details', 'with labels and variables that the log options name')
    .action(
      run(async (name: string, options: Options) =>
        (await streams()).logs(client(), name, options),
      ),
    );
}

function addExec(parent: Command, { run, client }: CommandTools): void {
  parent
    .command('exec <container> <command> [arguments...]')
    .description('Run a command in a container; the exit code is its')
    .passThroughOptions()
    .option('-d, --detach', 'do not wait for it')
    .option('-e, --env <name=value>', 'variable (repeatable)', collect)
    .option('-i, --interactive', 'with our standard input')
    .option('-t, --tty', 'with a terminal')
    .option('-u, --user <user>', 'as name or number, with :group')
    .option('-w, --workdir <folder>', 'in this folder')
    .option('--privileged', 'with all capabilities')
    .option('--env-file <file>', 'variables, one a line (repeatable)', collect)
    .option('--detach-keys <keys>', 'keys that detach (default ctrl-p,ctrl-q)')
    .action(
      run(async (name: string, command: string, rest: Names, options: Options) =>
        (await streams()).exec(client(), name, [command, ...rest], options),
      ),
    );
}

function addStreams(containers: Command, tools: CommandTools): void {
  const { run, client } = tools;
  addLogs(containers, tools);
  addExec(containers, tools);
  containers
    .command('stats [containers...]')
    .description('Show what containers use')
    .option('-a, --all', 'also those that do not run')
    .option('--format <template>', 'table, json or a template')
    .option('--no-stream', 'one picture')
    .option('--no-trunc', 'whole ids')
    .action(
      run(async (names: Names, options: Options) =>
        (await streams()).stats(client(), names, options),
      ),
    );
}

function addStates(containers: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./containers.ts')> => import('./containers.ts');
  for (const verb of ['stop', 'restart'] as const) {
    containers
      .command(`${verb} <containers...>`)
      .description(verb === 'stop' ? 'Stop containers' : 'Stop and start containers')
      .option('-t, --timeout <seconds>', 'before it is killed')
      .addOption(new Option('--time <seconds>', 'the name before docker 28').hideHelp())
      .option('-s, --signal <signal>', 'instead of the one of the image')
      .action(
        run(async (names: Names, options: Options) =>
          (await verbs()).stop(client(), verb, names, options),
        ),
      );
  }
  for (const [verb, text] of [
    ['pause', 'Freeze containers'],
    ['unpause', 'Let frozen containers go on'],
    ['wait', 'Wait until containers end, and print their exit codes'],
  ] as const) {
    containers
      .command(`${verb} <containers...>`)
      .description(text)
      .action(run(async (names: Names) => (await verbs())[verb](client(), names)));
  }
  containers
    .command('kill <containers...>')
    .description('Send a signal to containers')
    .option('-s, --signal <signal>', 'which one (default KILL)')
    .action(
      run(async (names: Names, options: Options) => (await verbs()).kill(client(), names, options)),
    );
  containers
    .command('rename <container> <name>')
    .description('Give a container another name')
    .action(
      run(async (name: string, next: string) => (await verbs()).rename(client(), name, next)),
    );
}

function addRemovals(containers: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./containers.ts')> => import('./containers.ts');
  containers
    .command('rm <containers...>')
    .alias('remove')
    .description('Remove containers')
    .option('-f, --force', 'also running ones')
    .option('-v, --volumes', 'their anonymous volumes as well')
    .action(
      run(async (names: Names, options: Options) => (await verbs()).rm(client(), names, options)),
    );
  containers
    .command('prune')
    .description('Remove all stopped containers of this node')
    .option('-f, --force', 'do not ask')
    .option('--filter <key=value>', 'only those (repeatable)', collect)
    .action(run(async (options: Options) => (await verbs()).prune(client(), options)));
}
