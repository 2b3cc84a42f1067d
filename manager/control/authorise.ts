// Who may command: only administrators; a node's own certificate changes nothing. An
// administrator's certificate is a manager host's, and ends with its node.

import type { ReadView } from '#manager/store/view';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import { NodeRole } from '#protocol/generated/specs';

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
    `the certificate is of host ${peer.nodeId}, which is no manager of this cluster`,
  );
}
