// The manager's control client as the gateway uses it, and one helper that every write goes through.
import { type ControlMethods, type ObjectResponse, ObjectUnion } from '#protocol/generated/control';
import type { Client } from '#protocol/transport/grpc';
import { CONTROL_CALL_TIMEOUT_MS } from './limits.ts';
import type { ClusterSession } from './node-control.ts';

export type ControlClient = Client<ControlMethods>;

/** Options of one call: bounded, and given up when the client has gone. */
export function callOptions(signal: AbortSignal): {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
} {
  return { timeoutMs: CONTROL_CALL_TIMEOUT_MS, signal };
}

/** Waits for a write's answer and then until the cache shows it, so that the client reads its own writes. */
export async function written(
  session: ClusterSession,
  answer: Promise<ObjectResponse>,
): Promise<ObjectUnion> {
  const { object, index } = await answer;
  await session.cache.reached(index);
  return object ?? ObjectUnion.create();
}
