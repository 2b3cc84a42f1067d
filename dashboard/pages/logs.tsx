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
  const state = useCluster('services');
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
            {state.named('service').map((id) => {
              const service = state.get('service', id)?.name ?? '';
              return (
                <option key={id} value={`service/${service}`}>
                  {service}
                </option>
              );
            })}
          </optgroup>
        </select>
      </Heading>
      {chosen === '' ? (
        <p class="empty">Choose whose logs to follow.</p>
      ) : (
        <LogView key={chosen} source={kind === 'stack' ? { stack: name } : { service: name }} />
      )}
    </>
  );
}
