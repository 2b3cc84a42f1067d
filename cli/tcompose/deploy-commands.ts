// The commands of tcompose that come to a deployment, or show one: up, plan, diff, create, scale. With `--dry-run` the first, fourth and fifth show the plan.
import { type Command, Option } from 'commander';
import { chooseColours } from '../output/style.ts';
import type { GlobalOptions } from './context.ts';
import type { ComposeTools } from './image-commands.ts';
import { TIMEOUT_HELP } from './image-commands.ts';

type Options = Readonly<Record<string, unknown>>;

/** Adds them to `program`. */
export function addDeployCommands(program: Command, tools: ComposeTools): void {
  addUp(program, tools);
  addPlans(program, tools);
  addCreate(program, tools);
  addScale(program, tools);
}

const ORPHANS_HELP = 'remove services that are no longer in the file';
const YES_HELP = 'answer yes to every question; nothing is asked here';

function addUp(program: Command, tools: ComposeTools): void {
  const { run, context, collect } = tools;
  program
    .command('up [services...]')
    .description('Create and start the services')
    .option('-d, --detach', 'in the background')
    .option('--build', 'build images first')
    .option('--no-build', 'do not build, even if an image is missing')
    .option('--force-recreate', 'replace containers even if nothing has changed')
    .option('--always-recreate-deps', 'also replace the services that the named ones depend on')
    .option('-V, --renew-anon-volumes', 'new anonymous volumes for replaced containers')
    .option('--no-deps', 'without the services it depends on')
    .option('--remove-orphans', ORPHANS_HELP)
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
    .addOption(noAttach(collect))
    .option('--attach-dependencies', 'also logs of what the named services depend on')
    .option('-w, --watch', 'follow changes of files as develop.watch says')
    .option('--quiet-pull', 'no progress of pulls')
    .option('--quiet-build', 'no progress of builds')
    .option('--plan <file>', 'do exactly what this plan says, or nothing')
    .option('-t, --timeout <seconds>', TIMEOUT_HELP)
    .option('--no-color', 'log lines without colours')
    .option('--no-log-prefix', 'no container names before log lines')
    .option('--timestamps', 'times before log lines')
    .option('-y, --yes', YES_HELP)
    .action(
      run(async (services: string[], options: Options & { build?: boolean }, command: Command) => {
        const [{ up }, { create }] = await Promise.all([import('./up.ts'), import('./create.ts')]);
        if (options.color === false) chooseColours('never');
        const asked = withOrphans(withBuild(options, command));
        if (isDryRun(program)) return dryRun(tools, services, asked);
        const act = options.start === false ? create : up;
        return act(await context(), services, {
          ...asked,
          noLogPrefix: options.logPrefix === false,
        });
      }),
    );
}

/** commander takes it for the opposite of --attach; both have a value of their own. */
function noAttach(collect: ComposeTools['collect']): Option {
  const option = new Option('--no-attach <service>', 'no logs of this service (repeatable)');
  option.argParser(collect);
  option.negate = false;
  option.attributeName = () => 'noAttach';
  return option;
}

function addPlans(program: Command, { run, context, collect }: ComposeTools): void {
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
}

function addCreate(program: Command, tools: ComposeTools): void {
  const { run, context, collect } = tools;
  program
    .command('create [services...]')
    .description('Create containers without starting them')
    .option('--build', 'build images first')
    .option('--no-build', 'do not build, even if an image is missing')
    .option('--force-recreate', 'replace containers even if nothing has changed')
    .option('--no-recreate', 'leave containers that are there as they are')
    .option('--pull <policy>', 'always, missing or never')
    .option('--quiet-pull', 'no progress of pulls')
    .option('--remove-orphans', ORPHANS_HELP)
    .option('--scale <service=n>', 'number of replicas (repeatable)', collect)
    .option('-y, --yes', YES_HELP)
    .action(
      run(async (services: string[], options: Options & { build?: boolean }, command: Command) => {
        const asked = withOrphans(withBuild(options, command));
        if (isDryRun(program)) return dryRun(tools, services, asked);
        const { create } = await import('./create.ts');
        return create(await context(), services, asked);
      }),
    );
}

function addScale(program: Command, tools: ComposeTools): void {
  const { run, context } = tools;
  program
    .command('scale <service=n...>')
    .description('Change the number of replicas')
    .option('--no-deps', 'without the services it depends on')
    .action(
      run(async (pairs: string[], { deps }: { readonly deps: boolean }) => {
        if (!isDryRun(program))
          return (await import('./other.ts')).scale(await context(), pairs, deps);
        const names = pairs.map((pair) => pair.split('=')[0] ?? '');
        return dryRun(tools, names, { scale: pairs, deps });
      }),
    );
}

type PlanFlags = Pick<
  import('./up.ts').UpOptions,
  'build' | 'pull' | 'forceRecreate' | 'recreate' | 'removeOrphans' | 'scale' | 'deps'
>;

/** `--dry-run`: the plan of what the command would deploy. */
async function dryRun(
  { context }: ComposeTools,
  services: readonly string[],
  options: PlanFlags,
): Promise<number> {
  const { build, pull, forceRecreate, recreate, removeOrphans, scale, deps } = options;
  const flags = { build, pull, forceRecreate, recreate, removeOrphans, scale, deps };
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  const { plan } = await import('./plan.ts');
  return plan(await context(), services, Object.fromEntries(given));
}

function isDryRun(program: Command): boolean {
  return program.opts<GlobalOptions>().dryRun === true;
}

/** `build` is neither asked for nor forbidden unless one of its flags was given. */
function withBuild<T extends { readonly build?: boolean }>(
  options: T,
  command: Command,
): Omit<T, 'build'> & { readonly build: boolean | undefined } {
  const isGiven = command.getOptionValueSource('build') !== 'default';
  return { ...options, build: isGiven ? options.build : undefined };
}

/** COMPOSE_REMOVE_ORPHANS is what counts without the flag. */
function withOrphans<T extends object>(options: T): T & { readonly removeOrphans?: boolean } {
  const isSet = /^(1|t|true)$/i.test(process.env.COMPOSE_REMOVE_ORPHANS ?? '');
  return isSet ? { ...options, removeOrphans: true } : options;
}
