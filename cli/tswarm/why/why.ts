// tswarm why: a task, a service or a node in words. The data comes from /tswarm/v1/why; what is known there and not shown here is in `--format json`.

import { fixText, mebibytes } from '#protocol/fix-words';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { ageMs, shortId } from '../../output/human.ts';
import { type Style, styleFor } from '../../output/style.ts';
import { formatTable } from '../../output/table.ts';
import { filterWords, replacedWords, since } from './words.ts';

export interface WhyOptions {
  readonly kind?: string;
  readonly format?: string;
}

const obj = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const many = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const str = (value: unknown): string =>
  value === undefined || value === null ? '' : String(value);
const num = (value: unknown): number => Number(value ?? 0);

interface View {
  readonly style: Style;
  /** node id → hostname */
  hostOf(id: unknown): string;
}

export async function why(client: ApiClient, name: string, options: WhyOptions): Promise<number> {
  const answer = await call(client, 'GET /tswarm/v1/why', {
    query: { id: name, kind: options.kind },
  });
  if (options.format === 'json') {
    process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
    return EXIT.ok;
  }
  const names = obj(answer.Hostnames);
  const view: View = {
    style: styleFor(process.stdout, process.env),
    hostOf: (id) => str(names[str(id)]) || shortId(str(id)),
  };
  const lines = answer.Task
    ? taskLines(obj(answer.Task), view)
    : answer.Service
      ? serviceLines(obj(answer.Service), view)
      : nodeLines(obj(answer.Node), view);
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  return EXIT.ok;
}

/** A heading and what belongs to it, or nothing. */
function section(view: View, title: string, lines: readonly string[]): string[] {
  return lines.length === 0
    ? []
    : ['', view.style.bold(title), ...lines.map((line) => (line === '' ? '' : `  ${line}`))];
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : formatTable(header, rows).trimEnd().split('\n');
}

// ---- a task -----------------------------------------------------------------------------------------

function taskLines(task: Json, view: View): string[] {
  const place = task.NodeID ? ` on ${view.hostOf(task.NodeID)}` : '';
  const reason = str(task.Err) || str(task.WaitingFor);
  const detail = reason === '' ? str(task.Message) : reason;
  const lagging = (task.UnacknowledgedBy as readonly string[] | undefined) ?? [];
  const waits = [
    ...(task.WaitingFor ? [str(task.WaitingFor)] : []),
    ...(lagging.length > 0
      ? [`${lagging.join(', ')} to take it out of service before it is stopped`]
      : []),
  ];
  return [
    `${view.style.bold(`Task ${str(task.Name)}`)} is ${str(task.State)}${place}: ${detail}`,
    ...section(view, 'It waits for', waits),
    ...filterLines(task, view),
    ...scoreLines(task, view),
    ...section(view, 'Before it in this slot', earlierLines(many(task.Earlier), view)),
    ...fixLines(task, view),
  ];
}

function filterLines(task: Json, view: View): string[] {
  const filters = many(task.Filters);
  const nodes = num(task.Nodes);
  const lines = filters.flatMap((filter) => {
    const refusals = many(filter.Refusals);
    const rest = num(filter.Nodes) - refusals.length;
    return [
      `${num(filter.Nodes)} of ${nodes}: ${filterWords(str(filter.Name))}`,
      ...refusals.map(
        (one) => `  ${str(one.Hostname) || view.hostOf(one.NodeID)}: ${str(one.Detail)}`,
      ),
      ...(rest > 0 ? [`  … and ${rest} more`] : []),
    ];
  });
  return section(view, `Nodes that cannot take it (${refused(filters)} of ${nodes})`, lines);
}

function refused(filters: readonly Json[]): number {
  return filters.reduce((sum, filter) => sum + num(filter.Nodes), 0);
}

function scoreLines(task: Json, view: View): string[] {
  const scores = many(task.Scores);
  const spreads = scores.some((score) => Array.isArray(score.Spread) && score.Spread.length > 0);
  const header = [
    'RANK',
    'NODE',
    ...(spreads ? ['SPREAD'] : []),
    'RECENT FAILURES',
    'SAME SERVICE',
    'RESERVED',
    'TASKS',
    'IMAGE',
  ];
  const rows = scores.map((score) => [
    str(score.Rank),
    str(score.Hostname) || view.hostOf(score.NodeID),
    ...(spreads ? [((score.Spread as readonly number[] | undefined) ?? []).join(' / ')] : []),
    str(num(score.RecentFailures)),
    str(num(score.ServiceTasks)),
    `${num(score.ReservedPercent)} %`,
    str(num(score.Tasks)),
    score.HasImage ? 'yes' : 'no',
  ]);
  return section(view, 'Nodes that can, the best first', table(header, rows));
}

function earlierLines(tasks: readonly Json[], view: View): string[] {
  const rows = tasks.map((task) => [
    shortId(str(task.TaskID)),
    view.hostOf(task.NodeID),
    str(task.State),
    endText(task),
    ranText(task),
    replacedWords(str(task.ReplacedBecause)),
  ]);
  return table(['TASK', 'NODE', 'STATE', 'EXIT', 'RAN', 'REPLACED BECAUSE'], rows);
}

function endText(task: Json): string {
  const oom = task.OOMKilled ? ' (out of memory)' : '';
  const err = str(task.Err);
  if (err !== '') return `${err}${oom}`;
  return ['complete', 'failed'].includes(str(task.State)) ? `exit ${num(task.ExitCode)}${oom}` : '';
}

function ranText(task: Json): string {
  const [from, to] = [str(task.RunningSince), str(task.EndedAt)];
  if (from === '' || from.startsWith('0001') || to === '' || to.startsWith('0001')) return '-';
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  return `${seconds.toFixed(1)}s`;
}

function fixLines(subject: Json, view: View): string[] {
  return section(
    view,
    'What would help',
    many(subject.Fixes).map((fix) => `- ${fixText(fix)}`),
  );
}

// ---- a service --------------------------------------------------------------------------------------

function serviceLines(service: Json, view: View): string[] {
  const [desired, running] = [num(service.Desired), num(service.Running)];
  const reasons = many(service.Reasons);
  const all = running >= desired && reasons.length === 0 ? ', as it should' : '';
  const update = obj(service.UpdateStatus);
  const example = obj(service.Example);
  return [
    `${view.style.bold(`Service ${str(service.Name)}`)}: ${running} of ${desired} tasks run${all}`,
    ...updateLines(update, view),
    ...section(
      view,
      'Tasks that do not run',
      reasons.map(
        (one) => `${num(one.Tasks)}: ${str(one.Reason)} (${shortId(str(one.ExampleTaskID))})`,
      ),
    ),
    ...(service.Example ? filterLines(example, view) : []),
    ...section(view, 'Latest failures', earlierLines(many(service.Failures), view)),
    ...fixLines(service, view),
  ];
}

function updateLines(update: Json, view: View): string[] {
  const state = str(update.State);
  if (state === '') return [];
  const slots =
    num(update.Total) > 0
      ? [
          `${num(update.Updated)} of ${num(update.Total)} tasks are of the new version${
            num(update.Failed) > 0 ? `, ${num(update.Failed)} failed` : ''
          }`,
        ]
      : [];
  const progress = str(update.ProgressAt);
  const isRunning = state === 'updating' || state === 'rollback_started';
  const last =
    isRunning && progress !== '' && !progress.startsWith('0001')
      ? [`last progress ${since(ageMs(progress, Date.now()))} ago`]
      : [];
  return section(view, `Update: ${state.replace('_', ' ')}`, [
    str(update.Message),
    ...slots,
    ...last,
  ]);
}

// ---- a node -----------------------------------------------------------------------------------------

function nodeLines(node: Json, view: View): string[] {
  const name = str(node.Hostname) || shortId(str(node.ID));
  const message = str(node.Message);
  const refusedTasks = many(node.Refused).map((one) => [
    str(one.Name),
    filterWords(str(one.Filter)),
    str(one.Detail),
  ]);
  const stays = many(node.Stays).map((one) => `${str(one.Name)}: ${str(one.Detail)}`);
  return [
    `${view.style.bold(`Node ${name}`)} is ${str(node.State)} and ${str(node.Availability)}${message === '' ? '' : `: ${message}`}`,
    ...section(view, 'It has', [
      `${num(node.Tasks)} tasks`,
      `${num(node.NanoCPUsReserved) / 1e9} of ${num(node.NanoCPUs) / 1e9} cpus reserved`,
      `${mebibytes(num(node.MemoryBytesReserved))} of ${mebibytes(num(node.MemoryBytes))} of memory reserved`,
    ]),
    ...section(view, 'Tasks that still have to leave it', stays),
    ...section(
      view,
      'Waiting tasks that it cannot take',
      table(['TASK', 'FILTER', 'BECAUSE'], refusedTasks),
    ),
    ...fixLines(node, view),
  ];
}
