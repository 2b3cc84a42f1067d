// Stacks, and one stack: desired against actual on one page, what was changed in it, and the ways to change it.
import type { JSX } from 'preact';
import type { StackRow } from '#api/cluster/feed-types';
import { Action } from '../dialog.tsx';
import { age } from '../format.ts';
import { useCluster, useMay, useNow } from '../hooks.ts';
import { Card, Heading, NodeLink, rowsById, State, Table } from '../parts.tsx';
import { call } from '../session.ts';
import type { ClusterState } from '../state.ts';
import { HistoryList } from './activity.tsx';
import { VersionsCard } from './rollback.tsx';
import { ServiceTable, serviceState } from './services.tsx';

/** Changes of a stack that its page shows. */
const CHANGES_MAX = 20;

/** A stack of `docker stack deploy` has no object of its own, only services. */
function stacksOf(
  state: ClusterState,
): readonly Pick<StackRow, 'name' | 'revision' | 'updatedAt'>[] {
  const rows = new Map<string, Pick<StackRow, 'name' | 'revision' | 'updatedAt'>>();
  for (const { stack, updatedAt } of state.all('service')) {
    if (stack !== '') rows.set(stack, { name: stack, revision: 0, updatedAt });
  }
  for (const stack of state.all('stack')) rows.set(stack.name, stack);
  return [...rows.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** Ids by name. */
function servicesOf(state: ClusterState, stack: string): readonly string[] {
  return state.named('service').filter((id) => state.get('service', id)?.stack === stack);
}

export function Stacks(): JSX.Element {
  const state = useCluster('stack', 'service');
  const now = useNow();
  const mayChange = useMay('operator');
  const services = (stack: string): JSX.Element[] =>
    servicesOf(state, stack).flatMap((id) => {
      const service = state.get('service', id);
      if (!service) return [];
      return [
        <span key={id} class="chip-text">
          <a href={`#/services/${id}`}>{service.name.replace(`${stack}_`, '')}</a>{' '}
          <State of={serviceState(service)} />
        </span>,
      ];
    });
  return (
    <>
      <Heading title="Stacks">
        {mayChange ? (
          <a class="button primary" href="#/new-stack">
            New stack
          </a>
        ) : null}
      </Heading>
      <Table
        label="Stacks"
        rows={stacksOf(state)}
        keyOf={(stack) => stack.name}
        empty="No stacks yet. Write a compose file here, or deploy one with: tcompose up"
        columns={[
          { title: 'Stack', cell: ({ name }) => <a href={`#/stacks/${name}`}>{name}</a> },
          { title: 'Services', cell: ({ name }) => services(name) },
          { title: 'Deployments', cell: ({ revision }) => revision || '', isNumber: true },
          { title: 'Last', cell: ({ updatedAt }) => age(updatedAt, now), isNumber: true },
        ]}
      />
    </>
  );
}

export function StackPage({ name }: { readonly name: string }): JSX.Element {
  const state = useCluster('stack', 'service', 'network', 'volume');
  const now = useNow();
  const services = servicesOf(state, name);
  const stack = state.all('stack').find((one) => one.name === name);
  const networks = state.all('network').filter((network) => network.stack === name);
  const volumes = state.all('volume').filter((volume) => volume.stack === name);
  if (!stack && services.length === 0) {
    return <p class="empty">There is no such stack any more.</p>;
  }
  const sub = stack ? `deployment ${stack.revision}, ${age(stack.updatedAt, now)} ago` : '';
  return (
    <>
      <Heading title={name} sub={sub}>
        <a class="button" href={`#/logs/stack/${name}`}>
          Logs
        </a>
        <StackActions name={name} hasFile={stack !== undefined} />
      </Heading>
      <Card title="Services">
        <ServiceTable services={rowsById(state, 'service', services)} />
      </Card>
      {stack ? <VersionsCard name={name} /> : null}
      <div class="grid">
        <Card title="Networks and volumes">
          {networks.length + volumes.length === 0 ? <p class="empty">None of its own.</p> : null}
          <ul>
            {networks.map(({ id, name: network, subnets }) => (
              <li key={id}>
                network {network} <small>{subnets.join(', ')}</small>
              </li>
            ))}
            {volumes.map(({ id, name: volume, nodeId }) => (
              <li key={id}>
                volume {volume}{' '}
                <small>
                  {nodeId === '' ? 'not used yet' : 'on '}
                  <NodeLink id={nodeId} />
                </small>
              </li>
            ))}
          </ul>
        </Card>
        <Card title="What was changed">
          <HistoryList limit={CHANGES_MAX} stack={name} />
        </Card>
      </div>
    </>
  );
}

function StackActions({
  name,
  hasFile,
}: {
  readonly name: string;
  readonly hasFile: boolean;
}): JSX.Element | null {
  if (!useMay('operator')) return null;
  return (
    <>
      {hasFile ? (
        <a class="button" href={`#/stacks/${name}/edit`}>
          Edit
        </a>
      ) : null}
      <Action
        label="Remove"
        title={`Remove ${name}?`}
        question="Its services, containers and networks go."
        fields={[
          { name: 'volumes', label: 'Its volumes and the data in them as well', kind: 'check' },
        ]}
        isDangerous
        run={async ({ volumes }) => {
          const query = { volumes: volumes === 'yes' };
          await call('DELETE /tswarm/v1/stacks/{name}', { params: { name }, query });
          location.hash = '#/stacks';
        }}
      />
    </>
  );
}
