// A store with a cluster object and a way to run transactions in it as the leader does, for tests
// of what writes into the store.
import type { StoreWriteView } from '#manager/store/state';
import { Store } from '#manager/store/store';
import type { DecisionContext } from '#manager/store/view';
import { newId } from '#protocol/ids';
import { cluster, testRandom, testStamp } from './objects.ts';

export interface TestCluster {
  readonly store: Store;
  /** Runs and commits; returns what `fn` returns. What it throws leaves no trace. */
  run<T>(fn: (tx: StoreWriteView, context: DecisionContext) => T): T;
}

export function testCluster(seed = 1): TestCluster {
  const store = new Store();
  const counter = { next: 1 };
  const random = testRandom(seed);
  const run = <T>(fn: (tx: StoreWriteView, context: DecisionContext) => T): T => {
    const context: DecisionContext = {
      nowMicros: counter.next * 1000,
      newId: () => newId(random),
      random: () => random.next(),
    };
    const { value, proposals } = store.transact(testStamp(counter), (tx) => fn(tx, context));
    for (const { bytes } of proposals) store.apply(bytes, store.index + 1);
    return value;
  };
  run((tx) => tx.create('cluster', cluster()));
  return { store, run };
}
