// Who may command: only administrators; a node's own certificate changes nothing. An
// administrator's certificate is a manager host's, and ends with its node. A gateway calls for
// others with it: it names the credential that it has checked, and what that credential may do is
// decided here again, from this manager's own state.

import type { ReadView } from '#manager/store/view';
import { CREDENTIAL_KEY, includesRole, type Role, roleOf } from '#protocol/access';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import { NodeRole } from '#protocol/generated/specs';
import type { CallContext } from '#protocol/transport/grpc';

/** On whose behalf a call is made. */
export interface Actor {
  /** As the history shows it. */
  readonly name: string;
  readonly role: Role;
}

/** Root on a manager's host. */
const ROOT: Actor = { name: 'admin', role: 'admin' };

/** @throws TswarmError permission_denied, unauthenticated. */
export function requireAdministrator(
  view: ReadView,
  peer: { readonly nodeId: string; readonly role: string },
): void {
  if (peer.nodeId === '') {
    throw new TswarmError('unauthenticated', 'a certificate of an administrator is needed');
  }
  if (peer.role !== CERTIFICATE_ROLE.admin) {
    throw new TswarmError(
      'permission_denied',
      `node ${peer.nodeId} (${peer.role}) is not allowed to manage the cluster`,
      { hint: 'Use a manager, or log in with `tswarm login`.' },
    );
  }
  if (view.get('node', peer.nodeId)?.spec?.role === NodeRole.MANAGER) return;
  throw new TswarmError(
    'permission_denied',
    `node ${peer.nodeId} is no manager of this cluster any more`,
    { hint: 'Give the command to one that is: `tswarm node ls` there shows them all.' },
  );
}

/** For whom an administrator's gateway calls. @throws TswarmError unauthenticated */
export function actorOf(
  view: ReadView,
  context: Pick<CallContext, 'metadata'>,
  nowMicros: number,
): Actor {
  const id = context.metadata(CREDENTIAL_KEY);
  if (id === '') return ROOT;
  const spec = view.get('credential', id)?.spec;
  const role = spec && roleOf(spec.role);
  const isExpired = spec !== undefined && spec.expiresAt !== 0 && spec.expiresAt <= nowMicros;
  if (!spec || !role || isExpired) {
    throw new TswarmError('unauthenticated', 'the credential is no longer valid', {
      hint: 'Ask an administrator for another one: tswarm token create.',
    });
  }
  return { name: spec.name, role };
}

/** @throws TswarmError permission_denied */
export function requireRole(actor: Actor, needs: Role): void {
  if (includesRole(actor.role, needs)) return;
  throw new TswarmError(
    'permission_denied',
    `${actor.name} is ${actor.role === 'viewer' ? 'a' : 'an'} ${actor.role}: this takes the role ${needs}`,
    { hint: 'Ask an administrator.' },
  );
}
