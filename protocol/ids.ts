// Identifiers. Swarm objects: 25 characters of base 36 (128 random bits). Containers, images, execs: 64 hex digits.
import type { Task } from './generated/objects.ts';
import type { Random } from './world.ts';

const BASE36_ID_LENGTH = 25;

/** A new object id, e.g. `zm5x0x3k1vdl4ql4b2x1a7k9e`. */
export function newId(random: Random): string {
  const bytes = random.bytes(16);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const value = (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
  return value.toString(36).padStart(BASE36_ID_LENGTH, '0');
}

/** A new container or exec id: 64 hex digits. */
export function newContainerId(random: Random): string {
  return hex(random.bytes(32));
}

/** Lower-case hex of bytes. */
export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Id under which a node is sent the registry credentials of a service, beside the secrets of its tasks. */
export function registryAuthId(serviceId: string): string {
  return `${serviceId}.registry-auth`;
}

/** `<service>.<slot or node id>.<task id>`: Swarm's name of a task and, unless the spec says otherwise, of its container. */
export function taskName(task: {
  readonly id: string;
  readonly serviceName: string;
  readonly slot: number;
  readonly nodeId: string;
}): string {
  return `${task.serviceName}.${task.slot > 0 ? task.slot : task.nodeId}.${task.id}`;
}

/** The name that the spec asks for a task's container, `{slot}` filled in; '' when it asks for none. */
export function askedContainerName(task: Pick<Task, 'slot' | 'spec'>): string {
  const asked = task.spec?.containerSpec?.containerName ?? '';
  return asked.replaceAll('{slot}', String(task.slot));
}

/** The name that a task's container has unless another one holds it. */
export function containerNameOf(task: Task): string {
  return askedContainerName(task) || taskName(task);
}
