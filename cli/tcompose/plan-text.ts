// A plan as people read it: objects with their fields, where containers go, what is at risk, and one line that sums it up; and as programs do. Marks: + new, ~ changed,
// - removed, ! at risk.
import type { PlannedChangeInfo, PlannedTaskInfo, StackPlan } from '#api/cluster/types';
import { changedFields, type FieldChange } from '#compose-spec/deploy/plan-fields';
import { type PlanRisk, planRisks } from '#compose-spec/deploy/plan-risks';
import { ellipsis } from '../output/human.ts';
import type { Style } from '../output/style.ts';
import { widthOf } from '../output/table.ts';
import type { MadePlan } from './plan.ts';

export interface PlanScreen {
  readonly style: Style;
  /** Columns of the terminal; values are cut so that a line fits. */
  readonly columns: number;
}

/** Containers of one service that are shown one by one; more are summed up by node. */
const TASKS_SHOWN_MAX = 12;
/** Shortest room for a value on a narrow terminal. */
const VALUE_COLUMNS_MIN = 16;
/** Widest column of field names. */
const FIELD_COLUMNS_MAX = 40;

export function planText(made: MadePlan, risks: readonly PlanRisk[], screen: PlanScreen): string {
  const { plan } = made;
  const changed = plan.changes.filter((change) => isShown(change, plan));
  const lines = [
    headline(made, screen.style),
    '',
    ...changeBlocks(changed.map((change) => changeLines(made, change, screen))),
    ...unchangedLine(plan, changed, screen.style),
    ...riskLines(made, risks, screen),
    ...plan.warnings.map((warning) => `${screen.style.yellow('Warning:')} ${warning}`),
    summary(made, screen.style),
  ];
  return `${lines.join('\n')}\n`;
}

/** Blocks of several lines stand apart; single lines stand together. */
function changeBlocks(blocks: readonly (readonly string[])[]): string[] {
  return blocks.flatMap((block, i) => {
    const isClose = block.length === 1 && blocks[i + 1]?.length === 1;
    return isClose ? block : [...block, ''];
  });
}

function headline({ project, plan, hasCluster }: MadePlan, { bold }: Style): string {
  const name = bold(`Plan for project ${project.stack.name}`);
  if (!hasCluster)
    return `${name}: this host is in no cluster yet; "up" creates one of a single node`;
  const nodes = `${plan.nodes} ${plan.nodes === 1 ? 'node' : 'nodes'}`;
  const revision = plan.revision === 0 ? 'new' : `now at revision ${plan.revision}`;
  return `${name}: ${revision}, on ${nodes}`;
}

function isShown(change: PlannedChangeInfo, plan: StackPlan): boolean {
  return change.action !== 'none' || tasksOf(plan, change).some(({ action }) => action !== 'keep');
}

function tasksOf(plan: StackPlan, { kind, name }: PlannedChangeInfo): readonly PlannedTaskInfo[] {
  return kind === 'service' ? plan.tasks.filter(({ service }) => service === name) : [];
}

// ---- one object ---------------------------------------------------------------------------------

const MARKS = { created: '+', updated: '~', removed: '-', none: ' ' } as const;

function paint(style: Style, mark: string): (text: string) => string {
  if (mark === '+') return style.green;
  if (mark === '-') return style.red;
  return mark === '~' ? style.yellow : style.dim;
}

/** `web` for `shop_web`. */
function shortName(made: MadePlan, name: string): string {
  const prefix = `${made.project.stack.name}_`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

function changeLines(made: MadePlan, change: PlannedChangeInfo, screen: PlanScreen): string[] {
  const { style } = screen;
  const mark = MARKS[change.action];
  const name = change.kind === 'service' ? shortName(made, change.name) : change.name;
  const what = whatHappens(made, change);
  const title = `${paint(style, mark)(`${mark} ${change.kind}`)} ${style.bold(name)}`;
  return [
    what === '' ? title : `${title}  ${what}`,
    ...fieldLines(change, screen),
    ...taskLines(made, change, style),
  ];
}

/** What becomes of the object in a few words. */
function whatHappens({ plan, hasCluster }: MadePlan, change: PlannedChangeInfo): string {
  if (!hasCluster) return '';
  if (change.kind !== 'service') return change.recreated ? 'made anew' : '';
  const counts = countActions(tasksOf(plan, change));
  if (change.action === 'created') return countWords(counts);
  if (change.action === 'removed') return 'removed';
  if (change.recreated) return `removed and made anew: ${countWords(counts)}`;
  const restarts = counts.replace + counts.start + counts.stop + counts.restart + counts.pending;
  return restarts === 0
    ? 'in place: no container is touched'
    : `${countWords(counts)}${order(change, counts)}`;
}

type Counts = Record<PlannedTaskInfo['action'], number>;

function countActions(tasks: readonly PlannedTaskInfo[]): Counts {
  const counts: Counts = { keep: 0, start: 0, replace: 0, stop: 0, restart: 0, pending: 0 };
  for (const { action } of tasks) counts[action] += 1;
  return counts;
}

const COUNT_WORDS: readonly (readonly [PlannedTaskInfo['action'], one: string, many: string])[] = [
  ['start', 'starts', 'start'],
  ['replace', 'is replaced', 'are replaced'],
  ['restart', 'is started again', 'are started again'],
  ['stop', 'stops', 'stop'],
  ['pending', 'finds no node', 'find no node'],
  ['keep', 'stays', 'stay'],
];

/** `2 start, 1 is replaced` */
function countWords(counts: Counts): string {
  const words = COUNT_WORDS.filter(([action]) => counts[action] > 0).map(
    ([action, one, many]) => `${counts[action]} ${counts[action] === 1 ? one : many}`,
  );
  return words.length === 0 ? 'no container' : words.join(', ');
}

function order({ after }: PlannedChangeInfo, counts: Counts): string {
  if (counts.replace === 0) return '';
  const config = after?.UpdateConfig as { Order?: string; Parallelism?: number } | undefined;
  const atOnce = config === undefined ? 1 : (config.Parallelism ?? 0);
  const pace = atOnce === 0 ? 'all at once' : `${atOnce} at a time`;
  return `; ${config?.Order ?? 'stop-first'}${counts.replace > 1 ? `, ${pace}` : ''}`;
}

function fieldLines(change: PlannedChangeInfo, { style, columns }: PlanScreen): string[] {
  const fields = fieldsShown(change);
  const width = Math.min(
    FIELD_COLUMNS_MAX,
    Math.max(0, ...fields.map(({ field }) => field.length)),
  );
  return fields.map((change) => {
    const mark = markOf(change);
    const room = Math.max(VALUE_COLUMNS_MIN, columns - width - 9);
    const value = valueText(change, room, style);
    return `    ${paint(style, mark)(mark)} ${change.field.padEnd(width)}  ${value}`;
  });
}

/** Of something new only what it is made from: the rest is in the file. */
function fieldsShown({ kind, action, before, after }: PlannedChangeInfo): readonly FieldChange[] {
  if (action === 'removed' || action === 'none') return [];
  const fields = changedFields(kind, before, after);
  if (action === 'updated') return fields;
  return kind === 'service' ? fields.filter(({ field }) => field === 'image') : [];
}

function markOf({ before, after }: FieldChange): '+' | '-' | '~' {
  if (before === undefined) return '+';
  return after === undefined ? '-' : '~';
}

function valueText({ before, after }: FieldChange, room: number, style: Style): string {
  if (before === undefined || after === undefined) return cut(before ?? after ?? '', room);
  const half = Math.max(VALUE_COLUMNS_MIN / 2, Math.floor((room - 3) / 2));
  const short = before.length + after.length + 3 <= room;
  const [a, b] = short ? [oneLine(before), oneLine(after)] : [cut(before, half), cut(after, half)];
  return `${style.dim(a)} → ${b}`;
}

function cut(text: string, room: number): string {
  return ellipsis(oneLine(text), room);
}

/** Values with control characters would spoil the terminal. */
function oneLine(text: string): string {
  return /\p{Cc}/u.test(text) ? JSON.stringify(text) : text;
}

// ---- its containers -----------------------------------------------------------------------------

const TASK_WORDS: Readonly<Record<PlannedTaskInfo['action'], string>> = {
  keep: 'stays',
  start: 'starts',
  replace: 'is replaced',
  stop: 'stops',
  restart: 'is started again',
  pending: 'finds no node',
};

function taskLines(made: MadePlan, change: PlannedChangeInfo, style: Style): string[] {
  const tasks = tasksOf(made.plan, change);
  if (tasks.every(({ action }) => action === 'keep')) return [];
  if (tasks.length > TASKS_SHOWN_MAX) return byNode(tasks, style);
  const name = shortName(made, change.name);
  const rows = tasks.map((task) => [
    task.slot > 0 ? `${name}.${task.slot}` : name,
    place(task),
    TASK_WORDS[task.action],
    task.reason,
  ]);
  const widths = [0, 1, 2].map((i) => Math.max(...rows.map((row) => widthOf(row[i] ?? ''))));
  return rows.map((row) => {
    const cells = row.map(
      (cell, i) => cell + ' '.repeat(Math.max(0, (widths[i] ?? 0) - widthOf(cell))),
    );
    return style.dim(`      ${cells.join('  ').trimEnd()}`);
  });
}

function place({ node, from, action }: PlannedTaskInfo): string {
  if (node === '') return from === '' ? '-' : `${from} → -`;
  const moves = action === 'replace' && from !== '' && from !== node;
  return moves ? `${from} → ${node}` : node;
}

function byNode(tasks: readonly PlannedTaskInfo[], style: Style): string[] {
  const nodes = new Map<string, PlannedTaskInfo[]>();
  for (const task of tasks) nodes.set(task.node, [...(nodes.get(task.node) ?? []), task]);
  return [...nodes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([node, list]) => {
      const reason = node === '' ? `: ${list[0]?.reason ?? ''}` : '';
      return style.dim(`      ${node || '-'}  ${countWords(countActions(list))}${reason}`);
    });
}

// ---- the rest -----------------------------------------------------------------------------------

function unchangedLine(
  plan: StackPlan,
  changed: readonly PlannedChangeInfo[],
  style: Style,
): string[] {
  const counts = new Map<string, number>();
  for (const change of plan.changes)
    if (!changed.includes(change)) counts.set(change.kind, (counts.get(change.kind) ?? 0) + 1);
  if (counts.size === 0) return [];
  const words = [...counts].map(([kind, n]) => `${n} ${kind}${n === 1 ? '' : 's'}`);
  return [style.dim(`  unchanged: ${words.join(', ')}`), ''];
}

function riskLines(made: MadePlan, risks: readonly PlanRisk[], { style }: PlanScreen): string[] {
  if (risks.length === 0) return [];
  return [
    style.bold('At risk'),
    ...risks.flatMap(({ about, message, hint }) => [
      `  ${style.yellow('!')} ${shortName(made, about)}: ${message}`,
      ...(hint === '' ? [] : [style.dim(`      ${hint}`)]),
    ]),
    '',
  ];
}

function summary({ plan, hasCluster }: MadePlan, style: Style): string {
  const count = (action: string): number =>
    plan.changes.filter((change) => change.action === action).length;
  const counts = countActions(plan.tasks);
  const objects = `${count('created')} to add, ${count('updated')} to change, ${count('removed')} to remove`;
  const touched = plan.tasks.some(({ action }) => action !== 'keep');
  const isSame = count('none') === plan.changes.length && !touched;
  if (isSame) return style.bold('No changes: the cluster is as the files say.');
  const containers = hasCluster ? ` Containers: ${countWords(counts)}.` : '';
  const seconds = Math.round(plan.durationMs / 1000);
  const time = seconds >= 1 ? ` Delays and watching take at least ${duration(seconds)}.` : '';
  const end = plan.complete ? '' : ' The rollout was not followed to its end: it takes too long.';
  return `${style.bold(`Plan: ${objects}.`)}${containers}${time}${end}`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

// ---- diff ---------------------------------------------------------------------------------------

/** Only the differences, object by object, as diff prints them. */
export function diffText(made: MadePlan, style: Style): string {
  const lines: string[] = [];
  for (const change of made.plan.changes) {
    if (change.action === 'none') continue;
    const name = change.kind === 'service' ? shortName(made, change.name) : change.name;
    const title = `${change.kind}s.${name}`;
    if (change.action === 'removed') {
      lines.push(style.red(`- ${title}`));
      continue;
    }
    const mark = change.action === 'created' ? '+' : ' ';
    lines.push(paint(style, mark === '+' ? '+' : '')(`${mark} ${title}:`));
    for (const { field, before, after } of changedFields(
      change.kind,
      change.before,
      change.after,
    )) {
      if (before !== undefined) lines.push(style.red(`-   ${field}: ${oneLine(before)}`));
      if (after !== undefined) lines.push(style.green(`+   ${field}: ${oneLine(after)}`));
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** The plan for programs. */
export interface JsonPlan {
  readonly project: string;
  readonly changes: readonly unknown[];
  readonly [key: string]: unknown;
}

export function jsonPlan({ project, plan, imageIds, hasCluster }: MadePlan): JsonPlan {
  const { changes, ...rest } = plan;
  return {
    project: project.stack.name,
    hasCluster,
    changes: changes.map((change) => ({
      ...change,
      fields: changedFields(change.kind, change.before, change.after),
    })),
    ...rest,
    images: imageIds,
    risks: planRisks(plan),
  };
}
