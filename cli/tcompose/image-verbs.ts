// tcompose build, pull and push: the images of the file's services, of the named ones or of all.
import type { PlannedImage } from '#compose-spec/deploy/plan-deploy';
import { messageOf, TswarmError } from '#protocol/errors';
import { buildArguments } from '../client/build-context.ts';
import { EXIT } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import type { ComposeContext } from './context.ts';
import { keyOf, type Plan, planProject, selectServices } from './deploy.ts';
import { buildImage, ensureImages, inOrder, pushImage } from './images.ts';
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
  const display = new ProgressDisplay('Building', options.quiet ? 'quiet' : context.progress);
  const noCache = options.cache === false;
  try {
    for (const image of inOrder(wanted)) {
      const changed = withArgs(image, args, {
        pull: options.pull === true,
        ssh: options.ssh ?? [],
      });
      await buildImage(context.client, changed, { build: 'always', pull: '', noCache }, display);
      const hasName = plan.loaded.project.services[image.service]?.image !== undefined;
      if (options.push && hasName) await pushImage(context.client, image.image, display);
    }
    return EXIT.ok;
  } finally {
    display.stop();
  }
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
