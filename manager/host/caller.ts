// Calls that one manager passes on to the leader for somebody else: the original caller travels in
// the metadata, and counts only when a manager of this cluster vouches for it with its own
// certificate. Everything else sees the original caller as if it had called here.
// Refuses that metadata from anybody who is not a manager, rather than ignoring it.

import type { ReadView } from '#manager/store/view';
import { CREDENTIAL_KEY } from '#protocol/access';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import { NodeRole } from '#protocol/generated/specs';
import type { CallContext, Handlers, Peer } from '#protocol/transport/grpc';

const CALLER_KEY = 'tswarm-caller';

/** Metadata with which a call is passed on: for whom it was made. */
export function callerMetadata(context: CallContext): Readonly<Record<string, string>> {
  const credential = context.metadata(CREDENTIAL_KEY);
  return {
    [CALLER_KEY]: encodeURIComponent(JSON.stringify(context.peer)),
    ...(credential === '' ? {} : { [CREDENTIAL_KEY]: credential }),
  };
}

/** Whether another manager has passed this call on: then it is answered here or not at all. */
export function isPassedOn(context: CallContext): boolean {
  return context.metadata(CALLER_KEY) !== '';
}

/** The context with the original caller. @throws TswarmError permission_denied, invalid_argument */
export function withOriginalCaller(context: CallContext, view: ReadView): CallContext {
  const text = context.metadata(CALLER_KEY);
  if (text === '') return context;
  const { peer } = context;
  const isManager =
    peer.role === CERTIFICATE_ROLE.manager &&
    view.get('node', peer.nodeId)?.spec?.role === NodeRole.MANAGER;
  if (!isManager) {
    throw new TswarmError(
      'permission_denied',
      `${peer.nodeId === '' ? 'a caller without a certificate' : `node ${peer.nodeId}`} is no manager and cannot call for others`,
    );
  }
  return {
    peer: parsePeer(text),
    get signal() {
      return context.signal;
    },
    metadata: (key) => context.metadata(key),
  };
}

/** Handlers that see the original caller of calls that were passed on. */
export function forCallers<Methods>(
  handlers: Handlers<Methods>,
  view: () => ReadView,
): Handlers<Methods> {
  const out: Record<string, unknown> = {};
  for (const [name, handler] of Object.entries(handlers)) {
    const inner = handler as (request: unknown, context: CallContext) => unknown;
    out[name] = (request: unknown, context: CallContext) =>
      inner(request, withOriginalCaller(context, view()));
  }
  return out as Handlers<Methods>;
}

function parsePeer(text: string): Peer {
  try {
    const parsed = JSON.parse(decodeURIComponent(text)) as Partial<Record<keyof Peer, unknown>>;
    const field = (key: keyof Peer): string => {
      const value = parsed[key];
      if (typeof value !== 'string') throw new Error(`no ${key}`);
      return value;
    };
    return {
      nodeId: field('nodeId'),
      role: field('role'),
      clusterId: field('clusterId'),
      address: field('address'),
    };
  } catch (cause) {
    throw new TswarmError('invalid_argument', 'the original caller of a call cannot be read', {
      cause,
    });
  }
}
