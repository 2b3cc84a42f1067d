// Stacks, and one stack: desired against actual on one page.
import type { JSX } from 'preact';
import type { ServiceRow, StackRow } from '#api/cluster/feed-types';
import { age } from '../format.ts';
import { useCluster, useNow } from '../hooks.ts';
import { Card, Heading, State, Table } from '../parts.tsx';
import type { ClusterState } from '../state.ts';
import { ServiceTable, serviceState } from './services.tsx';

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

function servicesOf(state: ClusterState, stack: string): ServiceRow[] {
  const services = state.all('service').filter((service) => service.stack === stack);
  return services.sort((a, b) => a.name.localeCompare(b.name));
}

export function Stacks(): JSX.Element {
  const state = useCluster();
  const now = useNow();
  return (
    <>
      <Heading title="Stacks" />
      <Table
        label="Stacks"
        rows={stacksOf(state)}
        keyOf={(stack) => stack.name}
        empty="No stacks. Deploy a compose file with: tcompose up"
        columns={[
          { title: 'Stack', cell: ({ name }) => <a href={`#/stacks/${name}`}>{name}</a> },
          {
            title: 'Services',
            cell: ({ name }) =>
              servicesOf(state, name).map((service) => (
                <span key={service.id} class="chip-text">
                  <a href={`#/services/${service.id}`}>{service.name.replace(`${name}_`, '')}</a>{' '}
                  <State of={serviceState(service)} />
                </span>
              )),
          },
          { title: 'Deployments', cell: ({ revision }) => revision || '', isNumber: true },
          { title: 'Last', cell: ({ updatedAt }) => age(updatedAt, now), isNumber: true },
        ]}
      />
    </>
  );
}

export function StackPage({ name }: { readonly name: string }): JSX.Element {
  const state = useCluster();
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
      </Heading>
      <Card title="Services">
        <ServiceTable services={services} />
      </Card>
      <Card title="Networks and volumes">
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
                {nodeId === '' ? 'not used yet' : `on ${state.get('node', nodeId)?.name ?? nodeId}`}
              </small>
            </li>
          ))}
        </ul>
      </Card>
    </>
  );
}
