// tcompose volumes: the project's volumes on this node, of the named services or of all.
import { LABEL } from '#compose-spec/deploy/names';
import type { Json } from '../client/http.ts';
import { EXIT } from '../output/fail.ts';
import { formatList } from '../output/format.ts';
import type { ComposeContext } from './context.ts';
import { knownProject } from './known-project.ts';

const COLUMNS = [
  ['DRIVER', 'Driver'],
  ['VOLUME NAME', 'Name'],
] as const;

export async function volumes(
  context: ComposeContext,
  keys: readonly string[],
  options: { readonly quiet?: boolean; readonly format?: string },
): Promise<number> {
  const project = await knownProject(context, keys);
  const filters = JSON.stringify({ label: [`${LABEL.project}=${project.name}`] });
  const { Volumes } = await context.client.get<{ Volumes: readonly Json[] | null }>('/volumes', {
    query: { filters },
  });
  const used = new Set(
    keys.flatMap((key) => project.services[key]?.volumes ?? []).map((mount) => mount.source),
  );
  const rows = (Volumes ?? [])
    .filter((volume) => keys.length === 0 || used.has(keyOf(volume)))
    .map((volume) => ({
      Driver: String(volume.Driver),
      Name: String(volume.Name),
      Mountpoint: String(volume.Mountpoint ?? ''),
      Labels: volume.Labels ?? {},
    }))
    .sort((a, b) => a.Name.localeCompare(b.Name));
  const { quiet = false, format = 'table' } = options;
  process.stdout.write(
    formatList({ columns: COLUMNS, rows }, { quiet, format, quietField: 'Name' }),
  );
  return EXIT.ok;
}

/** Name of the volume in the file. */
function keyOf(volume: Json): string {
  return (volume.Labels as Record<string, string> | null)?.[LABEL.volume] ?? '';
}
