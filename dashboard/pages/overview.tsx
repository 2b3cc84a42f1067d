// What somebody wants to know first: is anything wrong, how full is it, what runs, what changed last.
import type { JSX } from 'preact';
import { cpus, plural, size } from '../format.ts';
import { useApp, useCluster } from '../hooks.ts';
import { Card, Heading, Meter, rowsById } from '../parts.tsx';
import { HistoryList } from './activity.tsx';
import { ServiceTable } from './services.tsx';

const ROWS_MAX = 8;
/** More of them say no more. */
const FINDINGS_MAX = 12;

export function Overview(): JSX.Element {
  const state = useCluster();
  const { ready } = state;
  const nodes = state.count('node');
  const services = state.lastChanged();
  return (
    <>
      <Heading
        title="Overview"
        sub={`${plural(nodes, 'node')}, ${plural(services.length, 'service')}, ${plural(state.aliveTasks, 'task')}`}
      />
      <Health />
      <div class="grid">
        <Card title="Capacity">
          <Meter
            label="Processors reserved"
            used={ready.nanoCpusReserved}
            total={ready.nanoCpus}
            text={`${cpus(ready.nanoCpusReserved)} of ${cpus(ready.nanoCpus)}`}
          />
          <Meter
            label="Memory reserved"
            used={ready.memoryBytesReserved}
            total={ready.memoryBytes}
            text={`${size(ready.memoryBytesReserved)} of ${size(ready.memoryBytes)}`}
          />
          <p class="sub">
            {ready.nodes} of {plural(nodes, 'node')} ready. <Leader />
          </p>
        </Card>
        <Card title="Last changes">
          <HistoryList limit={ROWS_MAX} />
        </Card>
      </div>
      <Card title="Services, the last changed first">
        <ServiceTable services={rowsById(state, 'service', services.slice(0, ROWS_MAX))} />
        {services.length > ROWS_MAX ? (
          <a href="#/services">All {services.length} services</a>
        ) : null}
      </Card>
    </>
  );
}

/** Looked for when a node's own row changes, not with every task. */
function Leader(): JSX.Element {
  const leader = useCluster('node')
    .all('node')
    .find((node) => node.isLeader);
  return <>{leader ? `${leader.name} leads.` : 'There is no leader.'}</>;
}

function Health(): JSX.Element {
  const state = useCluster();
  const { findings } = useApp().live;
  if (state.revision === 0) return <p class="banner quiet">Loading…</p>;
  if (findings.length === 0) return <p class="banner good">Everything is as it should be.</p>;
  const more = findings.length - FINDINGS_MAX;
  return (
    <section aria-label="What is wrong now">
      <ul class="findings">
        {findings.slice(0, FINDINGS_MAX).map((finding) => (
          <li key={finding.link + finding.text} class={finding.severity}>
            <a href={finding.link}>{finding.text}</a>
          </li>
        ))}
      </ul>
      {more > 0 ? <p class="sub">and {more} more of the kind.</p> : null}
    </section>
  );
}
