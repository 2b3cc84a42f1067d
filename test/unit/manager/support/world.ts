// What control decisions need beside the store, for tests: the real cryptography with a repeatable
// source of randomness, and a Raft group that the test sets.
import type { Member } from '#manager/control/managers';
import type { ControlWorld } from '#manager/control/objects';
import { clusterTools } from '#manager/host/cluster-tools';
import { testRandom } from './objects.ts';

export const TEST_NOW_MICROS = 1.7e15;

export function testWorld(members: readonly Member[] = []): ControlWorld {
  return {
    members: () => members,
    tools: clusterTools({ random: testRandom(7), nowMicros: () => TEST_NOW_MICROS }),
  };
}
