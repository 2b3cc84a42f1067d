// Lines of several containers, live, with a filter and a jump to an earlier time. Holds the newest LINES_MAX lines.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { LogLine } from '#api/cluster/types';
import { Failure } from '../parts.tsx';
import { callLines } from '../session.ts';

const LINES_MAX = 2_000;
const TAIL = 200;

/** Whose log: one of them. */
export interface LogSource {
  readonly stack?: string;
  readonly service?: string;
  readonly task?: string;
}

/** The number tells lines apart, so that those that are drawn stay when others come and go. */
type NumberedLine = LogLine & { readonly number: number };

interface Log {
  readonly rows: readonly NumberedLine[];
  /** Nodes that do not answer: what their containers say is not there. */
  readonly missing: readonly string[];
  readonly error: Error | undefined;
}

/** `since`: '' = the last TAIL lines of each container. */
function useLines({ stack, service, task }: LogSource, since: string): Log {
  const [rows, setRows] = useState<readonly NumberedLine[]>([]);
  const [missing, setMissing] = useState<readonly string[]>([]);
  const [error, setError] = useState<Error | undefined>();
  useEffect(() => {
    const controller = new AbortController();
    const kept: NumberedLine[] = [];
    let number = 0;
    let isDue = false;
    const draw = (): void => {
      isDue = false;
      // What each container said before comes container by container.
      kept.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
      setRows([...kept]);
    };
    const read = async (): Promise<void> => {
      const from =
        since === '' ? { tail: String(TAIL) } : { since: String(Date.parse(since) / 1000) };
      const log = await callLines('GET /tswarm/v1/logs', {
        query: { stack, service, task, follow: true, marks: true, ...from },
        signal: controller.signal,
      });
      const away = new Set(log.missing);
      setMissing(log.missing);
      for await (const line of log.rows) {
        const { node } = line;
        if (line.missing !== undefined) {
          away.add(node);
          setMissing([...away]);
          continue;
        }
        if (away.delete(node)) setMissing([...away]);
        number++;
        kept.push({ ...line, number });
        if (kept.length > LINES_MAX) kept.splice(0, kept.length - LINES_MAX);
        if (isDue) continue;
        isDue = true;
        requestAnimationFrame(draw);
      }
    };
    setRows([]);
    setError(undefined);
    read().catch((caught: Error) => {
      if (!controller.signal.aborted) setError(caught);
    });
    return () => controller.abort();
  }, [stack, service, task, since]);
  return { rows, missing, error };
}

export function LogView({ source }: { readonly source: LogSource }): JSX.Element {
  const [filter, setFilter] = useState('');
  const [since, setSince] = useState('');
  const [isFollowing, setFollowing] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const { rows, missing, error } = useLines(source, since);
  const wanted = filter.toLowerCase();
  const shown = rows.filter(({ line, service }) =>
    `${service} ${line}`.toLowerCase().includes(wanted),
  );
  // Before anything else sees the new lines: a scroll event in between would take them for somebody who has scrolled away.
  useLayoutEffect(() => {
    if (isFollowing && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const onScroll = (): void => {
    const element = box.current;
    if (!element) return;
    const below = element.scrollHeight - element.scrollTop - element.clientHeight;
    setFollowing(below < 24);
  };
  return (
    <div class="logs">
      <div class="log-tools">
        <input
          type="search"
          placeholder="Only lines with"
          aria-label="Only lines with"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <label>
          From{' '}
          <input
            type="datetime-local"
            step="1"
            value={since}
            onChange={(event) => setSince(event.currentTarget.value)}
          />
        </label>
        <label>
          <input
            type="checkbox"
            checked={isFollowing}
            onChange={(event) => setFollowing(event.currentTarget.checked)}
          />{' '}
          Follow
        </label>
        <span class="sub">{shown.length} lines</span>
      </div>
      <Failure error={error} />
      {missing.length === 0 ? null : (
        <p class="banner bad" role="status">
          No answer from {missing.join(', ')}: what containers there say is missing.
        </p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reached by keyboard */}
      <div class="log-box" ref={box} onScroll={onScroll} role="log" tabIndex={0} aria-label="Log">
        {shown.map((row) => (
          <div key={row.number} class={row.stream}>
            <time>{row.time.slice(11, 23)}</time>{' '}
            <span class="source">{row.slot > 0 ? `${row.service}.${row.slot}` : row.service}</span>{' '}
            {row.line}
          </div>
        ))}
        {rows.length === 0 && !error ? <p class="empty">Nothing was said yet.</p> : null}
        {rows.length > 0 && shown.length === 0 ? (
          <p class="empty">No line has “{filter}” in it.</p>
        ) : null}
      </div>
    </div>
  );
}
