// Attachments: places on the cluster's networks for containers of `docker run`. Their node is given and nothing starts or replaces them, so all there is
// to do is to give addresses, and to forget them when the container has left the network or its node the cluster. A node that is down keeps them: its
// containers go on.
import { messageOf } from '#protocol/errors';
import { stateOf } from './tasks.ts';
import { type Pass, TaskState, TaskStatus } from './types.ts';

export function orchestrateAttachment(pass: Pass, taskId: string): void {
  const { tx, memory, context } = pass;
  const task = tx.get('task', taskId);
  if (!task) return;
  if (!tx.get('node', task.nodeId) || stateOf(task) > TaskState.RUNNING) {
    pass.removeTask(task);
    return;
  }
  if (stateOf(task) >= TaskState.ASSIGNED) return;
  const timestamp = context.nowMicros;
  try {
    const networkAttachments = memory.allocator.taskAttachments(task, tx);
    const state = TaskState.ASSIGNED;
    const status = TaskStatus.create({ timestamp, state, message: 'addresses given' });
    pass.updateTask(task, { networkAttachments, status });
  } catch (error) {
    const state = TaskState.REJECTED;
    const err = messageOf(error);
    const status = TaskStatus.create({ timestamp, state, message: 'no addresses', err });
    pass.updateTask(task, { status });
  }
}
