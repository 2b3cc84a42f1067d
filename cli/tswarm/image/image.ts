// tswarm image ls, pull, push, tag, load, import, save, rm, prune; system df. Flags, columns and texts are docker's.
import { createReadStream, existsSync } from 'node:fs';
import { TswarmError } from '#protocol/errors';
import { humanDuration } from '#protocol/human-duration';
import type { ApiClient, Json } from '../../client/http.ts';
import { imagePath, pushCall, splitTag, streamError } from '../../client/image-calls.ts';
import { registryHeaders } from '../../client/registry-auth.ts';
import { checkArchiveOutput, writeArchive } from '../../output/archive-out.ts';
import { EXIT, forEachName } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { humanSize, shortId } from '../../output/human.ts';
import { ProgressDisplay } from '../../output/progress.ts';
import { filtersQuery } from '../context.ts';
import { confirmed, type PruneFlags } from '../data/fields.ts';

export async function ls(
  client: ApiClient,
  repository: string | undefined,
  options: {
    readonly all?: boolean;
    readonly digests?: boolean;
    readonly filter?: readonly string[];
    readonly format?: string;
    readonly quiet?: boolean;
    readonly json?: boolean;
    readonly trunc?: boolean;
  },
): Promise<number> {
  const only = repository === undefined ? [] : [`reference=${repository}`];
  const images = await client.get<Json[]>('/images/json', {
    query: { all: options.all, filters: filtersQuery([...(options.filter ?? []), ...only]) },
  });
  const rows = images.flatMap((image) => {
    const tags = (image.RepoTags as readonly string[] | null) ?? [];
    const names = tags.length > 0 ? tags : ['<none>:<none>'];
    return names.map((name) => {
      const at = name.lastIndexOf(':');
      return {
        Repository: name.slice(0, at),
        Tag: name.slice(at + 1),
        Digest: digestOf(image, name.slice(0, at)),
        ID: options.trunc === false ? String(image.Id) : shortId(String(image.Id)),
        CreatedSince: `${humanDuration(Date.now() - Number(image.Created) * 1000)} ago`,
        Size: humanSize(Number(image.Size)),
      };
    });
  });
  const columns = [
    ['REPOSITORY', 'Repository'],
    ['TAG', 'Tag'],
    ...(options.digests ? ([['DIGEST', 'Digest']] as const) : []),
    ['IMAGE ID', 'ID'],
    ['CREATED', 'CreatedSince'],
    ['SIZE', 'Size'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}

/** Under which a registry knows the image, by the same name. */
function digestOf(image: Json, repository: string): string {
  const digests = (image.RepoDigests as readonly string[] | null) ?? [];
  return digests.find((one) => one.startsWith(`${repository}@`))?.split('@')[1] ?? '<none>';
}

export async function pull(client: ApiClient, name: string, options: PullOptions): Promise<number> {
  const last = await fetchImage(client, name, options);
  process.stdout.write(options.quiet ? `${name}\n` : `${last}\n`);
  return EXIT.ok;
}

export interface PullOptions {
  readonly platform?: string;
  readonly quiet?: boolean;
}

/** Gets an image from its registry. @returns what the node said last */
export async function fetchImage(
  client: ApiClient,
  name: string,
  options: PullOptions,
): Promise<string> {
  const query = { fromImage: name, platform: options.platform };
  const headers = await registryHeaders(name, process.env);
  const lines = client.lines('POST', '/images/create', { query, headers });
  return shownTransfer(`Pulling ${name}`, lines, options.quiet === true);
}

export async function push(
  client: ApiClient,
  name: string,
  options: { readonly allTags?: boolean; readonly quiet?: boolean },
): Promise<number> {
  const { tag } = splitTag(name);
  if (options.allTags && tag !== undefined) {
    throw new TswarmError('invalid_argument', "tag can't be used with --all-tags/-a", {
      hint: `Name the repository alone, or leave out --all-tags to push only "${tag}".`,
    });
  }
  const { path, options: call } = await pushCall(name, process.env, options.allTags === true);
  const lines = client.lines('POST', path, call);
  const last = await shownTransfer(`Pushing ${name}`, lines, options.quiet === true);
  process.stdout.write(options.quiet ? `${name}\n` : `${last}\n`);
  return EXIT.ok;
}

/** Follows a pull or push: layers as they go. @returns the last line that is about no layer */
async function shownTransfer(
  title: string,
  lines: AsyncIterable<Json>,
  isQuiet: boolean,
): Promise<string> {
  const display = new ProgressDisplay(title, isQuiet ? 'quiet' : 'auto');
  let last = '';
  try {
    for await (const line of lines) {
      const failure = streamError(line);
      if (failure) throw failure;
      const status = String(line.status ?? '');
      if (typeof line.id === 'string' && line.id !== '') {
        const done = /complete|exists|pushed|skipped/i.test(status);
        display.update(line.id, done ? 'done' : 'working', status, String(line.progress ?? ''));
      } else if (status !== '') {
        last = status;
      }
    }
    return last;
  } finally {
    display.stop();
  }
}

export async function tag(client: ApiClient, source: string, target: string): Promise<number> {
  const { name: repo, tag: word } = splitTag(target);
  await client.post(imagePath(source, '/tag'), { query: { repo, tag: word } });
  return EXIT.ok;
}

export async function save(
  client: ApiClient,
  names: readonly string[],
  { output }: { readonly output?: string },
): Promise<number> {
  checkArchiveOutput(output);
  await writeArchive(await client.open('GET', '/images/get', { query: { names } }), output);
  return EXIT.ok;
}

function input(path: string | undefined): AsyncIterable<Uint8Array> {
  if (path === undefined || path === '-') {
    if (process.stdin.isTTY)
      throw new TswarmError('invalid_argument', 'no input: name a file or pipe an archive in');
    return process.stdin;
  }
  if (!existsSync(path))
    throw new TswarmError('not_found', `open ${path}: no such file or directory`);
  return createReadStream(path, { highWaterMark: 1024 * 1024 });
}

export async function load(
  client: ApiClient,
  options: { readonly input?: string; readonly quiet?: boolean },
): Promise<number> {
  const stream = { data: input(options.input), type: 'application/x-tar' };
  await printStream(
    client.lines('POST', '/images/load', { query: { quiet: options.quiet === true }, stream }),
  );
  return EXIT.ok;
}

export async function importImage(
  client: ApiClient,
  file: string,
  reference: string | undefined,
  options: { readonly change?: readonly string[]; readonly message?: string },
): Promise<number> {
  const query = new URLSearchParams({
    fromSrc: '-',
    repo: reference ?? '',
    message: options.message ?? '',
  });
  for (const change of options.change ?? []) query.append('changes', change);
  const stream = { data: input(file), type: 'application/x-tar' };
  await printStream(client.lines('POST', `/images/create?${query}`, { stream }));
  return EXIT.ok;
}

/** What a load, import or build says, as it comes; `onAux` hears what is meant for programs. */
export async function printStream(
  lines: AsyncIterable<Json>,
  onAux: (aux: Json) => void = () => {},
  out: NodeJS.WriteStream = process.stdout,
): Promise<void> {
  for await (const line of lines) {
    const failure = streamError(line);
    if (failure) throw failure;
    if (typeof line.aux === 'object' && line.aux !== null) onAux(line.aux as Json);
    const text = String(line.stream ?? line.status ?? '');
    if (text !== '' && line.progressDetail === undefined)
      out.write(line.stream !== undefined ? text : `${text.trimEnd()}\n`);
  }
}

export async function rm(
  client: ApiClient,
  names: readonly string[],
  options: { readonly force?: boolean; readonly prune?: boolean },
): Promise<number> {
  const query = { force: options.force === true, noprune: options.prune === false };
  return forEachName(names, async (name) => {
    const removed = await client.delete<Json[]>(imagePath(name), { query });
    for (const { Untagged, Deleted } of removed) {
      process.stdout.write(Untagged ? `Untagged: ${Untagged}\n` : `Deleted: ${Deleted}\n`);
    }
  });
}

export async function prune(client: ApiClient, options: PruneFlags): Promise<number> {
  const which = options.all
    ? 'all images without at least one container associated to them'
    : 'all dangling images';
  if (!options.force && !(await confirmed(`WARNING! This will remove ${which}.`)))
    return EXIT.failed;
  const filters = [...(options.filter ?? []), `dangling=${options.all ? 'false' : 'true'}`];
  const answer = await client.post<{ ImagesDeleted: Json[] | null; SpaceReclaimed: number }>(
    '/images/prune',
    { query: { filters: filtersQuery(filters) } },
  );
  const gone = prunedLines(answer.ImagesDeleted);
  if (gone.length > 0) process.stdout.write(`Deleted Images:\n${gone.join('\n')}\n\n`);
  process.stdout.write(`Total reclaimed space: ${humanSize(answer.SpaceReclaimed)}\n`);
  return EXIT.ok;
}

/** What a prune took away, a line each. */
export function prunedLines(removed: readonly Json[] | null | undefined): readonly string[] {
  return (removed ?? []).map(({ Untagged, Deleted }) =>
    Untagged ? `untagged: ${String(Untagged)}` : `deleted: ${String(Deleted)}`,
  );
}

export async function diskUsage(
  client: ApiClient,
  options: { readonly format?: string; readonly json?: boolean },
): Promise<number> {
  const usage = await client.get<Json>('/system/df');
  const list = (key: string): readonly Json[] => (usage[key] as readonly Json[] | null) ?? [];
  const sum = (items: readonly Json[], field: (item: Json) => number): number =>
    items.reduce((total, item) => total + field(item), 0);
  const row = (
    type: string,
    items: readonly Json[],
    active: readonly Json[],
    size: number,
    free: number,
  ): Json => ({
    Type: type,
    TotalCount: String(items.length),
    Active: String(active.length),
    Size: humanSize(size),
    Reclaimable:
      size > 0 ? `${humanSize(free)} (${Math.round((free / size) * 100)}%)` : humanSize(free),
  });
  const images = list('Images');
  const usedImages = images.filter((image) => Number(image.Containers) > 0);
  const layers = Number(usage.LayersSize ?? 0);
  const containers = list('Containers');
  const running = containers.filter((container) => container.State === 'running');
  const volumes = list('Volumes');
  const usage2 = (volume: Json): Json => (volume.UsageData as Json | undefined) ?? {};
  const usedVolumes = volumes.filter((volume) => Number(usage2(volume).RefCount ?? 0) > 0);
  const cache = list('BuildCache');
  const rows = [
    row(
      'Images',
      images,
      usedImages,
      layers,
      Math.max(0, layers - sum(usedImages, (i) => Number(i.Size ?? 0))),
    ),
    row(
      'Containers',
      containers,
      running,
      sum(containers, (c) => Number(c.SizeRw ?? 0)),
      sum(
        containers.filter((c) => c.State !== 'running'),
        (c) => Number(c.SizeRw ?? 0),
      ),
    ),
    row(
      'Local Volumes',
      volumes,
      usedVolumes,
      sum(volumes, (v) => Math.max(0, Number(usage2(v).Size ?? 0))),
      sum(
        volumes.filter((v) => !usedVolumes.includes(v)),
        (v) => Math.max(0, Number(usage2(v).Size ?? 0)),
      ),
    ),
    row(
      'Build Cache',
      cache,
      cache.filter((c) => c.InUse === true),
      sum(cache, (c) => Number(c.Size ?? 0)),
      sum(
        cache.filter((c) => c.InUse !== true),
        (c) => Number(c.Size ?? 0),
      ),
    ),
  ];
  const columns = [
    ['TYPE', 'Type'],
    ['TOTAL', 'TotalCount'],
    ['ACTIVE', 'Active'],
    ['SIZE', 'Size'],
    ['RECLAIMABLE', 'Reclaimable'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}
