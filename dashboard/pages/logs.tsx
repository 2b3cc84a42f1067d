// Logs of a stack or a service, of all its containers on all nodes, as they come.
import type { JSX } from 'preact';
import { useCluster } from '../hooks.ts';
import { Heading } from '../parts.tsx';
import { LogView } from './log-view.tsx';

export function Logs({
  kind,
  name,
}: {
  readonly kind: string;
  readonly name: string;
}): JSX.Element {
  const state = useCluster();
  const stacks = new Set(state.all('service').map(({ stack }) => stack));
  const chosen = kind === '' ? '' : `${kind}/${name}`;
  return (
    <>
      <Heading title="Logs">
        <select
          aria-label="Logs of"
          value={chosen}
          onChange={(event) => {
            location.hash = `#/logs/${event.currentTarget.value}`;
          }}
        >
          <option value="">Choose a stack or a service</option>
          <optgroup label="Stacks">
            {[...stacks]
              .filter((stack) => stack !== '')
              .sort()
              .map((stack) => (
                <option key={stack} value={`stack/${stack}`}>
                  {stack}
                </option>
              ))}
          </optgroup>
          <optgroup label="Services">
            {state
              .all('service')
              .sort((a, b) => a.name.localeCompare(b.name))
              .map((service) => (
                <option key={service.id} value={`service/${service.name}`}>
                  {service.name}
                </option>
              ))}
          </optgroup>
        </select>
      </Heading>
      {chosen === '' ? (
        <p class="empty">Choose whose logs to follow.</p>
      ) : (
        <LogView key={chosen} query={`${kind}=${encodeURIComponent(name)}`} />
      )}
    </>
  );
}
