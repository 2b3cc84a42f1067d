// Tasks that stand for a container of `docker run` on a network of the cluster. They belong to no service, stay on the node that asked for them, and
// live as long as the container is attached.
import type { Task } from './generated/objects.ts';

/** Whether a task is a place on a network for a container that is no task's. */
export function isAttachment(task: Pick<Task, 'spec'>): boolean {
  return task.spec?.networkAttachmentSpec !== undefined;
}

/** How such a container is called: its name, or its id when it has none. */
export function attachedName(task: Pick<Task, 'spec'>): string {
  const { containerName = '', containerId = '' } = task.spec?.networkAttachmentSpec ?? {};
  return containerName || containerId.slice(0, 12);
}
