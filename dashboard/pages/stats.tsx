// What a container uses, once a second, with the last minute as a line. The samples are those of the Engine API, whichever node the container is on.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { size } from '../format.ts';
import { Card, Failure } from '../parts.tsx';
import { lines } from '../session.ts';
import { type Sample, type Usage, usageOf } from '../usage.ts';

const SAMPLES_KEPT = 60;
const CHART_WIDTH = 240;
const CHART_HEIGHT = 40;

export function StatsCard({ container }: { readonly container: string }): JSX.Element {
  const [past, setPast] = useState<readonly Usage[]>([]);
  const [error, setError] = useState<Error | undefined>();
  useEffect(() => {
    const controller = new AbortController();
    const read = async (): Promise<void> => {
      const { signal } = controller;
      const { rows } = await lines<Sample>(`/containers/${container}/stats?stream=true`, signal);
      for await (const sample of rows) {
        const usage = usageOf(sample);
        if (usage) setPast((before) => [...before.slice(1 - SAMPLES_KEPT), usage]);
      }
    };
    setPast([]);
    read().catch((caught: Error) => {
      if (!controller.signal.aborted) setError(caught);
    });
    return () => controller.abort();
  }, [container]);
  const now = past.at(-1);
  const limit = now?.memoryLimitBytes ?? 0;
  return (
    <Card title="Use, the last minute">
      <Failure error={error} />
      <div class="charts">
        <Chart
          label="Processor"
          text={now ? `${now.cpuPercent.toFixed(1)} % of a core` : '…'}
          values={past.map(({ cpuPercent }) => cpuPercent)}
          most={100}
        />
        <Chart
          label="Memory"
          text={now ? `${size(now.memoryBytes)}${limit > 0 ? ` of ${size(limit)}` : ''}` : '…'}
          values={past.map(({ memoryBytes }) => memoryBytes)}
          most={limit}
        />
        <dl>
          <div>
            <dt>Network</dt>
            <dd>{now ? `${size(now.receivedBytes)} in, ${size(now.sentBytes)} out` : '…'}</dd>
          </div>
          <div>
            <dt>Processes</dt>
            <dd>{now ? now.processes : '…'}</dd>
          </div>
        </dl>
      </div>
    </Card>
  );
}

function Chart({
  label,
  text,
  values,
  most,
}: {
  readonly label: string;
  readonly text: string;
  readonly values: readonly number[];
  /** Top of the chart, unless a value is higher; 0 = the highest value. */
  readonly most: number;
}): JSX.Element {
  const highest = Math.max(
    1,
    most > 0 && most < 2 * Math.max(0, ...values) ? most : Math.max(0, ...values),
  );
  const points = values.map((value, i) => {
    const x = (i * CHART_WIDTH) / (SAMPLES_KEPT - 1);
    const y = CHART_HEIGHT - 1 - (value / highest) * (CHART_HEIGHT - 2);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <div class="chart">
      <div class="meter-text">
        <span>{label}</span>
        <span>{text}</span>
      </div>
      <svg
        role="img"
        aria-label={`${label}: ${text}`}
        viewBox={`0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`}
        preserveAspectRatio="none"
      >
        <polyline points={points.join(' ')} />
      </svg>
    </div>
  );
}
