// The commands of tcompose that look into containers or reach into them: each verb is loaded when it is called.
import type { Command } from 'commander';
import type { ComposeTools } from './image-commands.ts';

type Options = Readonly<Record<string, unknown>>;

export function addContainerCommands(
  program: Command,
  { run, context, collect }: ComposeTools,
): void {
  program
    .command('attach <service>')
    .description('Join this terminal to a running container')
    .option('--index <n>', 'number of the container')
    .option('--detach-keys <keys>', 'keys that detach (default ctrl-p,ctrl-q)')
    .option('--no-stdin', 'only its output')
    .option('--no-sig-proxy', 'do not pass signals on')
    .action(
      run(async (service: string, options: Options) =>
        (await import('./attach.ts')).attach(await context(), service, options),
      ),
    );

  program
    .command('cp <source> <destination>')
    .description('Copy files: SERVICE:PATH PATH, or PATH SERVICE:PATH')
    .option('-a, --archive', 'keep owners')
    .option('-L, --follow-link', 'copy what a symbolic link leads to')
    .option('--all', 'into all containers of the service, also those of run')
    .option('--index <n>', 'number of the container')
    .action(
      run(async (source: string, destination: string, options: Options) =>
        (await import('./cp.ts')).cp(await context(), source, destination, options),
      ),
    );

  program
    .command('commit <service> [image]')
    .description('Make an image of a service’s container')
    .option('-a, --author <name>', 'who made it')
    .option('-c, --change <instruction>', 'a Dockerfile’s instruction (repeatable)', collect)
    .option('--index <n>', 'number of the container')
    .option('-m, --message <text>', 'what for')
    .option('-p, --pause', 'freeze its processes meanwhile (the default)', true)
    .option('--no-pause', 'let its processes go on meanwhile')
    .action(
      run(async (service: string, image: string | undefined, options: Options) =>
        (await import('./snapshot.ts')).commit(await context(), service, image, options),
      ),
    );

  program
    .command('export <service>')
    .description('Write a container’s root file system as a tar archive')
    .option('--index <n>', 'number of the container')
    .option('-o, --output <file>', 'to a file')
    .action(
      run(async (service: string, options: Options) =>
        (await import('./snapshot.ts')).exportTo(await context(), service, options),
      ),
    );

  program
    .command('events [services...]')
    .description('Show what happens to containers')
    .option('--json', 'one JSON object a line')
    .option('--since <time>', 'from this time or age (10m)')
    .option('--until <time>', 'up to this time or age')
    .action(
      run(async (services: string[], options: Options) =>
        (await import('./events.ts')).events(await context(), services, options),
      ),
    );

  program
    .command('stats [services...]')
    .description('Show what containers use')
    .option('-a, --all', 'also stopped ones')
    .option('--format <format>', 'table, json or a template')
    .option('--no-stream', 'one picture')
    .option('--no-trunc', 'do not cut')
    .action(
      run(async (services: string[], options: Options) =>
        (await import('./stats.ts')).stats(await context(), services, options),
      ),
    );

  program
    .command('wait <services...>')
    .description('Wait until containers end; the exit code is the last one’s')
    .option('--down-project', 'remove the project when the first one ends')
    .action(
      run(async (services: string[], options: Options) =>
        (await import('./wait.ts')).wait(await context(), services, options),
      ),
    );

  program
    .command('watch [services...]')
    .description('Follow changes of files as develop.watch says')
    .option('--no-up', 'do not build and start the services first')
    .option('--no-prune', 'keep images that were replaced')
    .option('--quiet', 'do not say what is done')
    .action(
      run(async (services: string[], options: Options) =>
        (await import('./watch.ts')).watch(await context(), services, options),
      ),
    );

  program
    .command('volumes [services...]')
    .description('List the volumes of the project')
    .option('-q, --quiet', 'only names')
    .option('--format <format>', 'table, json or a template', 'table')
    .action(
      run(async (services: string[], options: Options) =>
        (await import('./volumes.ts')).volumes(await context(), services, options),
      ),
    );

  program
    .command('port <service> <port>')
    .description('Show the published address of a port')
    .option('--protocol <protocol>', 'tcp or udp', 'tcp')
    .option('--index <n>', 'number of the container')
    .action(
      run(async (service: string, port: string, options: Options) =>
        (await import('./other.ts')).port(await context(), service, port, options),
      ),
    );

  program
    .command('top [services...]')
    .description('Show the processes of the containers')
    .action(
      run(async (services: string[]) =>
        (await import('./other.ts')).top(await context(), services),
      ),
    );
}
