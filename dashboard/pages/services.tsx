// All services: what is wanted, what is there.
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { ServiceRow } from '#api/cluster/feed-types';
import { age, portText } from '../format.ts';
import { useCluster, useNow } from '../hooks.ts';
import { Heading, Image, type Rows, rowsById, State, Table } from '../parts.tsx';

export function Services(): JSX.Element {
  const [text, setText] = useState('');
  const state = useCluster('service');
  const wanted = text.trim().toLowerCase();
  const all = state.named('service');
  // Names and images are as they were as long as these two lists are.
  const shown = useMemo(
    () =>
      wanted === ''
        ? all
        : all.filter((id) => {
            const service = state.get('service', id);
            return `${service?.name} ${service?.image}`.toLowerCase().includes(wanted);
          }),
    [all, state.lastChanged(), wanted],
  );
  return (
    <>
      <Heading title="Services" sub={`${all.length} in this cluster`}>
        <input
          type="search"
          placeholder="Filter by name or image"
          aria-label="Filter by name or image"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </Heading>
      <ServiceTable
        services={rowsById(state, 'service', shown)}
        empty={
          wanted === '' ? NO_SERVICES : `No service has “${text.trim()}” in its name or image.`
        }
      />
    </>
  );
}

const NO_SERVICES = 'No services yet. Deploy a compose file under Stacks, or with: tcompose up';

/** One word for how a service is. */
export function serviceState(service: ServiceRow): string {
  const update = service.update?.state ?? '';
  if (update !== '' && update !== 'completed') return update;
  if (service.mode.endsWith('-job')) return service.running > 0 ? 'running' : 'complete';
  const { running, desired, completed } = service;
  // Tasks that are not started again once they have ended well.
  if (running + completed >= desired && completed > 0) return running > 0 ? 'running' : 'complete';
  if (running >= desired) return desired === 0 ? 'none wanted' : 'running';
  return service.running === 0 ? 'down' : 'starting';
}

export function countText({ mode, running, desired, completed }: ServiceRow): string {
  if (mode.endsWith('-job')) return `${running} running, ${completed} done`;
  return `${running}/${desired}${completed > 0 ? `, ${completed} done` : ''}`;
}

export function ServiceTable({
  services,
  empty = NO_SERVICES,
}: {
  readonly services: Rows<ServiceRow>;
  readonly empty?: string;
}): JSX.Element {
  const now = useNow();
  return (
    <Table
      label="Services"
      rows={services}
      keyOf={(service) => service.id}
      empty={empty}
      columns={[
        {
          title: 'Service',
          cell: (service) => <a href={`#/services/${service.id}`}>{service.name}</a>,
        },
        { title: 'State', cell: (service) => <State of={serviceState(service)} /> },
        { title: 'Tasks', cell: countText, isNumber: true },
        { title: 'Image', cell: (service) => <Image of={service.image} /> },
        { title: 'Ports', cell: (service) => service.ports.map(portText).join(', ') },
        { title: 'Mode', cell: (service) => service.mode, isExtra: true },
        {
          title: 'Stack',
          cell: (service) =>
            service.stack === '' ? '' : <a href={`#/stacks/${service.stack}`}>{service.stack}</a>,
          isExtra: true,
        },
        {
          title: 'Changed',
          cell: (service) => age(service.updatedAt, now),
          isNumber: true,
          isExtra: true,
        },
      ]}
    />
  );
}
