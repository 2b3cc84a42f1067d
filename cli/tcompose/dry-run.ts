// `--dry-run` of what acts on containers and images that are there: which ones, and what would become of them. Changes nothing. What comes to a deployment shows
// the plan instead (deploy-commands.ts).
import { imageName, LABEL } from '#compose-spec/deploy/names';
import type { PlannedImage } from '#compose-spec/deploy/plan-deploy';
import type { Json } from '../client/http.ts';
import { composeKey } from '../client/stack-model.ts';
import { EXIT } from '../output/fail.ts';
import type { ComposeContext } from './context.ts';
import { planProject } from './deploy.ts';
import { imagesOf } from './image-verbs.ts';
import { presentImage } from './images.ts';
import { type KnownProject, knownProject } from './known-project.ts';
import { projectContainers, serviceOf } from './ps.ts';
import { servicesOrNone } from './run-state.ts';

/** Verbs that can be tried out here. */
export type TriedVerb =
  | 'build'
  | 'down'
  | 'kill'
  | 'pause'
  | 'pull'
  | 'push'
  | 'restart'
  | 'rm'
  | 'start'
  | 'stop'
  | 'unpause';

type Given = Readonly<Record<string, unknown>>;

/** Says what the verb would do, a line each, as docker compose does. */
export async function tryOut(
  context: ComposeContext,
  verb: TriedVerb,
  keys: readonly string[],
  options: object,
): Promise<number> {
  const given: Given = { ...options };
  const lines =
    verb === 'build' || verb === 'pull' || verb === 'push'
      ? await imageLines(context, verb, keys, given)
      : await containerLines(context, verb, keys, given);
  for (const line of lines) process.stdout.write(`DRY-RUN MODE -  ${line}\n`);
  if (lines.length === 0) process.stdout.write('DRY-RUN MODE -  nothing to do\n');
  return EXIT.ok;
}

async function imageLines(
  context: ComposeContext,
  verb: 'build' | 'pull' | 'push',
  keys: readonly string[],
  options: Given,
): Promise<readonly string[]> {
  const plan = planProject(context, keys);
  const deps = options.withDependencies === true || options.includeDeps === true;
  const { services } = plan.loaded.project;
  const hasName = ({ service }: PlannedImage): boolean => services[service]?.image !== undefined;
  const images = imagesOf(plan, keys, deps);
  const line = (word: string) => (image: PlannedImage) => `Image ${image.image}  ${word}`;
  if (verb === 'build') {
    const built = images.filter(({ build }) => build);
    const pushed = options.push === true ? built.filter(hasName) : [];
    return [...built.map(line('Built')), ...pushed.map(line('Pushed'))];
  }
  if (verb === 'push') return images.filter((it) => it.build && hasName(it)).map(line('Pushed'));
  const wanted = images
    .filter(hasName)
    .filter(({ build }) => !(build && options.ignoreBuildable === true));
  const isHere = await Promise.all(
    wanted.map(async ({ image }) => (await presentImage(context.client, image)) !== undefined),
  );
  const missingOnly = options.policy === 'missing';
  return wanted.filter((_, i) => !(missingOnly && isHere[i])).map(line('Pulled'));
}

const RUNS: readonly string[] = ['running', 'restarting', 'paused'];

/** Which containers a verb is about, by their states, and the words for what becomes of them. */
const ABOUT: Readonly<
  Record<Exclude<TriedVerb, 'build' | 'pull' | 'push'>, readonly [readonly string[], string[]]>
> = {
  down: [[], ['Stopped', 'Removed']],
  kill: [RUNS, ['Killed']],
  pause: [['running'], ['Paused']],
  restart: [[], ['Restarted']],
  rm: [['exited', 'created', 'dead'], ['Removed']],
  start: [['exited', 'created', 'dead'], ['Started']],
  stop: [RUNS, ['Stopped']],
  unpause: [['paused'], ['Unpaused']],
};

async function containerLines(
  context: ComposeContext,
  verb: keyof typeof ABOUT,
  keys: readonly string[],
  options: Given,
): Promise<readonly string[]> {
  const project = await knownProject(context, keys);
  const [states, words] = verb === 'rm' && options.stop === true ? ABOUT.down : ABOUT[verb];
  const containers = (await projectContainers(context, project.name, true))
    .filter((container) => keys.length === 0 || keys.includes(serviceOf(container)))
    .filter((container) => states.length === 0 || states.includes(String(container.State)));
  const nameOf = (container: Json): string => String((container.Names as string[])[0]).slice(1);
  containers.sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  const lines = containers.flatMap((container) =>
    words
      // What does not run need not be stopped.
      .filter((word) => word !== 'Stopped' || RUNS.includes(String(container.State)))
      .map((word) => `Container ${nameOf(container)}  ${word}`),
  );
  const more = verb === 'down' ? await downLines(context, project, keys, options) : [];
  return [...lines, ...more];
}

/** What `down` removes besides containers. */
async function downLines(
  context: ComposeContext,
  project: KnownProject,
  keys: readonly string[],
  options: Given,
): Promise<readonly string[]> {
  const there = (await servicesOrNone(context, project.name)).map(composeKey);
  const isWhole = keys.length === 0 || there.every((key) => keys.includes(key));
  const filters = JSON.stringify({ label: [`${LABEL.project}=${project.name}`] });
  const query = { filters };
  const networks = isWhole ? await context.client.get<Json[]>('/networks', { query }) : [];
  const { Volumes } =
    isWhole && options.volumes === true
      ? await context.client.get<{ Volumes: readonly Json[] | null }>('/volumes', { query })
      : { Volumes: [] };
  const images = Object.entries(project.services)
    .filter(([key]) => keys.length === 0 || keys.includes(key))
    .filter(
      ([, { image }]) => options.rmi === 'all' || (options.rmi === 'local' && image === undefined),
    )
    .map(([key, service]) => imageName(project, key, service));
  return [
    ...networks.map(({ Name }) => `Network ${Name}  Removed`),
    ...(Volumes ?? []).map(({ Name }) => `Volume ${Name}  Removed`),
    ...[...new Set(images)].map((image) => `Image ${image}  Removed`),
  ];
}
