// Tasks on their nodes, live: one mark per task, in the colour of its state.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { NodeRow, TaskRow } from '#api/cluster/feed-types';
import { cpus, size } from '../format.ts';
import { useCluster } from '../hooks.ts';
import { Heading, State, shortName, taskState, toneOf } from '../parts.tsx';
import { capacityOf, isAlive, reasonOf } from '../state.ts';

export function Topology(): JSX.Element {
  const state = useCluster();
  const [service, setService] = useState('');
  const nodes = state.all('node').sort((a, b) => a.name.localeCompare(b.name));
  const isShown = (task: TaskRow): boolean =>
    isAlive(task) && (service === '' || task.serviceId === service);
  const homeless = state.tasksOfNode('').filter(isShown);
  return (
    <>
      <Heading title="Topology" sub="Every task on its node, as it is now">
        <select
          aria-label="Show the tasks of"
          value={service}
          onChange={(event) => setService(event.currentTarget.value)}
        >
          <option value="">All services</option>
          {state
            .all('service')
            .sort((a, b) => a.name.localeCompare(b.name))
            .map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
        </select>
      </Heading>
      {homeless.length > 0 ? (
        <section class="host" aria-label="Without a node">
          <h2>Without a node</h2>
          <Chips tasks={homeless} />
        </section>
      ) : null}
      <div class="hosts">
        {nodes.map((node) => (
          <Host key={node.id} node={node} tasks={state.tasksOfNode(node.id).filter(isShown)} />
        ))}
      </div>
    </>
  );
}

function Host({
  node,
  tasks,
}: {
  readonly node: NodeRow;
  readonly tasks: readonly TaskRow[];
}): JSX.Element {
  const { nanoCpus, nanoCpusReserved, memoryBytes, memoryBytesReserved } = capacityOf(
    useCluster(),
    node,
  );
  return (
    <section class={`host ${node.state === 'ready' ? '' : 'away'}`} aria-label={node.name}>
      <h2>
        <a href={`#/nodes/${node.id}`}>{node.name}</a>
      </h2>
      <p class="sub">
        {node.state === 'ready' ? null : <State of={node.state} />}
        {node.availability === 'active' ? null : <State of={node.availability} />} {tasks.length}{' '}
        tasks, free: {cpus(nanoCpus - nanoCpusReserved)} processors,{' '}
        {size(memoryBytes - memoryBytesReserved)}
      </p>
      <Chips tasks={tasks} />
    </section>
  );
}

function Chips({ tasks }: { readonly tasks: readonly TaskRow[] }): JSX.Element {
  const sorted = [...tasks].sort((a, b) => a.name.localeCompare(b.name));
  return (
    <ul class="chips">
      {sorted.map((task) => {
        const word = taskState(task);
        const reason = reasonOf(task);
        return (
          <li key={task.id}>
            <a
              class={`chip ${toneOf(word)}`}
              href={`#/tasks/${task.id}`}
              title={`${task.name}: ${word}${reason === '' ? '' : `, ${reason}`}`}
            >
              {shortName(task)}
            </a>
          </li>
        );
      })}
    </ul>
  );
}
