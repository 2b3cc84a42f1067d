// Tasks on their nodes, live: one mark per task, in the colour of its state. A node is drawn again when something of it changes, not with every event.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { TaskRow } from '#api/cluster/feed-types';
import { cpus, plural, size } from '../format.ts';
import { useCluster } from '../hooks.ts';
import { Heading, State, shortName, taskState, toneOf } from '../parts.tsx';
import { type ClusterState, capacityOf } from '../state.ts';
import { reasonOf } from '../task-words.ts';

/** Marks of one node that are shown; its page has all. */
const CHIPS_MAX = 60;

export function Topology(): JSX.Element {
  const state = useCluster('nodes', 'services');
  const [service, setService] = useState('');
  return (
    <>
      <Heading title="Topology" sub="Every task on its node, as it is now">
        <select
          aria-label="Show the tasks of"
          value={service}
          onChange={(event) => setService(event.currentTarget.value)}
        >
          <option value="">All services</option>
          {state.named('service').map((id) => (
            <option key={id} value={id}>
              {state.get('service', id)?.name}
            </option>
          ))}
        </select>
      </Heading>
      <Homeless service={service} />
      <div class="hosts">
        {state.named('node').map((id) => (
          <Host key={id} id={id} service={service} />
        ))}
      </div>
    </>
  );
}

interface HostProps {
  readonly id: string;
  /** Only its tasks; '' = all. */
  readonly service: string;
}

function tasksOn(state: ClusterState, { id, service }: HostProps): readonly TaskRow[] {
  return state
    .aliveOnNode(id)
    .map((task) => state.get('task', task))
    .filter((task) => task !== undefined)
    .filter((task) => service === '' || task.serviceId === service);
}

function Homeless({ service }: Omit<HostProps, 'id'>): JSX.Element | null {
  const tasks = tasksOn(useCluster('node:'), { id: '', service });
  if (tasks.length === 0) return null;
  return (
    <section class="host away" aria-label="Without a node">
      <h2>Without a node</h2>
      <Chips tasks={tasks} more="#/services" />
    </section>
  );
}

function Host(props: HostProps): JSX.Element | null {
  const { id } = props;
  const state = useCluster(`node:${id}`);
  const node = state.get('node', id);
  if (!node) return null;
  const tasks = tasksOn(state, props);
  const { nanoCpus, nanoCpusReserved, memoryBytes, memoryBytesReserved } = capacityOf(state, node);
  return (
    <section class={`host ${node.state === 'ready' ? '' : 'away'}`} aria-label={node.name}>
      <h2>
        <a href={`#/nodes/${node.id}`}>{node.name}</a>
        {node.role === 'manager' ? <small>manager{node.isLeader ? ', leads' : ''}</small> : null}
      </h2>
      <p class="sub">
        {node.state === 'ready' ? null : <State of={node.state} />}
        {node.availability === 'active' ? null : <State of={node.availability} />}{' '}
        {plural(tasks.length, 'task')}
        {node.state === 'ready'
          ? `, free: ${cpus(nanoCpus - nanoCpusReserved)} processors, ${size(memoryBytes - memoryBytesReserved)}`
          : ' when it was last heard of'}
      </p>
      <Chips tasks={tasks} more={`#/nodes/${id}`} isOld={node.state !== 'ready'} />
    </section>
  );
}

function Chips({
  tasks,
  more,
  isOld = false,
}: {
  readonly tasks: readonly TaskRow[];
  readonly more: string;
  /** What is known of them is from before their node went away. */
  readonly isOld?: boolean;
}): JSX.Element {
  return (
    <ul class="chips">
      {tasks.slice(0, CHIPS_MAX).map((task) => {
        const word = isOld ? `${taskState(task)} when last heard of` : taskState(task);
        const reason = reasonOf(task);
        return (
          <li key={task.id}>
            <a
              class={`chip ${isOld ? 'quiet' : toneOf(word)}`}
              href={`#/tasks/${task.id}`}
              title={`${task.name}: ${word}${reason === '' ? '' : `, ${reason}`}`}
            >
              {shortName(task)}
            </a>
          </li>
        );
      })}
      {tasks.length > CHIPS_MAX ? (
        <li>
          <a class="chip quiet" href={more}>
            and {tasks.length - CHIPS_MAX} more
          </a>
        </li>
      ) : null}
    </ul>
  );
}
