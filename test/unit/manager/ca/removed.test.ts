// Goal: a removed node is remembered for exactly as long as a certificate of it may be valid.
import { describe, expect, it } from 'vitest';
import { LEAF_BACKDATE_MICROS, LEAF_VALIDITY_MICROS, REMOVED_NODES_MAX } from '#manager/ca/limits';
import { withoutExpired, withRemovedNode } from '#manager/ca/removed';
import { Cluster } from '#protocol/generated/objects';
import { CaConfig, ClusterSpec } from '#protocol/generated/specs';

const cluster = (expiryMicros = 0): Cluster =>
  Cluster.create({
    spec: ClusterSpec.create({
      caConfig: CaConfig.create({ nodeCertExpiry: expiryMicros * 1000 }),
    }),
  });
const ids = ({ removedNodes }: Cluster): string[] => removedNodes.map(({ id }) => id);

describe('nodes that were removed', () => {
  it('stay until their certificates have expired, also those of a time with longer ones', () => {
    const usual = withRemovedNode(cluster(LEAF_VALIDITY_MICROS / 100), 'a', 1_000);
    const until = 1_000 + LEAF_VALIDITY_MICROS + LEAF_BACKDATE_MICROS;
    expect(usual.removedNodes).toEqual([{ id: 'a', until }]);
    expect(withoutExpired(usual, until - 1)).toBe(usual);
    expect(ids(withoutExpired(usual, until))).toEqual([]);
    const long = withRemovedNode(cluster(3 * LEAF_VALIDITY_MICROS), 'a', 0);
    expect(long.removedNodes[0]?.until).toBe(3 * LEAF_VALIDITY_MICROS + LEAF_BACKDATE_MICROS);
  });

  it('are there once, and not without bound', () => {
    let state = cluster();
    for (const id of ['a', 'b', 'a']) state = withRemovedNode(state, id, 5);
    expect(ids(state)).toEqual(['b', 'a']);
    const full = Array.from({ length: REMOVED_NODES_MAX }, (_, i) => ({
      id: `n${i}`,
      until: i + 9,
    }));
    state = withRemovedNode({ ...state, removedNodes: full }, 'last', 8);
    expect(state.removedNodes).toHaveLength(REMOVED_NODES_MAX);
    expect([ids(state)[0], ids(state).at(-1)]).toEqual(['n1', 'last']);
  });
});
