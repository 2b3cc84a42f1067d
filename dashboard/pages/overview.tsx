// What somebody wants to know first: is anything wrong, how full is it, what runs, what changed last.
import type { JSX } from 'preact';
import { findings } from '../findings.ts';
import { cpus, plural, size } from '../format.ts';
import { useCluster } from '../hooks.ts';
import { Card, Heading, Meter } from '../parts.tsx';
import { capacityOf, isAlive } from '../state.ts';
import { HistoryList } from './activity.tsx';
import { ServiceTable } from './services.tsx';

const ROWS_MAX = 8;

export function Overview(): JSX.Element {
  const state = useCluster();
  const nodes = state.all('node');
  const ready = nodes.filter((node) => node.state === 'ready');
  const sums = ready
    .map((node) => capacityOf(state, node))
    .reduce(
      (sum, one) => ({
        nanoCpus: sum.nanoCpus + one.nanoCpus,
        memoryBytes: sum.memoryBytes + one.memoryBytes,
        nanoCpusReserved: sum.nanoCpusReserved + one.nanoCpusReserved,
        memoryBytesReserved: sum.memoryBytesReserved + one.memoryBytesReserved,
      }),
      { nanoCpus: 0, memoryBytes: 0, nanoCpusReserved: 0, memoryBytesReserved: 0 },
    );
  const leader = nodes.find((node) => node.isLeader);
  const services = state.all('service').sort((a, b) => b.updatedAt.localeCompare(a.updatedAt));
  const alive = state.all('task').filter(isAlive).length;
  return (
    <>
      <Heading
        title="Overview"
        sub={`${plural(nodes.length, 'node')}, ${plural(state.count('service'), 'service')}, ${plural(alive, 'task')}`}
      />
      <Health />
      <div class="grid">
        <Card title="Capacity">
          <Meter
            label="Processors reserved"
            used={sums.nanoCpusReserved}
            total={sums.nanoCpus}
            text={`${cpus(sums.nanoCpusReserved)} of ${cpus(sums.nanoCpus)}`}
          />
          <Meter
            label="Memory reserved"
            used={sums.memoryBytesReserved}
            total={sums.memoryBytes}
            text={`${size(sums.memoryBytesReserved)} of ${size(sums.memoryBytes)}`}
          />
          <p class="sub">
            {ready.length} of {plural(nodes.length, 'node')} ready.{' '}
            {leader ? `${leader.name} leads.` : 'There is no leader.'}
          </p>
        </Card>
        <Card title="Last changes">
          <HistoryList limit={ROWS_MAX} />
        </Card>
      </div>
      <Card title="Services, the last changed first">
        <ServiceTable services={services.slice(0, ROWS_MAX)} />
        {services.length > ROWS_MAX ? (
          <a href="#/services">All {services.length} services</a>
        ) : null}
      </Card>
    </>
  );
}

function Health(): JSX.Element {
  const state = useCluster();
  const all = findings(state);
  if (state.revision === 0) return <p class="banner quiet">Loading…</p>;
  if (all.length === 0) return <p class="banner good">Everything is as it should be.</p>;
  return (
    <section aria-label="What is wrong now">
      <ul class="findings">
        {all.map((finding) => (
          <li key={finding.link + finding.text} class={finding.severity}>
            <a href={finding.link}>{finding.text}</a>
          </li>
        ))}
      </ul>
    </section>
  );
}
