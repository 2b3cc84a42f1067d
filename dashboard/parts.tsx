// Pieces that pages are made of.
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Rows as KindRows, RowKind, TaskRow, UpdateRow } from '#api/cluster/feed-types';
import { imageDigest, imageName } from './format.ts';
import { useCluster } from './hooks.ts';
import { ApiError } from './session.ts';
import type { ClusterState } from './state.ts';

type Children = { readonly children?: ComponentChildren };

/** A page's heading, with what can be done there at its right. */
export function Heading({
  title,
  sub,
  children,
}: Children & { readonly title: string; readonly sub?: ComponentChildren }): JSX.Element {
  return (
    <header class="heading">
      <div>
        <h1>{title}</h1>
        {sub === undefined ? null : <p class="sub">{sub}</p>}
      </div>
      <div class="actions">{children}</div>
    </header>
  );
}

export function Card({ title, children }: Children & { readonly title: string }): JSX.Element {
  return (
    <section class="card" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Numbers stand at the right. */
  readonly isNumber?: boolean;
  /** Left out on a narrow screen. */
  readonly isExtra?: boolean;
}

/** Rows in order: a list, or one that looks them up as they are shown. */
export interface Rows<Row> {
  readonly length: number;
  slice(from: number, to: number): readonly Row[];
}

/** Rows of a kind by their ids. */
export function rowsById<K extends RowKind>(
  state: ClusterState,
  kind: K,
  ids: readonly string[],
): Rows<KindRows[K]> {
  return {
    length: ids.length,
    slice: (from, to) =>
      ids
        .slice(from, to)
        .map((id) => state.get(kind, id))
        .filter((row) => row !== undefined),
  };
}

/** Rows of one page: what is drawn with every change. */
const ROWS_SHOWN = 50;

/** A table; `empty` is said instead when there are no rows. Long ones come in pages. */
export function Table<Row>({
  label,
  rows,
  columns,
  keyOf,
  empty,
}: {
  readonly label: string;
  readonly rows: Rows<Row>;
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  readonly empty: string;
}): JSX.Element {
  const [wanted, setPage] = useState(0);
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  const pages = Math.ceil(rows.length / ROWS_SHOWN);
  const page = Math.min(wanted, pages - 1);
  const shown = rows.slice(page * ROWS_SHOWN, (page + 1) * ROWS_SHOWN);
  const classOf = (column: Column<Row>): string =>
    `${column.isNumber ? 'number' : ''} ${column.isExtra ? 'extra' : ''}`.trim();
  return (
    <div class="scroll">
      <table aria-label={label}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" class={classOf(column)}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((column) => (
                <td key={column.title} class={classOf(column)} data-title={column.title}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {pages > 1 ? <Pager label={label} page={page} pages={pages} go={setPage} /> : null}
    </div>
  );
}

function Pager({
  label,
  page,
  pages,
  go,
}: {
  readonly label: string;
  readonly page: number;
  readonly pages: number;
  readonly go: (page: number) => void;
}): JSX.Element {
  return (
    <nav class="pager" aria-label={`Pages of ${label}`}>
      <button type="button" disabled={page === 0} onClick={() => go(page - 1)}>
        Before
      </button>
      <span>
        Page {page + 1} of {pages}
      </span>
      <button type="button" disabled={page === pages - 1} onClick={() => go(page + 1)}>
        Next
      </button>
    </nav>
  );
}

const TONES: Readonly<Record<string, string>> = {
  running: 'good',
  ready: 'good',
  healthy: 'good',
  active: 'good',
  reachable: 'good',
  complete: 'quiet',
  completed: 'good',
  shutdown: 'quiet',
  remove: 'quiet',
  down: 'bad',
  failed: 'bad',
  rejected: 'bad',
  orphaned: 'bad',
  unhealthy: 'bad',
  unreachable: 'bad',
  disconnected: 'bad',
  rollback_completed: 'bad',
};

/** good, bad, quiet, or busy for everything on its way. */
export function toneOf(state: string): string {
  return TONES[state] ?? 'busy';
}

/** A state in its colour; the word is always there, for those who do not see the colour. */
export function State({ of }: { readonly of: string }): JSX.Element {
  return <span class={`state ${toneOf(of)}`}>{of.replaceAll('_', ' ')}</span>;
}

/** State and health of a task as one word. */
export function taskState(task: TaskRow): string {
  // Swarm's name for a container that is made but not started; of a node the same word is good news.
  if (task.state === 'ready') return 'prepared';
  if (task.isDraining && task.state === 'running') return 'draining';
  if (task.state !== 'running' || task.health === '' || task.health === 'healthy')
    return task.state;
  return task.health;
}

/** How much of something is in use. */
export function Meter({
  label,
  used,
  total,
  text,
}: {
  readonly label: string;
  readonly used: number;
  readonly total: number;
  readonly text: string;
}): JSX.Element {
  return (
    <div class="meter">
      <div class="meter-text">
        <span>{label}</span>
        <span>{text}</span>
      </div>
      <meter
        aria-label={`${label}: ${text}`}
        min={0}
        max={1}
        low={0.75}
        high={0.9}
        optimum={0}
        value={total === 0 ? 0 : Math.min(1, used / total)}
      />
    </div>
  );
}

/** How far an update is, and what it says. */
export function Rollout({ update }: { readonly update: UpdateRow }): JSX.Element {
  const { state, updated, total, failed, message } = update;
  const text = `${updated} of ${total}${failed > 0 ? `, ${failed} failed` : ''}`;
  return (
    <div class="rollout">
      <State of={state} /> {message}
      {total > 0 ? (
        <p>
          <progress max={total} value={updated} aria-label="Tasks updated" /> {text}
        </p>
      ) : null}
    </div>
  );
}

export function Image({ of }: { readonly of: string }): JSX.Element {
  const digest = imageDigest(of);
  return (
    <span class="image" title={of}>
      {imageName(of)}
      {digest === '' ? null : <code>{digest}</code>}
    </span>
  );
}

/** A task by its service and slot; its id tells those apart that had the slot before. */
export function TaskLink({ task }: { readonly task: TaskRow }): JSX.Element {
  return (
    <a href={`#/tasks/${task.id}`} title={task.name}>
      {shortName(task)} <small>{task.id.slice(0, ID_SHOWN)}</small>
    </a>
  );
}

const ID_SHOWN = 6;

/** "web.2"; of a task that every node has one of, the service's name. */
export function shortName({ serviceName, slot }: TaskRow): string {
  return slot > 0 ? `${serviceName}.${slot}` : serviceName;
}

export function NodeLink({ id }: { readonly id: string }): JSX.Element | null {
  const node = useCluster(`node:${id}`).get('node', id);
  if (id === '') return null;
  return <a href={`#/nodes/${id}`}>{node?.name ?? id.slice(0, 12)}</a>;
}

/** With the stop that another sentence behind it needs. */
function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Says what went wrong with something that the page asked for. */
export function Failure({ error }: { readonly error: Error | undefined }): JSX.Element | null {
  if (!error) return null;
  const hint = error instanceof ApiError ? error.hint : '';
  return (
    <p class="failure" role="alert">
      {sentence(error.message)} {hint}
    </p>
  );
}
