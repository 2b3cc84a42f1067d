// For whom an administrator's gateway calls: a credential of this manager's own state, with its role, as long as it is good; also when another manager passes
// the call on.
import { describe, expect, it } from 'vitest';
import { actorOf, requireRole } from '#manager/control/authorise';
import { callerMetadata } from '#manager/host/caller';
import type { ReadView } from '#manager/store/view';
import { CREDENTIAL_KEY } from '#protocol/access';
import { Credential } from '#protocol/generated/objects';
import { AccessRole, CredentialSpec } from '#protocol/generated/specs';

const NOW_MICROS = 1_000;

function viewWith(spec: Partial<CredentialSpec>): ReadView {
  const credential = Credential.create({
    id: 'c1',
    spec: CredentialSpec.create({ name: 'anna', role: AccessRole.OPERATOR, ...spec }),
  });
  return { get: (_: string, id: string) => (id === 'c1' ? credential : undefined) } as never;
}

const context = (id: string) => ({ metadata: (key: string) => (key === CREDENTIAL_KEY ? id : '') });

describe('the actor of a call', () => {
  it('is root without a credential, else its holder', () => {
    expect(actorOf(viewWith({}), context(''), NOW_MICROS)).toEqual({
      name: 'admin',
      role: 'admin',
    });
    const anna = actorOf(viewWith({}), context('c1'), NOW_MICROS);
    expect(anna).toEqual({ name: 'anna', role: 'operator' });
    expect(() => requireRole(anna, 'operator')).not.toThrow();
    expect(() => requireRole(anna, 'admin')).toThrow(
      'anna is an operator: this takes the role admin',
    );
  });

  it('is nobody once the credential is removed, expired, or of an unknown role', () => {
    for (const [view, id] of [
      [viewWith({}), 'gone'],
      [viewWith({ expiresAt: NOW_MICROS }), 'c1'],
      [viewWith({ role: AccessRole.NONE }), 'c1'],
      [viewWith({ role: 9 as AccessRole }), 'c1'],
    ] as const) {
      expect(() => actorOf(view, context(id), NOW_MICROS)).toThrow('no longer valid');
    }
  });

  it('stays the same when a manager passes the call on', () => {
    const peer = { nodeId: 'm1', role: 'swarm-admin', clusterId: 'c', address: '' };
    const call = { ...context('c1'), peer, signal: new AbortController().signal };
    expect(callerMetadata(call)[CREDENTIAL_KEY]).toBe('c1');
    expect(callerMetadata({ ...call, ...context('') })).not.toHaveProperty(CREDENTIAL_KEY);
  });
});
