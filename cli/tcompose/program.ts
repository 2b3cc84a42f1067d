// tcompose: compose files on a tswarm cluster. This file is the command line: flags, help, which verb; each verb is loaded when it is called, so
// that `tcompose version` starts as little as possible.
import { Command, Option } from 'commander';
import { addCompletion } from '../completion/command.ts';
import { addExamples } from '../help/examples.ts';
import { EXIT, reportFailure } from '../output/fail.ts';
import { chooseColours } from '../output/style.ts';
import { runProgram } from '../run-program.ts';
import { VERSION } from '../version.ts';
import { addConfig } from './config-command.ts';
import { addContainerCommands } from './container-commands.ts';
import type { GlobalOptions } from './context.ts';
import { addDeployCommands } from './deploy-commands.ts';
import { EXAMPLES } from './examples.ts';
import { addImageCommands, type ComposeTools, TIMEOUT_HELP } from './image-commands.ts';
import { addRefused } from './refused.ts';

type Options = Readonly<Record<string, unknown>>;

const collect = (value: string, list: readonly string[] = []): string[] => [...list, value];

/** A flag that still works under the name that it once had. */
function oldName(option: Option, attribute: string): Option {
  option.attributeName = () => attribute;
  return option.hideHelp();
}

/** The tree of commands and flags. */
export const program: Command = new Command('tcompose')
  .description('Define and run applications with compose files, on one host or on a cluster.')
  .option('-f, --file <path>', 'compose file (repeatable; - is standard input)', collect)
  .option('-p, --project-name <name>', 'project name')
  .option('--profile <name>', 'activate a profile (repeatable)', collect)
  .option('--env-file <path>', 'environment file (repeatable)', collect)
  .option('--project-directory <path>', 'working directory of the project')
  .addOption(oldName(new Option('--workdir <path>', 'the same'), 'projectDirectory'))
  .option(
    '-H, --host <socket>',
    'daemon to talk to: unix:///path (default: TSWARM_HOST or /run/tswarm/cluster.sock)',
  )
  .option('-c, --context <name>', 'cluster to talk to (tswarm context ls)')
  .option('--dry-run', 'show what a command would do, and do nothing')
  .option('--parallel <n>', 'most images that are pulled or built at a time; -1 = all')
  .option('--compatibility', 'container and image names with underscores')
  .option('--all-resources', 'also networks, volumes, configs and secrets that no service uses')
  .addOption(
    new Option('--progress <mode>', 'how progress is shown')
      .choices(['auto', 'tty', 'plain', 'json', 'quiet'])
      .default('auto')
      .env('COMPOSE_PROGRESS'),
  )
  .addOption(
    new Option('--ansi <when>', 'colours and redrawing')
      .choices(['never', 'always', 'auto'])
      .default('auto')
      .env('COMPOSE_ANSI'),
  )
  .addOption(new Option('--no-ansi', '--ansi never under its old name').hideHelp())
  .addOption(new Option('--verbose', 'nothing more is said').hideHelp())
  .version(`tcompose version ${VERSION}`, '-v, --version', 'the version')
  .helpCommand(false)
  .enablePositionalOptions()
  .showSuggestionAfterError(true)
  .addHelpText(
    'after',
    `
Examples:
  tcompose up -d                 start everything in the background
  tcompose logs -f web           follow one service
  tcompose exec web sh           a shell in a container
  tcompose up -d --scale web=3   three replicas
  tcompose down -v               remove everything, volumes too`,
  );

program.hook('preAction', (_program, command) => {
  const { ansi, dryRun } = program.opts<GlobalOptions>();
  chooseColours(ansi === false ? 'never' : (ansi ?? 'auto'));
  const verb = command.name();
  if (dryRun !== true || [CHANGES_NOTHING, CAN_PLAN, CAN_TRY].some((set) => set.has(verb))) return;
  // What cannot be tried out must not be done by mistake.
  program.error(
    `error: --dry-run: "${verb}" cannot be tried out; "tcompose plan" shows what up would do`,
  );
});

/** Commands that only look: `--dry-run` is nothing new to them. */
const CHANGES_NOTHING: ReadonlySet<string> = new Set([
  'check',
  'completion',
  '__complete',
  'config',
  'diff',
  'events',
  'images',
  'logs',
  'ls',
  'plan',
  'port',
  'ps',
  'stats',
  'top',
  'version',
  'volumes',
]);

/** Commands that come to one deployment. */
const CAN_PLAN: ReadonlySet<string> = new Set(['up', 'create', 'scale']);

/** Commands that say what they would do to which containers and images: dry-run.ts. */
const CAN_TRY: ReadonlySet<string> = new Set([
  'build',
  'down',
  'kill',
  'pause',
  'pull',
  'push',
  'restart',
  'rm',
  'start',
  'stop',
  'unpause',
]);

async function context(): Promise<import('./context.ts').ComposeContext> {
  const [{ ComposeContext }, { ApiClient }, { resolveEndpoint }] = await Promise.all([
    import('./context.ts'),
    import('../client/http.ts'),
    import('../client/endpoint.ts'),
  ]);
  const options = program.opts<GlobalOptions>();
  return new ComposeContext(options, new ApiClient(resolveEndpoint(options, process.env)));
}

/** For verbs that only read files. */
async function localContext(): Promise<import('./context.ts').ComposeContext> {
  const { ComposeContext } = await import('./context.ts');
  return new ComposeContext(program.opts<GlobalOptions>());
}

/** Runs a verb and leaves with its exit code. */
function run(verb: (...args: never[]) => Promise<number>): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    process.exitCode = await verb(...(args as never[])).catch(reportFailure);
  };
}

/** A verb of CAN_TRY: what it does, or with `--dry-run` what it would do. */
function acting<Given extends object>(
  verb: import('./dry-run.ts').TriedVerb,
  act: (
    context: import('./context.ts').ComposeContext,
    keys: string[],
    options: Given,
  ) => Promise<number>,
): (...args: unknown[]) => Promise<void> {
  return run(async (keys: string[], options: Given) => {
    if (!program.opts<GlobalOptions>().dryRun) return act(await context(), keys, options);
    return (await import('./dry-run.ts')).tryOut(await context(), verb, keys, options);
  });
}

const tools: ComposeTools = { run, acting, context, localContext, collect };

addDeployCommands(program, tools);

program
  .command('check')
  .description('Show what of these files other tools would ignore, and what tswarm refuses')
  .option('--target <tool>', 'compose, swarm, podman or kompose (repeatable; default all)', collect)
  .option('--format <format>', 'text or json', 'text')
  .option('--detailed-exitcode', 'exit code 2 when one of the tools would not do all of it')
  .action(
    run(async (options: Options) =>
      (await import('./check.ts')).check(await localContext(), options),
    ),
  );

program
  .command('down [services...]')
  .description('Stop and remove containers and networks, or only those of the named services')
  .option('-v, --volumes', 'remove named volumes too')
  .option('--rmi <which>', 'remove images: local or all')
  .option('--remove-orphans', 'also services that are no longer in the file (they always go)')
  .option('-t, --timeout <seconds>', TIMEOUT_HELP)
  .action(
    acting('down', async (context, services, options) =>
      (await import('./down.ts')).down(context, services, options),
    ),
  );

program
  .command('ps [services...]')
  .description('List containers')
  .option('-a, --all', 'also stopped ones')
  .option('-q, --quiet', 'only ids')
  .option('--services', 'only service names')
  .option('--status <state>', 'only in this state, such as exited (repeatable)', collect)
  .option('--filter <status=state>', 'the same in other words (repeatable)', collect)
  .option('--no-orphans', 'without services that are no longer in the file')
  .option('--format <format>', 'table, json or a template', 'table')
  .option('--no-trunc', 'do not cut')
  .action(
    run(async (services: string[], options: Options) =>
      (await import('./ps.ts')).ps(await context(), services, options),
    ),
  );

program
  .command('logs [services...]')
  .description('Show logs')
  .option('-f, --follow', 'go on with new lines')
  .option('-n, --tail <lines>', 'last lines of each container', 'all')
  .option('-t, --timestamps', 'with times')
  .option('--since <time>', 'from this time or age (10m)')
  .option('--until <time>', 'up to this time or age')
  .option('--index <n>', 'only the container with this number')
  .option('--no-color', 'without colours')
  .option('--no-log-prefix', 'no container names before log lines')
  .action(
    run(async (services: string[], options: Options) => {
      if (options.color === false) chooseColours('never');
      const composeContext = await context();
      const [{ projectName }, { showLogs }] = await Promise.all([
        import('./known-project.ts'),
        import('./logs.ts'),
      ]);
      const stack = await projectName(composeContext, services);
      await showLogs(composeContext, {
        stack,
        services,
        follow: options.follow === true,
        tail: String(options.tail),
        prefix: options.logPrefix !== false,
        timestamps: options.timestamps === true,
        ...(typeof options.index === 'string' ? { index: options.index } : {}),
        ...(typeof options.since === 'string' ? { since: options.since } : {}),
        ...(typeof options.until === 'string' ? { until: options.until } : {}),
      });
      return EXIT.ok;
    }),
  );

program
  .command('exec <service> <command...>')
  .description('Run a command in a running container')
  .passThroughOptions()
  .option('-d, --detach', 'in the background')
  .option('-e, --env <key=value>', 'environment (repeatable)', collect)
  .option('-u, --user <user>', 'as this user')
  .option('-w, --workdir <path>', 'in this folder')
  .option('-T, --no-tty', 'without a terminal')
  .addOption(oldName(new Option('--no-TTY', 'the same'), 'tty'))
  .option('--privileged', 'with all capabilities')
  .option('--index <n>', 'number of the container')
  .action(
    run(async (service: string, command: string[], options: Options) =>
      (await import('./exec.ts')).exec(await context(), service, command, options),
    ),
  );

program
  .command('run <service> [command...]')
  .description('Run one command in a new container of a service')
  .passThroughOptions()
  .option('-d, --detach', 'in the background')
  .option('--rm', 'remove the container when it ends')
  .option('--name <name>', 'name of the container')
  .option('--entrypoint <command>', 'instead of the image’s entrypoint')
  .option('-e, --env <key=value>', 'environment (repeatable)', collect)
  .option('-l, --label <key=value>', 'label (repeatable)', collect)
  .option('-u, --user <user>', 'as this user')
  .option('-w, --workdir <path>', 'in this folder')
  .option('-v, --volume <mount>', 'mount (repeatable)', collect)
  .option('-p, --publish <port>', 'publish a port (repeatable)', collect)
  .option('-P, --service-ports', 'publish the service’s ports')
  .option('--use-aliases', 'found under the service’s names')
  .option('--cap-add <capability>', 'more rights (repeatable)', collect)
  .option('--cap-drop <capability>', 'fewer rights (repeatable)', collect)
  .option('--no-deps', 'without the services it depends on')
  .option('--env-from-file <path>', 'environment from a file (repeatable)', collect)
  .option('--build', 'build images first')
  .option('--pull <policy>', 'always, missing or never')
  .option('-q, --quiet', 'no progress')
  .option('--quiet-pull', 'no progress of pulls')
  .option('--quiet-build', 'no progress of builds')
  .option('--remove-orphans', 'remove services that are no longer in the file')
  .option('-T, --no-tty', 'without a terminal')
  .addOption(oldName(new Option('--no-TTY', 'the same'), 'tty'))
  .option('-i, --interactive', 'with input (the default)', true)
  .option('--no-interactive', 'without input')
  .action(
    run(async (service: string, command: string[], options: Options) =>
      (await import('./run.ts')).run(await context(), service, command, options),
    ),
  );

addConfig(program, tools);

for (const [verb, state, text] of [
  ['stop', 'stopped', 'Stop containers and keep them'],
  ['start', 'running', 'Start stopped containers'],
  ['pause', 'paused', 'Freeze containers'],
] as const) {
  const command = program.command(`${verb} [services...]`).description(text);
  if (verb === 'stop') command.option('-t, --timeout <seconds>', TIMEOUT_HELP);
  if (verb === 'start')
    command
      .option('--wait', 'wait until all are running or healthy')
      .option('--wait-timeout <seconds>', 'give up waiting after this time');
  command.action(
    acting(verb, async (context, services, options) =>
      (await import('./run-state.ts')).changeRunState(context, services, state, options),
    ),
  );
}

program
  .command('unpause [services...]')
  .description('Let frozen containers go on')
  .action(
    acting('unpause', async (context, services) =>
      (await import('./run-state.ts')).unpause(context, services),
    ),
  );

program
  .command('restart [services...]')
  .description('Restart containers')
  .option('-t, --timeout <seconds>', TIMEOUT_HELP)
  .option('--no-deps', 'not those that depend on them with restart: true')
  .action(
    acting('restart', async (context, services, options) =>
      (await import('./run-state.ts')).restart(context, services, options),
    ),
  );

program
  .command('rm [services...]')
  .description('Remove stopped services')
  .option('-f, --force', 'do not ask')
  .option('-s, --stop', 'stop them first')
  .option('-v, --volumes', 'remove anonymous volumes too (they always go)')
  .addOption(new Option('-a, --all', 'no effect, as with docker compose').hideHelp())
  .action(
    acting('rm', async (context, services, options) =>
      (await import('./other.ts')).rm(context, services, options),
    ),
  );

program
  .command('kill [services...]')
  .description('Send a signal to containers')
  .option('-s, --signal <signal>', 'signal', 'SIGKILL')
  .option('--remove-orphans', 'remove services that are no longer in the file')
  .action(
    acting('kill', async (context, services, options) =>
      (await import('./other.ts')).kill(context, services, options),
    ),
  );

addImageCommands(program, tools);

addContainerCommands(program, tools);

program
  .command('ls')
  .description('List projects')
  .option('-a, --all', 'also those of which nothing runs')
  .option('--filter <name=part>', 'only those (repeatable)', collect)
  .option('-q, --quiet', 'only names')
  .option('--format <format>', 'table or json', 'table')
  .action(run(async (options: Options) => (await import('./ls.ts')).ls(await context(), options)));

program
  .command('version')
  .description('Show the version')
  .option('--short', 'only the number')
  .option('-f, --format <format>', 'pretty or json', 'pretty')
  .action(
    run(async (options: Options) => {
      const { version } = await import('./version.ts');
      return version(options);
    }),
  );

addRefused(program);

addCompletion(program, async (question) =>
  (await import('./completion-names.ts')).projectNames(question),
);

addExamples(program, EXAMPLES);

/** Runs the command line of this process. */
export async function runTcompose(): Promise<void> {
  // As docker compose: a wrong flag or command is exit code 1.
  await runProgram(program, EXIT.failed);
}
