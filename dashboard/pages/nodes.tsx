// Nodes with what they have left, and one node with its tasks.
import type { JSX } from 'preact';
import type { NodeRow } from '#api/cluster/feed-types';
import { cpus, size } from '../format.ts';
import { useCluster, useIsAdmin } from '../hooks.ts';
import { Action, Card, Heading, Meter, State, Table } from '../parts.tsx';
import { get, post } from '../session.ts';
import { capacityOf, isAlive } from '../state.ts';
import { TaskTable } from './tasks.tsx';
import { WhyCard } from './why.tsx';

export function Nodes(): JSX.Element {
  const state = useCluster();
  const nodes = state.all('node').sort((a, b) => a.name.localeCompare(b.name));
  return (
    <>
      <Heading title="Nodes" />
      <Table
        label="Nodes"
        rows={nodes}
        keyOf={(node) => node.id}
        empty="No nodes."
        columns={[
          { title: 'Name', cell: (node) => <a href={`#/nodes/${node.id}`}>{node.name}</a> },
          { title: 'State', cell: (node) => <State of={node.state} /> },
          { title: 'Availability', cell: (node) => <State of={node.availability} /> },
          { title: 'Role', cell: roleText },
          { title: 'Address', cell: (node) => node.addr, isExtra: true },
          { title: 'Tasks', cell: (node) => capacityOf(state, node).tasks, isNumber: true },
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

function CpuMeter({ node }: { readonly node: NodeRow }): JSX.Element {
  const { nanoCpus, nanoCpusReserved } = capacityOf(useCluster(), node);
  const text = `${cpus(nanoCpusReserved)} of ${cpus(nanoCpus)}`;
  return <Meter label="reserved" used={nanoCpusReserved} total={nanoCpus} text={text} />;
}

function MemoryMeter({ node }: { readonly node: NodeRow }): JSX.Element {
  const { memoryBytes, memoryBytesReserved } = capacityOf(useCluster(), node);
  const text = `${size(memoryBytesReserved)} of ${size(memoryBytes)}`;
  return <Meter label="reserved" used={memoryBytesReserved} total={memoryBytes} text={text} />;
}

export function NodePage({ id }: { readonly id: string }): JSX.Element {
  const state = useCluster();
  const isAdmin = useIsAdmin();
  const node = state.get('node', id);
  if (!node) return <p class="empty">There is no such node any more.</p>;
  const tasks = state.tasksOfNode(id);
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
        {isAdmin ? <Availability node={node} /> : null}
      </Heading>
      {node.message === '' ? null : <p class="banner bad">{node.message}</p>}
      <div class="grid">
        <Card title="Headroom">
          <CpuMeter node={node} />
          <MemoryMeter node={node} />
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
        <TaskTable tasks={tasks.filter(isAlive)} hasService empty="No task runs here." />
      </Card>
      <WhyCard kind="node" id={id} revision={`${node.state}${node.availability}${tasks.length}`} />
    </>
  );
}

interface EngineNode {
  readonly Version: { readonly Index: number };
  readonly Spec: Readonly<Record<string, unknown>>;
}

function Availability({ node }: { readonly node: NodeRow }): JSX.Element {
  const set = async (availability: string): Promise<void> => {
    const { Version, Spec } = await get<EngineNode>(`/nodes/${node.id}`);
    await post(`/nodes/${node.id}/update?version=${Version.Index}`, {
      ...Spec,
      Availability: availability,
    });
  };
  if (node.availability !== 'active') {
    return <Action label="Let it take tasks" run={() => set('active')} />;
  }
  return (
    <>
      <Action label="Take no new tasks" run={() => set('pause')} />
      <Action
        label="Drain"
        confirm={`Move all tasks away from ${node.name}?`}
        run={() => set('drain')}
      />
    </>
  );
}
