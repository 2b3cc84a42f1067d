// Flags and help of tswarm image, but for `build` (build-command.ts); the verbs are loaded when they are called.
import type { Command } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';
import { addBuild } from './build-command.ts';

type Options = Readonly<Record<string, never>>;
type Names = readonly string[];

const verbs = (): Promise<typeof import('./image.ts')> => import('./image.ts');
const views = (): Promise<typeof import('./views.ts')> => import('./views.ts');

export function addImageCommands(images: Command, tools: CommandTools): void {
  addViews(images, tools);
  addBuild(images, tools);
  addTransfers(images, tools);
  addArchives(images, tools);
  addNames(images, tools);
}

function addViews(images: Command, { run, client }: CommandTools): void {
  images
    .command('ls [image]')
    .alias('list')
    .description('List images: all, or those of a repository')
    .option('-a, --all', 'also unnamed ones')
    .option('--digests', 'with the digests that registries know them by')
    .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
    .option('--format <template>', 'table, json or a template')
    .option('--no-trunc', 'whole ids')
    .option('-q, --quiet', 'only ids')
    .option('--json', 'one JSON object a line')
    .action(
      run(async (name: string | undefined, options: Options) =>
        (await verbs()).ls(client(), name, options),
      ),
    );
  images
    .command('inspect <images...>')
    .description('Show everything about images')
    .option('-f, --format <template>', 'json or a template')
    .action(
      run(async (names: Names, options: Options) =>
        (await views()).inspect(client(), names, options),
      ),
    );
  images
    .command('history <image>')
    .description('Show the steps that an image was made by, newest first')
    .option('--format <template>', 'table, json or a template')
    .option('-H, --human', 'ages and sizes (the default)', true)
    .option('--no-human', 'times and bytes as they are')
    .option('--no-trunc', 'whole ids and instructions')
    .option('-q, --quiet', 'only ids')
    .option('--json', 'one JSON object a line')
    .action(
      run(async (name: string, options: Options) =>
        (await views()).history(client(), name, options),
      ),
    );
}

function addTransfers(images: Command, { run, client }: CommandTools): void {
  images
    .command('pull <image>')
    .description('Pull an image from a registry')
    .option('--platform <platform>', 'os/arch')
    .option('-q, --quiet', 'no progress')
    .action(
      run(async (name: string, options: Options) => (await verbs()).pull(client(), name, options)),
    );
  images
    .command('push <image>')
    .description('Push an image to a registry')
    .option('-a, --all-tags', 'all tags of the repository')
    .option('-q, --quiet', 'no progress')
    .action(
      run(async (name: string, options: Options) => (await verbs()).push(client(), name, options)),
    );
}

function addArchives(images: Command, { run, client }: CommandTools): void {
  images
    .command('load')
    .description('Load images from an archive (docker save, OCI layout)')
    .option('-i, --input <file>', 'file instead of standard input')
    .option('-q, --quiet', 'no progress')
    .action(run(async (options: Options) => (await verbs()).load(client(), options)));
  images
    .command('save <images...>')
    .description('Write images to an archive, for load, docker load and OCI tools')
    .option('-o, --output <file>', 'file instead of standard output')
    .action(
      run(async (names: Names, options: Options) => (await verbs()).save(client(), names, options)),
    );
  images
    .command('import <file> [image]')
    .description('Make an image from a root file system (tar; - is standard input)')
    .option('-c, --change <instruction>', 'Dockerfile instruction (repeatable)', collect)
    .option('-m, --message <text>', 'message for the history')
    .action(
      run(async (file: string, reference: string | undefined, options: Options) =>
        (await verbs()).importImage(client(), file, reference, options),
      ),
    );
}

function addNames(images: Command, { run, client }: CommandTools): void {
  images
    .command('tag <image> <name>')
    .description('Give an image another name')
    .action(
      run(async (source: string, target: string) => (await verbs()).tag(client(), source, target)),
    );
  images
    .command('rm <images...>')
    .alias('remove')
    .description('Remove images')
    .option('-f, --force', 'also when a stopped container uses it')
    .option('--no-prune', 'keep parents without a name')
    .action(
      run(async (names: Names, options: Options) => (await verbs()).rm(client(), names, options)),
    );
  images
    .command('prune')
    .description('Remove images without a name')
    .option('-a, --all', 'all that no container was made from')
    .option('--filter <key=value>', 'only those (repeatable)', collect)
    .option('-f, --force', 'do not ask')
    .action(run(async (options: Options) => (await verbs()).prune(client(), options)));
}
