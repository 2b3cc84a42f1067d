// One task: where it is, why it is as it is, what it uses, what it says, and the way into it.
import type { JSX } from 'preact';
import type { TaskRow } from '#api/cluster/feed-types';
import { Action } from '../dialog.tsx';
import { age, cpus, size } from '../format.ts';
import { useCluster, useMay, useNow } from '../hooks.ts';
import { Card, Heading, Image, NodeLink, State, taskState, toneOf } from '../parts.tsx';
import { call } from '../session.ts';
import { reasonOf } from '../task-words.ts';
import { LogView } from './log-view.tsx';
import { StatsCard } from './stats.tsx';
import { WhyCard } from './why.tsx';

export function TaskPage({ id }: { readonly id: string }): JSX.Element {
  const state = useCluster(`task:${id}`);
  const now = useNow();
  const mayChange = useMay('operator');
  const task = state.get('task', id);
  if (!task) return <p class="empty">There is no such task any more.</p>;
  const reason = reasonOf(task);
  const isRunning = task.state === 'running' && task.containerId !== '';
  return (
    <>
      <Heading
        title={task.name}
        sub={
          <>
            <State of={taskState(task)} /> for {age(task.since, now)}
          </>
        }
      >
        {isRunning && mayChange ? (
          <>
            <a class="button" href={`#/tasks/${id}/shell`}>
              Shell
            </a>
            <RestartAction task={task} />
          </>
        ) : null}
      </Heading>
      {reason === '' ? null : (
        <p class={`banner ${toneOf(task.state) === 'bad' ? 'bad' : 'quiet'}`}>{reason}</p>
      )}
      <Facts task={task} now={now} />
      <WhyCard kind="task" id={id} revision={`${task.state} ${task.waitingFor}`} />
      {isRunning ? <StatsCard container={task.containerId} /> : null}
      {task.containerId === '' ? null : (
        <Card title="Logs">
          <LogView source={{ task: task.id }} />
        </Card>
      )}
    </>
  );
}

function RestartAction({ task }: { readonly task: TaskRow }): JSX.Element {
  const body = { services: [task.serviceId], restart: true, restartTasks: [task.id] };
  return (
    <Action
      label="Restart"
      question={`Restart the container of ${task.name}?`}
      run={() => call('POST /tswarm/v1/services/action', { body })}
    />
  );
}

function Facts({ task, now }: { readonly task: TaskRow; readonly now: number }): JSX.Element {
  const facts: readonly (readonly [string, JSX.Element | string])[] = [
    ['Service', <a href={`#/services/${task.serviceId}`}>{task.serviceName}</a>],
    ['Node', task.nodeId === '' ? 'none yet' : <NodeLink id={task.nodeId} />],
    ['Image', <Image of={task.image} />],
    ['Wanted', task.desired],
    ['Restarts', String(task.restarts)],
    ['Reserved', `${cpus(task.nanoCpus)} processors, ${size(task.memoryBytes)}`],
    ['Made', `${age(task.createdAt, now)} ago`],
    [
      'Container',
      task.containerId === '' ? 'none yet' : <code>{task.containerId.slice(0, 12)}</code>,
    ],
    ['Id', <code>{task.id}</code>],
  ];
  return (
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
  );
}
