// tswarm system events and prune, and top: what happens, what can go, what is busy.
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { renderTemplate } from '../../output/format.ts';
import { humanSize } from '../../output/human.ts';
import { timeOf } from '../../output/times.ts';
import { filtersQuery } from '../context.ts';
import { confirmed, type PruneFlags } from '../data/fields.ts';
import { prunedLines } from '../image/image.ts';

export async function events(
  client: ApiClient,
  options: {
    readonly filter?: readonly string[];
    readonly format?: string;
    readonly since?: string;
    readonly until?: string;
    readonly json?: boolean;
  },
): Promise<number> {
  const now = Date.now();
  const { since, until, format } = options;
  const query = {
    filters: filtersQuery(options.filter),
    since: since === undefined ? undefined : timeOf('--since', since, now),
    until: until === undefined ? undefined : timeOf('--until', until, now),
  };
  for await (const event of client.lines('GET', '/events', { query })) {
    if (options.json || format === 'json') process.stdout.write(`${JSON.stringify(event)}\n`);
    else if (format) process.stdout.write(`${renderTemplate(format, event)}\n`);
    else process.stdout.write(lineOf(event));
  }
  return EXIT.ok;
}

/** `2024-05-01T10:00:00.000000000Z container start 4a… (image=web, name=x)` */
function lineOf(event: Json): string {
  const actor = (event.Actor ?? {}) as { ID?: string; Attributes?: Record<string, string> | null };
  const names = Object.entries(actor.Attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const inside = names.map(([key, value]) => `${key}=${value}`).join(', ');
  const nanos = String(event.timeNano ?? '')
    .slice(-9)
    .padStart(9, '0');
  const time = `${new Date(Number(event.time) * 1000).toISOString().slice(0, 19)}.${nanos}Z`;
  const rest = inside === '' ? '' : ` (${inside})`;
  return `${time} ${String(event.Type)} ${String(event.Action)} ${actor.ID ?? ''}${rest}\n`;
}

interface PruneAnswer {
  readonly SpaceReclaimed?: number;
  readonly ContainersDeleted?: readonly string[] | null;
  readonly NetworksDeleted?: readonly string[] | null;
  readonly VolumesDeleted?: readonly string[] | null;
  readonly ImagesDeleted?: readonly Json[] | null;
  readonly CachesDeleted?: readonly string[] | null;
}

export async function prune(
  client: ApiClient,
  options: PruneFlags & { readonly volumes?: boolean },
): Promise<number> {
  if (!options.force && !(await confirmed(warningOf(options)))) return EXIT.failed;
  const filters = options.filter ?? [];
  const post = (path: string, more: readonly string[] = []): Promise<PruneAnswer> =>
    client.post(path, { query: { filters: filtersQuery([...filters, ...more]) } });
  const containers = await post('/containers/prune');
  const networks = await post('/networks/prune');
  const volumes = options.volumes ? await post('/volumes/prune') : {};
  const images = await post('/images/prune', [options.all ? 'dangling=false' : 'dangling=true']);
  const cache = await client.post<PruneAnswer>('/build/prune', {
    query: { all: options.all === true, filters: filtersQuery(filters) },
  });
  show('Deleted Containers:', containers.ContainersDeleted);
  show('Deleted Networks:', networks.NetworksDeleted);
  show('Deleted Volumes:', volumes.VolumesDeleted);
  show('Deleted Images:', prunedLines(images.ImagesDeleted));
  show('Deleted build cache objects:', cache.CachesDeleted);
  const freed = [containers, volumes, images, cache].map((one) => one.SpaceReclaimed ?? 0);
  const total = freed.reduce((sum, bytes) => sum + bytes, 0);
  process.stdout.write(`Total reclaimed space: ${humanSize(total)}\n`);
  return EXIT.ok;
}

function warningOf({
  all,
  volumes,
}: {
  readonly all?: boolean;
  readonly volumes?: boolean;
}): string {
  const parts = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
    all ? 'all build cache' : 'unused build cache',
  ];
  return `WARNING! This will remove:\n${parts.map((part) => `  - ${part}\n`).join('')}`;
}

function show(title: string, names: readonly string[] | null | undefined): void {
  if (!names || names.length === 0) return;
  process.stdout.write(`${title}\n${names.join('\n')}\n\n`);
}
