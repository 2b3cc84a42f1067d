// A table of tasks, for services and nodes.
import type { JSX } from 'preact';
import type { TaskRow } from '#api/cluster/feed-types';
import { age } from '../format.ts';
import { useNow } from '../hooks.ts';
import {
  type Column,
  Image,
  NodeLink,
  type Rows,
  State,
  Table,
  TaskLink,
  taskState,
} from '../parts.tsx';
import { reasonOf } from '../task-words.ts';

export function TaskTable({
  label = 'Tasks',
  tasks,
  hasService = false,
  hasNode = false,
  currentVersion,
  empty,
}: {
  readonly label?: string;
  /** In the order in which they are shown. */
  readonly tasks: Rows<TaskRow>;
  readonly hasService?: boolean;
  readonly hasNode?: boolean;
  /** Marks tasks that are made from an older specification. */
  readonly currentVersion?: number;
  readonly empty: string;
}): JSX.Element {
  const now = useNow();
  const name = (task: TaskRow): JSX.Element => (
    <>
      <TaskLink task={task} />
      {currentVersion === undefined || task.taskVersion === currentVersion ? null : (
        <small> (older version)</small>
      )}
    </>
  );
  const columns: (Column<TaskRow> | undefined)[] = [
    { title: 'Task', cell: name },
    { title: 'State', cell: (task) => <State of={taskState(task)} /> },
    { title: 'Since', cell: (task) => age(task.since, now), isNumber: true },
    hasNode ? { title: 'Node', cell: (task) => <NodeLink id={task.nodeId} /> } : undefined,
    hasService
      ? {
          title: 'Service',
          cell: (task) => <a href={`#/services/${task.serviceId}`}>{task.serviceName}</a>,
        }
      : undefined,
    { title: 'Why', cell: reasonOf },
    { title: 'Restarts', cell: (task) => task.restarts || '', isNumber: true, isExtra: true },
    { title: 'Image', cell: (task) => <Image of={task.image} />, isExtra: true },
  ];
  return (
    <Table
      label={label}
      rows={tasks}
      keyOf={(task) => task.id}
      columns={columns.filter((column) => column !== undefined)}
      empty={empty}
    />
  );
}
