// tswarm image ls, pull, load, import, rm; system df.
import { createReadStream, existsSync } from 'node:fs';
import { TswarmError } from '#protocol/errors';
import { humanDuration } from '#protocol/human-duration';
import type { ApiClient, Json } from '../../client/http.ts';
import { registryHeaders } from '../../client/registry-auth.ts';
import { EXIT, forEachName } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { humanSize, shortId } from '../../output/human.ts';
import { ProgressDisplay } from '../../output/progress.ts';
import { formatTable } from '../../output/table.ts';
import { filtersQuery } from '../context.ts';

export async function ls(
  client: ApiClient,
  options: {
    readonly all?: boolean;
    readonly filter?: readonly string[];
    readonly format?: string;
    readonly quiet?: boolean;
    readonly json?: boolean;
  },
): Promise<number> {
  const images = await client.get<Json[]>('/images/json', {
    query: { all: options.all, filters: filtersQuery(options.filter) },
  });
  const rows = images.flatMap((image) => {
    const tags = (image.RepoTags as readonly string[] | null) ?? [];
    const names = tags.length > 0 ? tags : ['<none>:<none>'];
    return names.map((name) => {
      const at = name.lastIndexOf(':');
      return {
        Repository: name.slice(0, at),
        Tag: name.slice(at + 1),
        ID: shortId(String(image.Id)),
        CreatedSince: `${humanDuration(Date.now() - Number(image.Created) * 1000)} ago`,
        Size: humanSize(Number(image.Size)),
      };
    });
  });
  const columns = [
    ['REPOSITORY', 'Repository'],
    ['TAG', 'Tag'],
    ['IMAGE ID', 'ID'],
    ['CREATED', 'CreatedSince'],
    ['SIZE', 'Size'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}

export async function pull(
  client: ApiClient,
  name: string,
  options: { readonly platform?: string; readonly quiet?: boolean },
): Promise<number> {
  const display = new ProgressDisplay(`Pulling ${name}`, options.quiet ? 'quiet' : 'auto');
  let last = '';
  try {
    const query = { fromImage: name, platform: options.platform };
    const headers = await registryHeaders(name, process.env);
    for await (const line of client.lines('POST', '/images/create', { query, headers })) {
      if (typeof line.error === 'string') throw new TswarmError('failed_precondition', line.error);
      const status = String(line.status ?? '');
      if (typeof line.id === 'string' && line.id !== '') {
        const done = /complete|exists/i.test(status);
        display.update(line.id, done ? 'done' : 'working', status, String(line.progress ?? ''));
      } else {
        last = status;
      }
    }
  } finally {
    display.stop();
  }
  process.stdout.write(options.quiet ? `${name}\n` : `${last}\n`);
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

async function printStream(lines: AsyncIterable<Json>): Promise<void> {
  for await (const line of lines) {
    if (typeof line.error === 'string') throw new TswarmError('failed_precondition', line.error);
    const text = String(line.stream ?? line.status ?? '');
    if (text !== '' && line.progressDetail === undefined)
      process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }
}

export async function rm(
  client: ApiClient,
  names: readonly string[],
  options: { readonly force?: boolean },
): Promise<number> {
  const query = { force: options.force === true };
  return forEachName(names, async (name) => {
    const removed = await client.delete<Json[]>(`/images/${name}`, { query });
    for (const { Untagged, Deleted } of removed) {
      process.stdout.write(Untagged ? `Untagged: ${Untagged}\n` : `Deleted: ${Deleted}\n`);
    }
  });
}

export async function diskUsage(client: ApiClient): Promise<number> {
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
  ): string[] => [
    type,
    String(items.length),
    String(active.length),
    humanSize(size),
    size > 0 ? `${humanSize(free)} (${Math.round((free / size) * 100)}%)` : humanSize(free),
  ];
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
  process.stdout.write(formatTable(['TYPE', 'TOTAL', 'ACTIVE', 'SIZE', 'RECLAIMABLE'], rows));
  return EXIT.ok;
}
