// Goal: `info` says what is wrong with a node, whatever part of it that is. Method: the condition of
// members and managers as they are seen while they join, are locked, and cannot go on.
import { expect, it } from 'vitest';
import { conditionOf } from '#daemon/condition';
import type { LocalManager } from '#daemon/local-manager';
import type { Membership } from '#daemon/membership';
import { TswarmError } from '#protocol/errors';

const member = (over: object = {}): Membership =>
  ({
    sessionError: undefined,
    hasSession: true,
    isLeaving: false,
    lifePassed: 0.1,
    ...over,
  }) as unknown as Membership;
const manager = (over: object = {}): LocalManager =>
  ({ isLocked: false, error: '', link: undefined, ...over }) as unknown as LocalManager;

it('a worker in session is active, and says what keeps it from being the manager it is to be', () => {
  expect(conditionOf(member(), undefined, false)).toEqual(['active', '']);
  const why = 'the manager on this node is down: the new manager cannot be reached at a:2377';
  expect(conditionOf(member(), manager({ error: why }), false)).toEqual(['active', why]);
});

it('who has no session says why', () => {
  const sessionError = new TswarmError('unavailable', 'nobody answers');
  const lost = member({ hasSession: false, sessionError });
  expect(conditionOf(lost, undefined, false)).toEqual(['pending', 'nobody answers']);
  const removed = member({ sessionError: new TswarmError('permission_denied', 'removed') });
  expect(conditionOf(removed, undefined, false)[0]).toBe('error');
  expect(conditionOf(member({ lifePassed: 1 }), undefined, false)[1]).toContain('has expired');
});

it('a manager is active when what it shows is there; a locked one is locked', () => {
  const ready = manager({ link: { cache: { isReady: true } } });
  expect(conditionOf(member(), ready, true)).toEqual(['active', '']);
  expect(conditionOf(member(), manager({ error: 'why' }), true)).toEqual(['pending', 'why']);
  expect(conditionOf(member(), manager({ isLocked: true }), true)).toEqual(['locked', '']);
});
