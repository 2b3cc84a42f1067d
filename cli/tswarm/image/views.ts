// tswarm image history and inspect: what an image is made of, with docker's columns.
import { humanDuration } from '#protocol/human-duration';
import type { ApiClient, Json } from '../../client/http.ts';
import { imagePath } from '../../client/image-calls.ts';
import { EXIT } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { ellipsis, humanSize, shortId } from '../../output/human.ts';
import { inspected } from '../../output/inspect.ts';
import { textOf } from '../data/fields.ts';

const CREATED_BY_CHARS = 45;
const SIZE_DIGITS = 3;

export interface HistoryOptions {
  readonly format?: string;
  /** False: times and bytes as they are. */
  readonly human?: boolean;
  readonly trunc?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function history(
  client: ApiClient,
  name: string,
  options: HistoryOptions,
): Promise<number> {
  const steps = await client.get<Json[]>(imagePath(name, '/history'));
  const nowMs = Date.now();
  const rows = steps.map((step) => stepRow(step, options, nowMs));
  const isHuman = options.human !== false;
  const columns = [
    ['IMAGE', 'ID'],
    isHuman ? (['CREATED', 'CreatedSince'] as const) : (['CREATED AT', 'CreatedAt'] as const),
    ['CREATED BY', 'CreatedBy'],
    ['SIZE', 'Size'],
    ['COMMENT', 'Comment'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}

function stepRow(
  step: Json,
  { human, trunc }: HistoryOptions,
  nowMs: number,
): Readonly<Record<string, string>> {
  const isWhole = trunc === false;
  const id = textOf(step.Id);
  const createdMs = Number(step.Created) * 1000;
  // One line of the table, whatever the instruction had.
  const by = textOf(step.CreatedBy).replaceAll('\t', ' ');
  const bytes = Number(step.Size);
  return {
    ID: isWhole ? id : shortId(id),
    CreatedAt: `${new Date(createdMs).toISOString().slice(0, 19)}Z`,
    CreatedSince: `${humanDuration(nowMs - createdMs)} ago`,
    CreatedBy: isWhole ? by : ellipsis(by, CREATED_BY_CHARS),
    Size: human === false ? String(bytes) : humanSize(bytes, SIZE_DIGITS),
    Comment: textOf(step.Comment),
  };
}

export async function inspect(
  client: ApiClient,
  names: readonly string[],
  options: { readonly format?: string },
): Promise<number> {
  const found = await Promise.all(names.map((name) => client.get<Json>(imagePath(name, '/json'))));
  process.stdout.write(inspected(found, options));
  return EXIT.ok;
}
