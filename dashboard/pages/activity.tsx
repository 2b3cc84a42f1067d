// Who changed what, newest first; and, for administrators, every request that changed something through this node or was refused.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { age } from '../format.ts';
import { useAnswer, useCluster, useMay, useNow } from '../hooks.ts';
import { Card, Failure, Heading, Table } from '../parts.tsx';
import { call } from '../session.ts';
import type { ClusterState } from '../state.ts';

/** The history is asked again after a change, but not more often than this. */
const PAUSE_MS = 2_000;
const PAGE_ROWS = 100;
const AUDIT_ROWS = 500;
/** Changes of the cluster among which those of a stack are looked for. */
const LOOKED_AT = 1_000;

export function Activity(): JSX.Element {
  const isAdmin = useMay('admin');
  return (
    <>
      <Heading title="Activity" sub="Changes of the cluster, newest first" />
      <Card title="Changes">
        <HistoryList limit={PAGE_ROWS} />
      </Card>
      {isAdmin ? <Audit /> : null}
    </>
  );
}

/** `stack`: only what was changed of it. */
export function HistoryList({
  limit,
  stack = '',
}: {
  readonly limit: number;
  readonly stack?: string;
}): JSX.Element {
  const state = useCluster();
  const { index } = state;
  const now = useNow();
  const asOf = useThrottled(index);
  const { value: rows, error } = useAnswer(
    async (signal) => {
      if (asOf === 0) return undefined;
      if (stack === '') return call('GET /tswarm/v1/history', { query: { limit }, signal });
      const input = { params: { name: stack }, query: { limit: LOOKED_AT }, signal };
      return call('GET /tswarm/v1/stacks/{name}/history', input);
    },
    [asOf, limit, stack],
  );
  if (rows?.length === 0) return <p class="empty">Nothing was changed yet.</p>;
  return (
    <>
      <Failure error={error} />
      <ol class="history">
        {(rows ?? []).slice(0, limit).map((row) => (
          <li key={row.index}>
            <time dateTime={row.time} title={row.time}>
              {age(row.time, now)}
            </time>
            <span>{withNames(state, row.summary)}</span>
            <small>{withNames(state, row.author)}</small>
          </li>
        ))}
      </ol>
    </>
  );
}

/** Nodes by their names, where the history has their ids. */
function withNames(state: ClusterState, text: string): string {
  return text.replace(/\b[0-9a-z]{25}\b/g, (id) => state.get('node', id)?.name ?? id);
}

function Audit(): JSX.Element {
  const now = useNow();
  const { value, error } = useAnswer(
    (signal) => call('GET /tswarm/v1/audit', { query: { limit: AUDIT_ROWS }, signal }),
    [],
  );
  return (
    <Card title="Requests through this node that changed something, or were refused">
      <Failure error={error} />
      <Table
        label="Audit"
        rows={value ?? []}
        keyOf={({ time, path, durationMs }) => `${time} ${path} ${durationMs}`}
        empty={value ? 'None.' : 'Loading…'}
        columns={[
          {
            title: 'When',
            cell: ({ time }) => <span title={time}>{age(time, now)}</span>,
          },
          { title: 'Who', cell: ({ who }) => who || 'unknown' },
          { title: 'Role', cell: ({ role }) => role, isExtra: true },
          { title: 'From', cell: ({ from }) => from, isExtra: true },
          { title: 'Request', cell: ({ method, path }) => <code>{`${method} ${path}`}</code> },
          { title: 'Status', cell: ({ status }) => status, isNumber: true },
        ]}
      />
    </Card>
  );
}

/** The value, but not a new one more often than every PAUSE_MS. */
function useThrottled(value: number): number {
  const [shown, setShown] = useState(value);
  const changedMs = useRef(0);
  const isWaiting = useRef(false);
  const latest = useRef(value);
  latest.current = value;
  useEffect(() => {
    if (value === shown || isWaiting.current) return;
    isWaiting.current = true;
    const waitMs = Math.max(0, changedMs.current + PAUSE_MS - Date.now());
    setTimeout(() => {
      isWaiting.current = false;
      changedMs.current = Date.now();
      setShown(latest.current);
    }, waitMs);
  }, [value, shown]);
  return shown;
}
