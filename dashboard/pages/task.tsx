// One task: where it is, why it is as it is, what it says.
import type { JSX } from 'preact';
import { age, cpus, size } from '../format.ts';
import { useCluster, useNow } from '../hooks.ts';
import { Card, Heading, Image, NodeLink, State, taskState } from '../parts.tsx';
import { isAlive, reasonOf } from '../state.ts';
import { LogView } from './log-view.tsx';
import { WhyCard } from './why.tsx';

export function TaskPage({ id }: { readonly id: string }): JSX.Element {
  const state = useCluster();
  const now = useNow();
  const task = state.get('task', id);
  if (!task) return <p class="empty">There is no such task any more.</p>;
  const reason = reasonOf(task);
  const facts: readonly (readonly [string, JSX.Element | string])[] = [
    ['Service', <a href={`#/services/${task.serviceId}`}>{task.serviceName}</a>],
    ['Node', <NodeLink id={task.nodeId} />],
    ['Image', <Image of={task.image} />],
    ['Wanted', task.desired],
    ['Restarts', String(task.restarts)],
    ['Reserved', `${cpus(task.nanoCpus)} processors, ${size(task.memoryBytes)}`],
    ['Made', `${age(task.createdAt, now)} ago`],
    ['Container', <code>{task.containerId.slice(0, 12)}</code>],
    ['Id', <code>{task.id}</code>],
  ];
  return (
    <>
      <Heading
        title={task.name}
        sub={
          <>
            <State of={taskState(task)} /> for {age(task.since, now)}
          </>
        }
      />
      {reason === '' ? null : <p class={`banner ${isAlive(task) ? 'quiet' : 'bad'}`}>{reason}</p>}
      <Card title="Facts">
        <dl>
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </Card>
      <WhyCard kind="task" id={id} revision={`${task.state} ${task.waitingFor}`} />
      {task.containerId === '' ? null : (
        <Card title="Logs">
          <LogView query={`task=${task.id}`} />
        </Card>
      )}
    </>
  );
}
