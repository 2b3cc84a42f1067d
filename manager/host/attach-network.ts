// One node's wish for a place on a network, from the task that is made for it to its addresses, which the controllers give in a pass of their own. When
// that fails, or takes too long, nothing is left behind; when the answer is lost on its way, the node finds a task that it has no container for, and
// says that it is over.
import { createAttachment } from '#manager/dispatcher/attachments';
import { ATTACH_WAIT_MS } from '#manager/dispatcher/limits';
import { TswarmError } from '#protocol/errors';
import type { AttachNetworkRequest } from '#protocol/generated/dispatcher';
import { type Task, TaskState } from '#protocol/generated/objects';
import type { ReplicatedStore } from './replicated-store.ts';

/** The task with its addresses. @throws TswarmError not_found, permission_denied, failed_precondition, deadline_exceeded. */
export async function attachNetwork(
  replicated: ReplicatedStore,
  nodeId: string,
  request: AttachNetworkRequest,
): Promise<Task> {
  /** What became of tasks of this node since we began; a refused one does not stay in the store. */
  const settled = new Map<string, Task>();
  let wake = (): void => {};
  const unsubscribe = replicated.store.subscribe((entry) => {
    if (entry === 'reset') return;
    for (const { kind, id, after } of entry.changes) {
      const task = kind === 'task' ? (after as Task | undefined) : undefined;
      if (task?.nodeId === nodeId && isSettled(task) && !settled.has(id)) settled.set(id, task);
    }
    wake();
  });
  try {
    const { value } = await replicated.update({ author: nodeId, summary: '' }, (tx, context) =>
      createAttachment(tx, context, nodeId, request),
    );
    const { id } = value;
    const task = await new Promise<Task>((resolve, reject) => {
      const timer = setTimeout(() => reject(late()), ATTACH_WAIT_MS);
      wake = () => {
        const found = settled.get(id);
        if (!found) return;
        clearTimeout(timer);
        resolve(found);
      };
      wake();
    }).catch(async (error: unknown) => {
      await replicated.update({ author: nodeId, summary: '' }, (tx) => {
        if (tx.get('task', id)) tx.remove('task', id);
      });
      throw error;
    });
    if (task.status?.state !== TaskState.REJECTED) return task;
    throw new TswarmError('failed_precondition', task.status.err);
  } finally {
    unsubscribe();
  }
}

function isSettled(task: Task): boolean {
  return (task.status?.state ?? TaskState.NEW) >= TaskState.ASSIGNED;
}

function late(): TswarmError {
  const text = `no addresses were given within ${ATTACH_WAIT_MS / 1000} s`;
  return new TswarmError('deadline_exceeded', text, { retryable: true });
}
