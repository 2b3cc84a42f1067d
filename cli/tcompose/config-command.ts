// The flags of `tcompose config`; the verb is loaded when it is called.
import type { Command } from 'commander';
import type { ComposeTools } from './image-commands.ts';

type Options = Readonly<Record<string, unknown>>;

/** Adds it to `program`. */
export function addConfig(program: Command, { run, context, localContext }: ComposeTools): void {
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
    .option('--models', 'only model names')
    .option('--profiles', 'only profile names')
    .option('--images', 'only image names')
    .option('--hash <services>', 'configuration hashes: names with commas, or *')
    .option('--variables', 'the variables that the files use, with their defaults')
    .option('--environment', 'the environment used for interpolation')
    .option('--resolve-image-digests', 'images by their digests, asked of the registries')
    .option('--lock-image-digests', 'an override file with the images’ digests')
    .option('--no-interpolate', 'leave variables as they are')
    .option('--no-normalize', 'without defaults')
    .option('--no-path-resolution', 'leave relative paths')
    .option('--no-consistency', 'without consistency checks')
    .option('--no-env-resolution', 'do not read env files')
    .action(
      run(async (services: string[], options: Options) => {
        const asksRegistry = options.resolveImageDigests || options.lockImageDigests;
        const { config } = await import('./config.ts');
        return config(await (asksRegistry ? context() : localContext()), services, options);
      }),
    );
}
