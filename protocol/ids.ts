// Identifiers. Swarm objects: 25 characters of base 36 (128 random bits). Containers, images, execs: 64 hex digits.
import type { Task } from './generated/objects.ts';
import type { Random } from './world.ts';

const BASE36_ID_LENGTH = 25;

/** 36^5: five digits at a time, so that a remainder with 24 bits behind it is still exact. */
const FIVE_DIGITS = 36 ** 5;
const LIMB = 2 ** 24;
const DIGITS: Uint8Array = Uint8Array.from('0123456789abcdefghijklmnopqrstuvwxyz', (digit) =>
  digit.charCodeAt(0),
);
/** Scratch of `base36`: 128 bits as one limb of 8 and five of 24, and the digits' codes. */
const limbs: Float64Array = new Float64Array(6);
const codes: number[] = Array.from({ length: BASE36_ID_LENGTH }, () => 0);

/** A new object id, e.g. `zm5x0x3k1vdl4ql4b2x1a7k9e`. */
export function newId(random: Random): string {
  return base36(random.bytes(16));
}

/** 16 bytes, the highest first, as a number of 25 digits; in less than half the time of a BigInt. */
function base36(bytes: Uint8Array): string {
  limbs[0] = bytes[0] as number;
  for (let i = 1, at = 1; i < 6; i++, at += 3) {
    const [high, middle, low] = [bytes[at], bytes[at + 1], bytes[at + 2]] as [
      number,
      number,
      number,
    ];
    limbs[i] = (high << 16) | (middle << 8) | low;
  }
  for (let from = BASE36_ID_LENGTH - 5; from >= 0; from -= 5) {
    let rest = divideLimbs();
    for (let at = from + 4; at >= from; at--) {
      const next = (rest / 36) | 0;
      codes[at] = DIGITS[rest - 36 * next] as number;
      rest = next;
    }
  }
  return String.fromCharCode(...codes);
}

/** Divides the limbs by FIVE_DIGITS in place. Returns the remainder. */
function divideLimbs(): number {
  let rest = 0;
  for (let i = 0; i < 6; i++) {
    const value = rest * LIMB + (limbs[i] as number);
    const quotient = Math.floor(value / FIVE_DIGITS);
    limbs[i] = quotient;
    rest = value - quotient * FIVE_DIGITS;
  }
  return rest;
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
