// Nodes with what they have left, and one node with its tasks and what can be done with it.
import type { JSX } from 'preact';
import type { NodeRow } from '#api/cluster/feed-types';
import { Action } from '../dialog.tsx';
import { cpus, size } from '../format.ts';
import { useCluster, useMay } from '../hooks.ts';
import { Card, Heading, Meter, rowsById, State, Table } from '../parts.tsx';
import { call } from '../session.ts';
import { capacityOf } from '../state.ts';
import { TaskTable } from './tasks.tsx';
import { WhyCard } from './why.tsx';

export function Nodes(): JSX.Element {
  const state = useCluster('node', 'nodes');
  const ids = state.named('node');
  return (
    <>
      <Heading title="Nodes" sub={`${ids.length} in this cluster`} />
      <Table
        label="Nodes"
        rows={rowsById(state, 'node', ids)}
        keyOf={(node) => node.id}
        empty="No nodes."
        columns={[
          { title: 'Name', cell: (node) => <a href={`#/nodes/${node.id}`}>{node.name}</a> },
          { title: 'State', cell: (node) => <State of={node.state} /> },
          { title: 'Availability', cell: (node) => <State of={node.availability} /> },
          { title: 'Role', cell: roleText },
          { title: 'Address', cell: (node) => node.addr, isExtra: true },
          { title: 'Tasks', cell: (node) => <TaskCount node={node} />, isNumber: true },
          { title: 'Processors', cell: (node) => <CpuMeter node={node} />, isExtra: true },
          { title: 'Memory', cell: (node) => <MemoryMeter node={node} />, isExtra: true },
          { title: 'Version', cell: (node) => node.version, isExtra: true },
        ]}
      />
    </>
  );
}

function roleText(node: NodeRow): string {
  if (node.role === 'worker') return 'worker';
  if (node.isLeader) return 'manager, leads';
  return node.reachability === 'reachable' ? 'manager' : `manager, ${node.reachability}`;
}

interface OfNode {
  readonly node: NodeRow;
}

function TaskCount({ node }: OfNode): JSX.Element {
  return <>{capacityOf(useCluster(`node:${node.id}`), node).tasks}</>;
}

interface OfMeter extends OfNode {
  readonly label?: string;
}

function CpuMeter({ node, label = 'reserved' }: OfMeter): JSX.Element {
  const { nanoCpus, nanoCpusReserved } = capacityOf(useCluster(`node:${node.id}`), node);
  const text = `${cpus(nanoCpusReserved)} of ${cpus(nanoCpus)}`;
  return <Meter label={label} used={nanoCpusReserved} total={nanoCpus} text={text} />;
}

function MemoryMeter({ node, label = 'reserved' }: OfMeter): JSX.Element {
  const { memoryBytes, memoryBytesReserved } = capacityOf(useCluster(`node:${node.id}`), node);
  const text = `${size(memoryBytesReserved)} of ${size(memoryBytes)}`;
  return <Meter label={label} used={memoryBytesReserved} total={memoryBytes} text={text} />;
}

export function NodePage({ id }: { readonly id: string }): JSX.Element {
  const state = useCluster(`node:${id}`);
  const node = state.get('node', id);
  if (!node) return <p class="empty">There is no such node any more.</p>;
  const alive = state.aliveOnNode(id);
  const labels = Object.entries(node.labels);
  return (
    <>
      <Heading
        title={node.name}
        sub={
          <>
            <State of={node.state} /> <State of={node.availability} /> {roleText(node)}, {node.addr}
            , {node.platform}, tswarm {node.version}
          </>
        }
      >
        <NodeActions node={node} />
      </Heading>
      {node.message === '' ? null : <p class="banner bad">{node.message}</p>}
      <div class="grid">
        <Card title="Headroom">
          <CpuMeter node={node} label="Processors reserved" />
          <MemoryMeter node={node} label="Memory reserved" />
        </Card>
        <Card title="Labels">
          {labels.length === 0 ? <p class="empty">None.</p> : null}
          <ul>
            {labels.map(([key, value]) => (
              <li key={key}>
                <code>
                  {key}={value}
                </code>
              </li>
            ))}
          </ul>
        </Card>
      </div>
      <Card title="Tasks on it">
        <TaskTable tasks={rowsById(state, 'task', alive)} hasService empty="No task runs here." />
      </Card>
      <WhyCard kind="node" id={id} revision={`${node.state}${node.availability}${alive.length}`} />
    </>
  );
}

/** Changes some fields of what the node should be. */
async function change(id: string, fields: object): Promise<void> {
  const params = { id };
  const { Version, Spec } = await call('GET /tswarm/v1/nodes/{id}', { params });
  const query = { version: (Version as { readonly Index: number }).Index };
  const body = { ...(Spec as object), ...fields };
  await call('POST /tswarm/v1/nodes/{id}/update', { params, query, body });
}

function NodeActions({ node }: OfNode): JSX.Element | null {
  const mayChange = useMay('operator');
  const isAdmin = useMay('admin');
  if (!mayChange) return null;
  const { id, name, availability } = node;
  const set = (Availability: string) => () => change(id, { Availability });
  return (
    <>
      {availability === 'active' ? (
        <Action label="Take no new tasks" run={set('pause')} />
      ) : (
        <Action label="Let it take tasks" run={set('active')} />
      )}
      {availability === 'drain' ? null : (
        <Action label="Drain" question={`Move all tasks away from ${name}?`} run={set('drain')} />
      )}
      <LabelsAction node={node} />
      {isAdmin ? <MemberActions node={node} /> : null}
    </>
  );
}

function LabelsAction({ node }: OfNode): JSX.Element {
  return (
    <Action
      label="Label"
      title={`A label of ${node.name}`}
      fields={[
        { name: 'key', label: 'Name' },
        {
          name: 'value',
          label: 'Value',
          isOptional: true,
          hint: 'Constraints such as node.labels.disk == ssd choose nodes by it.',
        },
        { name: 'remove', label: 'Take this label away', kind: 'check' },
      ]}
      run={async ({ key = '', value = '', remove }) => {
        const { [key]: _, ...others } = node.labels;
        const Labels = remove === 'yes' ? others : { ...others, [key.trim()]: value.trim() };
        await change(node.id, { Labels });
      }}
    />
  );
}

function MemberActions({ node }: OfNode): JSX.Element {
  const { id, name, role, state } = node;
  return (
    <>
      {role === 'worker' ? (
        <Action
          label="Promote"
          question={`Make ${name} a manager? It gets a copy of all that the cluster knows, and a vote.`}
          run={() => change(id, { Role: 'manager' })}
        />
      ) : (
        <Action
          label="Demote"
          question={`Make ${name} a worker? One manager less means that fewer may fail.`}
          run={() => change(id, { Role: 'worker' })}
        />
      )}
      {state === 'down' ? (
        <Action
          label="Remove"
          question={`Take ${name} out of the cluster? To come back it has to join again.`}
          isDangerous
          run={async () => {
            await call('DELETE /tswarm/v1/nodes/{id}', { params: { id } });
            location.hash = '#/nodes';
          }}
        />
      ) : null}
    </>
  );
}
