// Who changed what, newest first.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { HistoryRow } from '#api/cluster/types';
import { age } from '../format.ts';
import { useAnswer, useCluster, useNow } from '../hooks.ts';
import { Failure, Heading } from '../parts.tsx';
import { get } from '../session.ts';

/** The history is asked again after a change, but not more often than this. */
const PAUSE_MS = 2_000;
const PAGE_ROWS = 100;

export function Activity(): JSX.Element {
  return (
    <>
      <Heading title="Activity" sub="Changes of the cluster, newest first" />
      <HistoryList limit={PAGE_ROWS} />
    </>
  );
}

export function HistoryList({ limit }: { readonly limit: number }): JSX.Element {
  const { index } = useCluster();
  const now = useNow();
  const asOf = useThrottled(index);
  const { value: rows, error } = useAnswer(
    async (signal) =>
      asOf === 0
        ? undefined
        : get<readonly HistoryRow[]>(`/tswarm/v1/history?limit=${limit}`, signal),
    [asOf, limit],
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
            <span>{row.summary}</span>
            <small>{row.author}</small>
          </li>
        ))}
      </ol>
    </>
  );
}

/** The value, but not a new one more often than every PAUSE_MS. */
function useThrottled(value: number): number {
  const [shown, setShown] = useState(value);
  const changedMs = useRef(0);
  useEffect(() => {
    if (value === shown) return;
    const waitMs = Math.max(0, changedMs.current + PAUSE_MS - Date.now());
    const timer = setTimeout(() => {
      changedMs.current = Date.now();
      setShown(value);
    }, waitMs);
    return () => clearTimeout(timer);
  }, [value, shown]);
  return shown;
}
