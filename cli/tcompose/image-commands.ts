// The flags of tcompose's image verbs; the verbs are loaded when they are called.
import type { Command } from 'commander';
import type { ComposeContext } from './context.ts';
import type { TriedVerb } from './dry-run.ts';

type Options = Readonly<Record<string, unknown>>;

export const TIMEOUT_HELP = 'time to stop, instead of each service’s stop_grace_period';

export interface ComposeTools {
  /** Wraps a verb: its result is the exit code, what it throws is reported. */
  readonly run: (
    verb: (...args: never[]) => Promise<number>,
  ) => (...args: unknown[]) => Promise<void>;
  /** The same for a verb that can be tried out: called only without `--dry-run`. */
  readonly acting: <Given extends object>(
    verb: TriedVerb,
    act: (context: ComposeContext, keys: string[], options: Given) => Promise<number>,
  ) => (...args: unknown[]) => Promise<void>;
  readonly context: () => Promise<ComposeContext>;
  /** For verbs that only read files. */
  readonly localContext: () => Promise<ComposeContext>;
  /** For options that may be repeated. */
  readonly collect: (value: string, list?: readonly string[]) => string[];
}

const INCLUDE_DEPS = 'also images of services that the named ones depend on';

export function addImageCommands(
  program: Command,
  { run, acting, context, collect }: ComposeTools,
): void {
  const verbs = (): Promise<typeof import('./image-verbs.ts')> => import('./image-verbs.ts');
  program
    .command('build [services...]')
    .description('Build images')
    .option('--build-arg <key=value>', 'argument of the build (repeatable)', collect)
    .option('-m, --memory <bytes>', 'memory of each step')
    .option('--no-cache', 'do every step anew')
    .option('--pull', 'pull newer base images')
    .option('--push', 'push what was built')
    .option(
      '--ssh <id>',
      'SSH agent for RUN --mount=type=ssh: default, or id=socket (repeatable)',
      collect,
    )
    .option('--with-dependencies', INCLUDE_DEPS)
    .option('-q, --quiet', 'no output')
    .action(
      acting('build', async (context, services, options) =>
        (await verbs()).build(context, services, options),
      ),
    );
  program
    .command('pull [services...]')
    .description('Pull images')
    .option('--ignore-buildable', 'not those that can be built')
    .option('--ignore-pull-failures', 'go on with the others')
    .option('--include-deps', INCLUDE_DEPS)
    .option('--policy <policy>', 'missing or always')
    .option('-q, --quiet', 'no progress')
    .action(
      acting('pull', async (context, services, options) =>
        (await verbs()).pull(context, services, options),
      ),
    );
  program
    .command('push [services...]')
    .description('Push images that are built here')
    .option('--ignore-push-failures', 'go on with the others')
    .option('--include-deps', INCLUDE_DEPS)
    .option('-q, --quiet', 'no progress')
    .action(
      acting('push', async (context, services, options) =>
        (await verbs()).push(context, services, options),
      ),
    );
  program
    .command('images [services...]')
    .description('List the images of the containers')
    .option('-q, --quiet', 'only ids')
    .option('--format <format>', 'table, json or a template', 'table')
    .action(
      run(async (services: string[], options: Options) =>
        (await import('./ps.ts')).images(await context(), services, options),
      ),
    );
}
