// The manager's control client as the gateway uses it, and one helper that every write goes through.
import { CREDENTIAL_KEY } from '#protocol/access';
import { type ControlMethods, type ObjectResponse, ObjectUnion } from '#protocol/generated/control';
import type { CallOptions, Client } from '#protocol/transport/grpc';
import type { ApiRequest } from './http/request.ts';
import { CONTROL_CALL_TIMEOUT_MS } from './limits.ts';
import type { ClusterSession } from './node-control.ts';

export type ControlClient = Client<ControlMethods>;

/** Who asks, and whether somebody still waits for the answer. */
export type Asker = Pick<ApiRequest, 'signal' | 'caller'>;

/** For whom a call is made: the manager decides what they may. */
export function onBehalfOf({ caller, signal }: Asker): {
  readonly signal: AbortSignal;
  readonly metadata: Readonly<Record<string, string>>;
} {
  const { credentialId } = caller;
  return { signal, metadata: credentialId === '' ? {} : { [CREDENTIAL_KEY]: credentialId } };
}

/** Options of one call: bounded, given up when the client has gone, and for whoever asks. */
export function callOptions(asker: Asker): CallOptions {
  return { ...onBehalfOf(asker), timeoutMs: CONTROL_CALL_TIMEOUT_MS };
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
