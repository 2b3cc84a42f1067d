// Goal: what administrators may change of the cluster object: settings, tokens, autolock, the order
// for a new root; and what is refused. Method: the pure function with real cryptography.
import { describe, expect, it } from 'vitest';
import { newCluster } from '#manager/ca/cluster';
import { updateCluster } from '#manager/control/cluster';
import { publicUnion } from '#manager/control/watch';
import { generateKey, nodeCaCrypto } from '#manager/host/node-crypto';
import type { StoreWriteView } from '#manager/store/state';
import { Store } from '#manager/store/store';
import { SpecUnion, UpdateObjectRequest } from '#protocol/generated/control';
import type { Cluster } from '#protocol/generated/objects';
import {
  CaConfig,
  ClusterSpec,
  DispatcherConfig,
  EncryptionConfig,
  RaftConfig,
} from '#protocol/generated/specs';
import { testRandom, testStamp } from '../support/objects.ts';
import { TEST_NOW_MICROS, testWorld } from '../support/world.ts';

function setup() {
  const key = generateKey();
  const store = new Store();
  const counter = { next: 1 };
  const run = (fn: (tx: StoreWriteView) => unknown): void => {
    const { proposals } = store.transact(testStamp(counter), fn);
    for (const { bytes } of proposals) store.apply(bytes, store.index + 1);
  };
  run((tx) =>
    tx.create(
      'cluster',
      newCluster({
        id: 'c1',
        crypto: nodeCaCrypto,
        rootSigner: key.signer,
        rootKey: key.pem,
        random: testRandom(1),
        nowMicros: TEST_NOW_MICROS,
        addressPools: [],
        subnetSize: 0,
        dataPathPort: 0,
      }),
    ),
  );
  const { tools } = testWorld();
  let ids = 0;
  const context = {
    nowMicros: TEST_NOW_MICROS,
    newId: () => String(++ids).padStart(25, '0'),
    random: () => 0.5,
  };
  const cluster = (): Cluster => store.view.cluster();
  const change = (spec: Partial<ClusterSpec>, over: Partial<UpdateObjectRequest> = {}): Cluster => {
    run((tx) =>
      updateCluster(
        tx,
        context,
        UpdateObjectRequest.create({
          id: 'c1',
          version: cluster().meta?.version?.index ?? 0,
          spec: SpecUnion.create({ cluster: ClusterSpec.create({ ...cluster().spec, ...spec }) }),
          ...over,
        }),
        tools,
      ),
    );
    return cluster();
  };
  return { cluster, change };
}

const AUTOLOCK = { encryptionConfig: EncryptionConfig.create({ autoLockManagers: true }) };

describe('autolock', () => {
  it('makes a key, keeps it, rotates it on demand, and forgets it', () => {
    const { change } = setup();
    const first = change(AUTOLOCK).unlockKey;
    expect(first.length).toBe(32);
    expect(change({}).unlockKey).toEqual(first);
    const second = change({}, { rotateUnlockKey: true }).unlockKey;
    expect(second.length).toBe(32);
    expect(second).not.toEqual(first);
    expect(change({ encryptionConfig: EncryptionConfig.create({}) }).unlockKey.length).toBe(0);
    expect(() => change({}, { rotateUnlockKey: true })).toThrow(
      'cannot rotate because autolock is not turned on',
    );
  });
});

describe('join tokens', () => {
  it('rotate one by one, and the old ones are remembered by digest', () => {
    const { change, cluster } = setup();
    const before = cluster().rootCa;
    const after = change({}, { rotateWorkerToken: true }).rootCa;
    expect(after?.joinTokenManager).toBe(before?.joinTokenManager);
    expect(after?.joinTokenWorker).not.toBe(before?.joinTokenWorker);
    expect(after?.rotatedTokens).toEqual([
      testWorld().tools.tokenDigest(before?.joinTokenWorker ?? ''),
    ]);
    for (let i = 0; i < 30; i++) change({}, { rotateManagerToken: true, rotateWorkerToken: true });
    expect(cluster().rootCa?.rotatedTokens.length).toBe(20);
  });
});

describe('a new root', () => {
  it('is ordered by number, and once', () => {
    const { change, cluster } = setup();
    expect(change({}).rootCa?.rootRotation).toBeUndefined();
    const caConfig = CaConfig.create({ ...cluster().spec?.caConfig, forceRotate: 1 });
    const rotation = change({ caConfig }).rootCa?.rootRotation;
    expect(rotation?.caCert).toContain('BEGIN CERTIFICATE');
    expect(change({ caConfig }).rootCa?.rootRotation).toEqual(rotation);
    const seen = publicUnion('cluster', cluster()).cluster;
    expect(JSON.stringify(seen)).not.toContain('PRIVATE KEY');
    expect(seen?.unlockKey.length).toBe(0);
  });

  it('that is given is taken over; its key is kept with the root alone', () => {
    const other = setup();
    const { change, cluster } = setup();
    const { caCert = '', caKey = '' } = other.cluster().rootCa ?? {};
    const caConfig = CaConfig.create({ signingCaCert: caCert, signingCaKey: caKey });
    const rotated = change({ caConfig });
    expect(rotated.rootCa?.rootRotation?.caCert).toBe(caCert);
    expect(rotated.spec?.caConfig?.signingCaKey).toBe('');
    // The same again is no order; another one has to wait until this one is done.
    expect(change({}).rootCa?.rootRotation?.caCert).toBe(caCert);
    const forced = CaConfig.create({ ...cluster().spec?.caConfig, forceRotate: 1 });
    expect(() => change({ caConfig: forced })).toThrow('the root is being replaced already');
    expect(() => change({ caConfig: CaConfig.create({ signingCaKey: caKey }) })).toThrow(
      'a key was given without its certificate',
    );
  });
});

it('settings are checked by name', () => {
  const { change, cluster } = setup();
  const raft = (over: Partial<RaftConfig>) => () =>
    change({ raft: RaftConfig.create({ ...cluster().spec?.raft, ...over }) });
  expect(raft({ snapshotInterval: 5 })).toThrow('at least 10 log entries');
  expect(raft({ logEntriesForSlowFollowers: -1 })).toThrow('must not be negative');
  expect(raft({ keepOldSnapshots: 3 })).toThrow('Raft.KeepOldSnapshots cannot be changed');
  expect(raft({ electionTick: 3 })).toThrow('Raft.ElectionTick cannot be changed');
  expect(raft({ heartbeatTick: 3 })).toThrow('Raft.HeartbeatTick cannot be changed');
  expect(raft({ snapshotInterval: 500 })().spec?.raft?.snapshotInterval).toBe(500);
  const dispatcher = DispatcherConfig.create({ heartbeatPeriod: 1 });
  expect(() => change({ dispatcher })).toThrow('invalid heartbeat period');
});
