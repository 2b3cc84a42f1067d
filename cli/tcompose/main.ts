// tcompose: compose files on a tswarm cluster. This file is the command line: flags, help, which verb; each verb is loaded when it is called, so
// that `tcompose version` starts as little as possible.
import { Command, Option } from 'commander';
import { addCompletion } from '../completion/command.ts';
import { EXIT, reportFailure } from '../output/fail.ts';
import { chooseColours } from '../output/style.ts';
import { runProgram } from '../run-program.ts';
import { addContainerCommands } from './container-commands.ts';
import type { GlobalOptions } from './context.ts';
import { addImageCommands } from './image-commands.ts';

type Options = Readonly<Record<string, unknown>>;

const collect = (value: string, list: readonly string[] = []): string[] => [...list, value];

// commander takes it for the opposite of --attach; both have a value of their own.
const noAttach = new Option(
  '--no-attach <service>',
  'no logs of this service (repeatable)',
).argParser(collect);
noAttach.negate = false;
noAttach.attributeName = () => 'noAttach';

const TIMEOUT_HELP = 'time to stop, instead of each service’s stop_grace_period';

/** The tree of commands and flags. */
export const program: Command = new Command('tcompose')
  .description('Define and run applications with compose files, on one host or on a cluster.')
  .option('-f, --file <path>', 'compose file (repeatable; - is standard input)', collect)
  .option('-p, --project-name <name>', 'project name')
  .option('--profile <name>', 'activate a profile (repeatable)', collect)
  .option('--env-file <path>', 'environment file (repeatable)', collect)
  .option('--project-directory <path>', 'working directory of the project')
  .option(
    '-H, --host <socket>',
    'daemon to talk to: unix:///path (default: TSWARM_HOST or /run/tswarm/cluster.sock)',
  )
  .option('-c, --context <name>', 'cluster to talk to (tswarm context ls)')
  .option('--dry-run', 'show what up, create or scale would do, and do nothing')
  .addOption(
    new Option('--progress <mode>', 'how progress is shown')
      .choices(['auto', 'tty', 'plain', 'json', 'quiet'])
      .default('auto'),
  )
  .addOption(
    new Option('--ansi <when>', 'colours and redrawing')
      .choices(['never', 'always', 'auto'])
      .default('auto'),
  )
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
  chooseColours(ansi ?? 'auto');
  if (dryRun !== true || CHANGES_NOTHING.has(command.name()) || CAN_PLAN.has(command.name()))
    return;
  // What cannot be tried out must not be done by mistake.
  program.error(
    `error: --dry-run: "${command.name()}" cannot be tried out; "tcompose plan" shows what up would do`,
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

/** `--dry-run`: the plan of what the command would deploy. */
async function dryRun(services: readonly string[], options: PlanFlags): Promise<number> {
  const { build, pull, forceRecreate, recreate, removeOrphans, scale, deps } = options;
  const flags = { build, pull, forceRecreate, recreate, removeOrphans, scale, deps };
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  const { plan } = await import('./plan.ts');
  return plan(await context(), services, Object.fromEntries(given));
}

type PlanFlags = Pick<
  import('./up.ts').UpOptions,
  'build' | 'pull' | 'forceRecreate' | 'recreate' | 'removeOrphans' | 'scale' | 'deps'
>;

/** `build` is neither asked for nor forbidden unless one of its flags was given. */
function withBuild<T extends { readonly build?: boolean }>(
  options: T,
  command: Command,
): Omit<T, 'build'> & { readonly build: boolean | undefined } {
  const isGiven = command.getOptionValueSource('build') !== 'default';
  return { ...options, build: isGiven ? options.build : undefined };
}

program
  .command('up [services...]')
  .description('Create and start the services')
  .option('-d, --detach', 'in the background')
  .option('--build', 'build images first')
  .option('--no-build', 'do not build, even if an image is missing')
  .option('--force-recreate', 'replace containers even if nothing has changed')
  .option('--no-deps', 'without the services it depends on')
  .option('--remove-orphans', 'remove services that are no longer in the file')
  .option('--scale <service=n>', 'number of replicas (repeatable)', collect)
  .option('--no-start', 'create containers without starting them')
  .option('--pull <policy>', 'always, missing or never')
  .option('--wait', 'wait until all are running or healthy; implies -d')
  .option('--wait-timeout <seconds>', 'give up waiting after this time')
  .option('--no-recreate', 'leave containers that are there as they are')
  .option('--abort-on-container-exit', 'stop everything when a container ends')
  .option('--abort-on-container-failure', 'stop everything when a container fails')
  .option('--exit-code-from <service>', 'exit code of this service; stops when a container ends')
  .option('--attach <service>', 'only logs of this service (repeatable)', collect)
  .addOption(noAttach)
  .option('--attach-dependencies', 'also logs of what the named services depend on')
  .option('-w, --watch', 'follow changes of files as develop.watch says')
  .option('--quiet-pull', 'no progress of pulls')
  .option('--plan <file>', 'do exactly what this plan says, or nothing')
  .option('-t, --timeout <seconds>', TIMEOUT_HELP)
  .option('--no-color', 'log lines without colours')
  .option('--no-log-prefix', 'no container names before log lines')
  .option('--timestamps', 'times before log lines')
  .action(
    run(async (services: string[], options: Options & { build?: boolean }, command: Command) => {
      const [{ up }, { create }] = await Promise.all([import('./up.ts'), import('./create.ts')]);
      if (options.color === false) chooseColours('never');
      if (program.opts<GlobalOptions>().dryRun)
        return dryRun(services, withBuild(options, command));
      const act = options.start === false ? create : up;
      return act(await context(), services, {
        ...withBuild(options, command),
        noLogPrefix: options.logPrefix === false,
      });
    }),
  );

for (const [verb, text] of [
  ['plan', 'Show what "up" would do: every field, where it would run, what is at risk'],
  ['diff', 'Show how the cluster differs from the files'],
] as const) {
  const command = program
    .command(`${verb} [services...]`)
    .description(text)
    .option('--build', 'as if images were built first')
    .option('--no-build', 'as if nothing was built')
    .option('--pull <policy>', 'as with up: always, missing or never')
    .option('--force-recreate', 'as if containers were replaced even if nothing has changed')
    .option('--no-recreate', 'as if containers that are there stayed as they are')
    .option('--no-deps', 'without the services it depends on')
    .option('--remove-orphans', 'with the removal of services that are no longer in the file')
    .option('--scale <service=n>', 'number of replicas (repeatable)', collect)
    .option('--format <format>', 'text or json', 'text')
    .option('--detailed-exitcode', 'exit code 2 when there is something to do');
  if (verb === 'plan') command.option('-o, --out <file>', 'save the plan, for "up --plan"');
  command.action(
    run(async (services: string[], options: Options & { build?: boolean }, command: Command) => {
      const verbs = await import('./plan.ts');
      return verbs[verb](await context(), services, withBuild(options, command));
    }),
  );
}

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
  .command('down')
  .description('Stop and remove containers and networks')
  .option('-v, --volumes', 'remove named volumes too')
  .option('--rmi <which>', 'remove images: local or all')
  .option('--remove-orphans', 'also services that are no longer in the file (they always go)')
  .option('-t, --timeout <seconds>', TIMEOUT_HELP)
  .action(
    run(async (options: Options) => (await import('./down.ts')).down(await context(), options)),
  );

program
  .command('ps [services...]')
  .description('List containers')
  .option('-a, --all', 'also stopped ones')
  .option('-q, --quiet', 'only ids')
  .option('--services', 'only service names')
  .option('--status <state>', 'only in this state, such as exited (repeatable)', collect)
  .option('--filter <status=state>', 'the same in other words (repeatable)', collect)
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
        import('./run-state.ts'),
        import('./logs.ts'),
      ]);
      const stack = projectName(composeContext, services);
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
  .option('--build', 'build images first')
  .option('--pull <policy>', 'always, missing or never')
  .option('-q, --quiet', 'no progress')
  .option('-T, --no-tty', 'without a terminal')
  .option('--no-interactive', 'without input')
  .action(
    run(async (service: string, command: string[], options: Options) =>
      (await import('./run.ts')).run(await context(), service, command, options),
    ),
  );

program
  .command('config [services...]')
  .alias('convert')
  .description('Show the project as it was understood')
  .option('--format <format>', 'yaml or json', 'yaml')
  .option('-q, --quiet', 'only check')
  .option('-o, --output <file>', 'write to a file')
  .option('--services', 'only service names')
  .option('--volumes', 'only volume names')
  .option('--networks', 'only network names')
  .option('--profiles', 'only profile names')
  .option('--images', 'only image names')
  .option('--hash <services>', 'configuration hashes: names with commas, or *')
  .option('--environment', 'the environment used for interpolation')
  .option('--no-interpolate', 'leave variables as they are')
  .option('--no-normalize', 'without defaults')
  .option('--no-path-resolution', 'leave relative paths')
  .option('--no-consistency', 'without consistency checks')
  .option('--no-env-resolution', 'do not read env files')
  .action(
    run(async (services: string[], options: Options) =>
      (await import('./config.ts')).config(await localContext(), services, options),
    ),
  );

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
    run(async (services: string[], options: Options) =>
      (await import('./run-state.ts')).changeRunState(await context(), services, state, options),
    ),
  );
}

program
  .command('unpause [services...]')
  .description('Let frozen containers go on')
  .action(
    run(async (services: string[]) =>
      (await import('./run-state.ts')).unpause(await context(), services),
    ),
  );

program
  .command('restart [services...]')
  .description('Restart containers')
  .option('-t, --timeout <seconds>', TIMEOUT_HELP)
  .action(
    run(async (services: string[], options: Options) =>
      (await import('./run-state.ts')).restart(await context(), services, options),
    ),
  );

program
  .command('rm [services...]')
  .description('Remove stopped services')
  .option('-f, --force', 'do not ask')
  .option('-s, --stop', 'stop them first')
  .action(
    run(async (services: string[], options: Options) =>
      (await import('./other.ts')).rm(await context(), services, options),
    ),
  );

program
  .command('kill [services...]')
  .description('Send a signal to containers')
  .option('-s, --signal <signal>', 'signal', 'SIGKILL')
  .action(
    run(async (services: string[], options: Options) =>
      (await import('./other.ts')).kill(await context(), services, options),
    ),
  );

addImageCommands(program, { run, context, collect });

program
  .command('create [services...]')
  .description('Create containers without starting them')
  .option('--build', 'build images first')
  .option('--no-build', 'do not build, even if an image is missing')
  .option('--force-recreate', 'replace containers even if nothing has changed')
  .option('--pull <policy>', 'always, missing or never')
  .option('--remove-orphans', 'remove services that are no longer in the file')
  .option('--scale <service=n>', 'number of replicas (repeatable)', collect)
  .action(
    run(async (services: string[], options: Options & { build?: boolean }, command: Command) => {
      if (program.opts<GlobalOptions>().dryRun)
        return dryRun(services, withBuild(options, command));
      const { create } = await import('./create.ts');
      return create(await context(), services, withBuild(options, command));
    }),
  );

addContainerCommands(program, { run, context, collect });

program
  .command('scale <service=n...>')
  .description('Change the number of replicas')
  .action(
    run(async (pairs: string[]) => {
      if (!program.opts<GlobalOptions>().dryRun)
        return (await import('./other.ts')).scale(await context(), pairs);
      const names = pairs.map((pair) => pair.split('=')[0] ?? '');
      return dryRun(names, { scale: pairs, deps: false });
    }),
  );

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

addCompletion(program, async (question) =>
  (await import('./completion-names.ts')).projectNames(question),
);

// As docker compose: a wrong flag or command is exit code 1.
if (import.meta.main) await runProgram(program, EXIT.failed);
