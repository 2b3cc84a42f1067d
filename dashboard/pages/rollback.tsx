// Rolling a stack back: the versions that are kept, what going back to one would change, and doing exactly that. When something has changed since the plan was
// shown, the server refuses, and the new plan is shown.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { StackVersion } from '#api/cluster/types';
import { Action } from '../dialog.tsx';
import { age, imageName } from '../format.ts';
import { useAnswer, useCluster, useMay, useNow } from '../hooks.ts';
import { Card, Failure, Heading, Table } from '../parts.tsx';
import { call } from '../session.ts';
import { PlanView } from './plan-view.tsx';

/** What a stack was before, newest first. */
export function VersionsCard({ name }: { readonly name: string }): JSX.Element {
  const state = useCluster('stack', 'service');
  const mayChange = useMay('operator');
  const now = useNow();
  const { value, error } = useAnswer(
    (signal) => call('GET /tswarm/v1/stacks/{name}/versions', { params: { name }, signal }),
    [name, changesOf(state, name)],
  );
  return (
    <Card title="Earlier versions">
      <Failure error={error} />
      <Table<StackVersion>
        label="Earlier versions"
        rows={value ?? []}
        keyOf={({ until }) => until}
        empty={value ? 'No service of it has been changed yet.' : 'Loading…'}
        columns={[
          {
            title: 'Until',
            cell: ({ until }) => <span title={until}>{age(until, now)} ago</span>,
          },
          { title: 'Changed then', cell: ({ replaced }) => changesText(name, replaced) },
          ...(mayChange
            ? [
                {
                  title: 'Actions',
                  cell: ({ until }: StackVersion) => (
                    <a
                      class="button"
                      href={`#/stacks/${name}/rollback/${encodeURIComponent(until)}`}
                      aria-label={`Roll back to the version until ${until}`}
                    >
                      Roll back
                    </a>
                  ),
                },
              ]
            : []),
        ]}
      />
    </Card>
  );
}

/** Changes whenever a service of the stack has another specification. */
function changesOf(state: ReturnType<typeof useCluster>, stack: string): string {
  return state
    .all('service')
    .filter((service) => service.stack === stack)
    .map(({ id, revision }) => `${id}.${revision}`)
    .join(' ');
}

/** "web: shop-web:2 instead of shop-web:1; api" */
function changesText(stack: string, replaced: StackVersion['replaced']): string {
  return replaced
    .map(({ service, imageBefore, imageAfter }) => {
      const name = service.replace(`${stack}_`, '');
      if (imageBefore === imageAfter) return name;
      return `${name}: ${imageName(imageAfter)} instead of ${imageName(imageBefore)}`;
    })
    .join('; ');
}

export function RollBackPage({
  name,
  until,
}: {
  readonly name: string;
  readonly until: string;
}): JSX.Element {
  const now = useNow();
  const mayChange = useMay('operator');
  const [round, setRound] = useState(0);
  const { value: plan, error } = useAnswer(
    (signal) => {
      const query = { to: until };
      const input = { params: { name }, query, signal };
      return call('POST /tswarm/v1/stacks/{name}/rollback/plan', input);
    },
    [name, until, round],
  );
  if (!mayChange) return <p class="empty">Rolling back takes the role operator.</p>;
  const run = async (): Promise<void> => {
    const query = { to: until, expectedState: plan?.state };
    try {
      await call('POST /tswarm/v1/stacks/{name}/rollback', { params: { name }, query });
    } catch (caught) {
      setRound((n) => n + 1);
      throw caught;
    }
    location.hash = `#/stacks/${name}`;
  };
  const hasChanges = plan?.changes.some(({ action }) => action !== 'none') === true;
  return (
    <>
      <Heading
        title={`Roll back ${name}`}
        sub={`to what it was until ${age(until, now)} ago; networks and volumes are not touched`}
      >
        <a class="button" href={`#/stacks/${name}`}>
          Cancel
        </a>
        {hasChanges ? <Action label="Roll back" isPrimary run={run} /> : null}
      </Heading>
      <Failure error={error} />
      {plan ? (
        <section class="card plan-page" aria-label="What it would do">
          <PlanView stack={name} plan={plan} images={[]} same="the stack is like that already" />
        </section>
      ) : null}
      {plan || error ? null : <p class="empty">Loading…</p>}
    </>
  );
}
