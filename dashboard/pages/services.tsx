// All services: what is wanted, what is there.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ServiceRow } from '#api/cluster/feed-types';
import { age, portText } from '../format.ts';
import { useCluster, useNow } from '../hooks.ts';
import { Heading, Image, State, Table } from '../parts.tsx';

export function Services(): JSX.Element {
  const [text, setText] = useState('');
  const all = useCluster().all('service');
  const wanted = text.trim().toLowerCase();
  const services = all
    .filter(({ name, image }) => `${name} ${image}`.toLowerCase().includes(wanted))
    .sort((a, b) => a.name.localeCompare(b.name));
  return (
    <>
      <Heading title="Services">
        <input
          type="search"
          placeholder="Filter by name or image"
          aria-label="Filter by name or image"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </Heading>
      <ServiceTable services={services} />
    </>
  );
}

/** One word for how a service is. */
export function serviceState(service: ServiceRow): string {
  const update = service.update?.state ?? '';
  if (update !== '' && update !== 'completed') return update;
  if (service.mode.endsWith('-job')) return service.running > 0 ? 'running' : 'complete';
  if (service.running >= service.desired) return 'running';
  return service.running === 0 ? 'down' : 'starting';
}

export function countText({ mode, running, desired, completed }: ServiceRow): string {
  return mode.endsWith('-job') ? `${running} running, ${completed} done` : `${running}/${desired}`;
}

export function ServiceTable({
  services,
}: {
  readonly services: readonly ServiceRow[];
}): JSX.Element {
  const now = useNow();
  return (
    <Table
      label="Services"
      rows={services}
      keyOf={(service) => service.id}
      empty="No services. Deploy a compose file with: tcompose up"
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
