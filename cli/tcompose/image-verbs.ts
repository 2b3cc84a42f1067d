// tcompose build, pull and push: the images of the file's services, of the named ones or of all.
import type { PlannedImage } from '#compose-spec/deploy/plan-deploy';
import { parseBytes } from '#compose-spec/load/units';
import { messageOf, TswarmError } from '#protocol/errors';
import { buildArguments } from '../client/build-context.ts';
import { EXIT } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import type { ComposeContext } from './context.ts';
import { keyOf, type Plan, planProject, selectServices } from './deploy.ts';
import { ensureImages, type ImageOptions, pushImage } from './images.ts';
import { atMost } from './parallel.ts';

/** Images of the named services (all when none is named), `deps`: also of what they depend on. */
export function imagesOf(
  { images, stack }: Plan,
  keys: readonly string[],
  deps: boolean,
): readonly PlannedImage[] {
  const selected = deps ? selectServices(stack, keys, false, new Set()).services.map(keyOf) : [];
  const wanted = new Set([...keys, ...selected]);
  return images.filter((image) => keys.length === 0 || wanted.has(image.service));
}

export interface BuildOptions {
  readonly cache?: boolean;
  readonly quiet?: boolean;
  readonly pull?: boolean;
  readonly push?: boolean;
  readonly withDependencies?: boolean;
  readonly buildArg?: readonly string[];
  readonly memory?: string;
  readonly ssh?: readonly string[];
}

export async function build(
  context: ComposeContext,
  keys: readonly string[],
  options: BuildOptions,
): Promise<number> {
  const plan = planProject(context, keys);
  const args = buildArguments(options.buildArg, process.env);
  const all = imagesOf(plan, keys, options.withDependencies === true);
  const wanted = all.filter((image) => image.build);
  if (wanted.length === 0) process.stderr.write('No services to build\n');
  const changed = wanted.map((image) =>
    withArgs(image, args, { pull: options.pull === true, ssh: options.ssh ?? [] }),
  );
  const display = new ProgressDisplay('Building', options.quiet ? 'quiet' : context.progress);
  const how: ImageOptions = {
    ...{ build: 'always', pull: '', parallel: context.parallel },
    noCache: options.cache === false,
    ...(options.memory === undefined ? {} : { memoryBytes: memoryOf(options.memory) }),
  };
  try {
    await ensureImages(context.client, changed, how, display);
    const isNamed = ({ service }: PlannedImage): boolean =>
      plan.loaded.project.services[service]?.image !== undefined;
    const names = new Set(changed.filter(isNamed).map(({ image }) => image));
    if (options.push) for (const name of names) await pushImage(context.client, name, display);
    return EXIT.ok;
  } finally {
    display.stop();
  }
}

function memoryOf(text: string): number {
  const parsed = parseBytes(text);
  if (parsed.ok) return parsed.value;
  throw new TswarmError('invalid_argument', `--memory: ${parsed.message}`, {
    hint: 'Write it like 512m or 2g.',
  });
}

function withArgs(
  image: PlannedImage,
  args: Readonly<Record<string, string>>,
  { pull, ssh }: { readonly pull: boolean; readonly ssh: readonly string[] },
): PlannedImage {
  const { build: own } = image;
  if (!own) return image;
  const changed = { ...own, args: { ...own.args, ...args }, ssh: [...(own.ssh ?? []), ...ssh] };
  return { ...image, build: { ...changed, ...(pull ? { pull } : {}) } };
}

export interface PullOptions {
  readonly quiet?: boolean;
  readonly includeDeps?: boolean;
  readonly ignorePullFailures?: boolean;
  readonly ignoreBuildable?: boolean;
  readonly policy?: string;
}

export async function pull(
  context: ComposeContext,
  keys: readonly string[],
  options: PullOptions,
): Promise<number> {
  const { policy = 'always' } = options;
  if (policy !== 'always' && policy !== 'missing')
    throw new TswarmError('invalid_argument', `--policy ${policy}: must be missing or always`);
  const plan = planProject(context, keys);
  const services = plan.loaded.project.services;
  // What is built here and has no name of its own is in no registry.
  const wanted = imagesOf(plan, keys, options.includeDeps === true)
    .filter((image) => services[image.service]?.image !== undefined)
    .filter((image) => !(image.build && options.ignoreBuildable));
  const display = new ProgressDisplay('Pulling', options.quiet ? 'quiet' : context.progress);
  const how = { build: 'never', pull: policy } as const;
  try {
    await atMost(context.parallel, wanted, async ({ build: _build, ...image }) => {
      try {
        await ensureImages(context.client, [image], how, display);
      } catch (error) {
        if (options.ignorePullFailures !== true) throw error;
        display.say(`Warning: ${messageOf(error)}`);
      }
    });
    return EXIT.ok;
  } finally {
    display.stop();
  }
}

export interface PushOptions {
  readonly quiet?: boolean;
  readonly includeDeps?: boolean;
  readonly ignorePushFailures?: boolean;
}

/** Images that are built here and have a name of their own go to their registries. */
export async function push(
  context: ComposeContext,
  keys: readonly string[],
  options: PushOptions,
): Promise<number> {
  const plan = planProject(context, keys);
  const wanted = imagesOf(plan, keys, options.includeDeps === true).filter((image) => image.build);
  const display = new ProgressDisplay('Pushing', options.quiet ? 'quiet' : context.progress);
  try {
    for (const { service, image } of wanted) {
      if (plan.loaded.project.services[service]?.image === undefined) {
        display.update(`Image ${image}`, 'warning', 'Skipped', 'its service has no image name');
        continue;
      }
      try {
        await pushImage(context.client, image, display);
      } catch (error) {
        if (options.ignorePushFailures !== true) throw error;
        display.say(`Warning: ${image}: ${messageOf(error)}`);
      }
    }
    return EXIT.ok;
  } finally {
    display.stop();
  }
}
