// The answer of "why", as `tswarm why` has it: what refused it, what happened before, what would help.
import type { JSX } from 'preact';
import { fixText } from '#protocol/fix-words';
import { age } from '../format.ts';
import { useAnswer, useNow } from '../hooks.ts';
import { Card, Failure, State } from '../parts.tsx';
import { call } from '../session.ts';

interface Refusal {
  readonly Hostname?: string;
  readonly Detail?: string;
}

interface Filter {
  readonly Name: string;
  readonly Nodes: number;
  readonly Refusals?: readonly Refusal[];
}

interface Earlier {
  readonly TaskID?: string;
  readonly State?: string;
  readonly Err?: string;
  readonly ExitCode: number;
  readonly EndedAt?: string;
}

interface Part {
  readonly Err?: string;
  readonly WaitingFor?: string;
  readonly Nodes?: number;
  readonly Filters?: readonly Filter[];
  readonly Earlier?: readonly Earlier[];
  readonly Failures?: readonly Earlier[];
  readonly Reasons?: readonly { readonly Reason?: string; readonly Tasks: number }[];
  readonly Fixes?: readonly Readonly<Record<string, unknown>>[];
  readonly Refused?: readonly { readonly Name?: string; readonly Detail?: string }[];
  readonly Stays?: readonly { readonly Name?: string; readonly Detail?: string }[];
  readonly Example?: Part;
}

interface Why {
  readonly Task?: Part;
  readonly Service?: Part;
  readonly Node?: Part;
}

/** `revision`: asked again when it changes. */
export function WhyCard({
  kind,
  id,
  revision,
}: {
  readonly kind: 'task' | 'service' | 'node';
  readonly id: string;
  readonly revision: string;
}): JSX.Element | null {
  const { value, error } = useAnswer(
    (signal) => call('GET /tswarm/v1/why', { query: { kind, id }, signal }),
    [kind, id, revision],
  );
  const why = value as Why | undefined;
  const part = why?.Task ?? why?.Service ?? why?.Node;
  const sections = part ? sectionsOf(part) : [];
  if (sections.length === 0 && !error) return null;
  return (
    <Card title={kind === 'node' ? 'Waiting tasks, and why not here' : 'Why'}>
      <Failure error={error} />
      {sections}
    </Card>
  );
}

function sectionsOf(part: Part): JSX.Element[] {
  const { Filters = [], Nodes = 0 } = part.Example ?? part;
  const earlier = part.Earlier ?? part.Failures ?? [];
  const pending = [...(part.Refused ?? []), ...(part.Stays ?? [])];
  return [
    section(
      'reasons',
      '',
      (part.Reasons ?? []).map((one) => `${one.Reason ?? ''} (${one.Tasks})`),
    ),
    section('filters', `Of ${Nodes} nodes, these are refused:`, Filters.map(filterText)),
    section(
      'pending',
      '',
      pending.map((one) => `${one.Name ?? ''}: ${one.Detail ?? ''}`),
    ),
    section('earlier', 'Before it:', earlier.map(earlierText)),
    section('fixes', 'What would help:', (part.Fixes ?? []).map(fixText)),
  ].filter((one) => one !== null);
}

function section(
  key: string,
  title: string,
  items: readonly (string | JSX.Element)[],
): JSX.Element | null {
  if (items.length === 0) return null;
  return (
    <div key={key} class="why">
      {title === '' ? null : <h3>{title}</h3>}
      <ul>
        {items.map((item, index) => (
          <li key={index}>{item}</li>
        ))}
      </ul>
    </div>
  );
}

function filterText({ Name, Nodes, Refusals = [] }: Filter): string {
  const who = Refusals.map((one) => `${one.Hostname ?? ''}${one.Detail ? ` (${one.Detail})` : ''}`);
  return `${Name}: ${Nodes}: ${who.join(', ')}`;
}

function earlierText({ State: state = '', Err, ExitCode, EndedAt }: Earlier): JSX.Element {
  return (
    <>
      <State of={state} /> {Err ?? `exit status ${ExitCode}`} <Ago time={EndedAt ?? ''} />
    </>
  );
}

function Ago({ time }: { readonly time: string }): JSX.Element | null {
  const now = useNow();
  if (time === '') return null;
  return <small title={time}>{age(time, now)} ago</small>;
}
