// Goal: an image is exactly right, or not there, whatever the nodes do that its blobs come from: one that breaks off is gone on from, one that lies is not believed
// and not asked again, one that says nothing is left; the registry is asked for what no node has. Method: the real share servers and the real fetcher over mutual
// TLS on loopback, the leader's real book-keeping, nodes whose content misbehaves; a registry in this process that says what it was asked. Needs root.
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client as Channel } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BlobTracker } from '#manager/host/blob-tracker';
import { TswarmError } from '#protocol/errors';
import {
  BlobFindResponse,
  BlobState,
  type ImageDirectoryMethods,
  ImageDirectoryService,
  type ImageHolder,
} from '#protocol/generated/images';
import {
  addService,
  connectChannel,
  createServer,
  type Handlers,
  listen,
  serverCredentials,
} from '#protocol/transport/grpc';
import { createLog } from '#protocol/transport/node-world';
import { BlobFetcher } from '#worker/image-share/blob-fetcher';
import { ShareServer, type ShareServerDeps } from '#worker/image-share/share-server';
import { type FixtureRegistry, fixtureRegistry } from '../support/fixture-registry.ts';
import { imageOf, type TestImage } from '../support/image-tar.ts';
import { type ImageFixture, imageFixture } from '../support/images.ts';
import { testCa } from '../unit/manager/support/pki.ts';

type Read = ShareServerDeps['images']['read'];

const BIG_BYTES = 600_000;
const ca = testCa();
const log = createLog({ level: 'error', format: 'text', write: () => {} });

let images: ImageFixture;
let image: TestImage;
let registry: FixtureRegistry;
let tracker: BlobTracker;
let leader: Channel;
let holders: Map<string, ImageHolder>;
let undo: (() => void)[];
/** `node digest offset` of every read. */
let reads: string[];

beforeEach(async () => {
  [tracker, holders, undo, reads] = [new BlobTracker(), new Map(), [], []];
  images = await imageFixture();
  image = await imageOf([{ big: randomBytes(BIG_BYTES) }, { small: 'x' }]);
  registry = await fixtureRegistry();
  registry.add('app', '1', image);
  const server = createServer();
  addService(server, ImageDirectoryService, directory(), () => [ca.caCert]);
  const credentials = serverCredentials(ca.identity('leader', 'swarm-manager'), true);
  const port = await listen(server, '127.0.0.1:0', credentials);
  undo.push(() => server.forceShutdown());
  const me = ca.identity('me', 'swarm-worker');
  leader = connectChannel(`127.0.0.1:${port}`, me, 'leader');
  undo.push(() => leader.close());
  const fetcher = new BlobFetcher({
    log,
    leader: () => leader,
    connect: ({ addr, nodeId }) => connectChannel(addr, me, nodeId),
    nowMs: () => performance.now(),
    settled: () => {},
  });
  images.service.setPeers(fetcher);
});
afterEach(async () => {
  await images.dispose();
  await registry.stop();
  for (const step of undo) step();
});

/** What the leader does, without the cluster around it. */
function directory(): Handlers<ImageDirectoryMethods> {
  return {
    report: async () => ({}),
    find: async () => ({ holders: [] }),
    findBlob: async ({ digest, failedNodes, nodesOnly }, { peer }) => {
      const failed = new Set(failedNodes);
      const { nodeId } = peer;
      const question = { digest, nodeId, failed, isNodesOnly: nodesOnly, canGive: () => true };
      const source = tracker.find(question, performance.now());
      if (source.type === 'none') throw new TswarmError('not_found', `no node has ${digest}`);
      if (source.type === 'registry') return BlobFindResponse.create({ fromRegistry: true });
      const holder = source.type === 'node' ? holders.get(source.nodeId) : undefined;
      return BlobFindResponse.create(holder ? { holder } : {});
    },
    noteBlob: async ({ digest, state }, { peer }) => {
      if (state !== BlobState.FETCHING) {
        tracker.settle(digest, peer.nodeId, state === BlobState.HAVE);
      }
      return {};
    },
  };
}

const honest: Read = async function* (digest, offset) {
  const bytes = image.blobs.get(digest);
  if (bytes === undefined) throw new TswarmError('not_found', `blob ${digest} is not here`);
  yield bytes.subarray(offset);
};

/** A node that has all of the image, and gives it in its way. */
async function addNode(nodeId: string, read: Read): Promise<void> {
  const server = new ShareServer(
    {
      images: {
        describe: () => Promise.reject(new Error('not asked for here')),
        read: (digest, offset, signal) => {
          reads.push(`${nodeId} ${digest} ${offset}`);
          return read(digest, offset, signal);
        },
      },
      removedNodes: () => new Set(['removed']),
      managersNews: () => {},
    },
    ca.identity(nodeId, 'swarm-worker'),
  );
  const port = await server.start(0);
  undo.push(() => server.stop());
  holders.set(nodeId, { nodeId, addr: `127.0.0.1:${port}` });
  tracker.report(nodeId, new Set(image.blobs.keys()));
}

function big(): string {
  return [...image.blobs].find(([, bytes]) => bytes.length > BIG_BYTES)?.[0] ?? '';
}

async function pull(name = 'app:1'): Promise<string> {
  const record = await images.service.store.ensure(`${registry.host}/${name}`, {
    policy: 'missing',
  });
  return record.id;
}

function askedOfRegistry(digest: string): number {
  return registry.asked.filter(({ path }) => path.includes(digest)).length;
}

it('takes what a node has from there, and small things from the registry', async () => {
  await addNode('a', honest);
  expect(await pull()).toBe(image.id);
  expect(reads).toEqual([`a ${big()} 0`]);
  expect(askedOfRegistry(big())).toBe(0);
  expect(askedOfRegistry(image.id)).toBe(1);
});

it('goes on at another node, or at the registry, where one broke off', async () => {
  await addNode('a', async function* (digest, offset) {
    const bytes = image.blobs.get(digest) ?? Buffer.alloc(0);
    if (offset > 0) throw new TswarmError('not_found', 'gone meanwhile');
    yield bytes.subarray(0, 250_000);
    throw new TswarmError('internal', 'the disk died');
  });
  expect(await pull()).toBe(image.id);
  expect(reads).toEqual([`a ${big()} 0`, `a ${big()} 250000`]);
  expect(registry.asked.flatMap(({ range }) => range ?? [])).toEqual(['bytes=250000-']);
});

it('believes nobody: what a node sends in place of a blob is thrown away, and the node not asked again', async () => {
  const lie: Read = async function* (digest, offset) {
    yield randomBytes((image.blobs.get(digest)?.length ?? 0) - offset);
  };
  await addNode('liar', lie);
  await addNode('honest', honest);
  await addNode('too-much', async function* () {
    yield randomBytes(2 * BIG_BYTES);
  });
  expect(await pull()).toBe(image.id);
  expect(await images.service.store.ensure(image.id, { policy: 'never' })).toBeDefined();
  expect(askedOfRegistry(big())).toBe(0);
  const askedLiar = reads.filter((read) => read.startsWith('liar'));
  expect(askedLiar.length).toBeLessThanOrEqual(1);
  expect(await readdir(join(images.options.dataDir, 'ingest'))).toEqual([]);
});

it('needs no registry for an image that is named by its digest', async () => {
  await addNode('a', honest);
  const digest = `app@${image.manifestDigest}`;
  await registry.stop();
  await expect(pull('app:1')).rejects.toMatchObject({ code: 'unavailable' });
  expect(await pull(digest)).toBe(image.id);
  expect(reads).toHaveLength(4);
});

it('keeps nothing when the registry is away and the only node lies', async () => {
  await addNode('liar', async function* (digest, offset) {
    const bytes = image.blobs.get(digest) ?? Buffer.alloc(0);
    yield digest === big() ? randomBytes(bytes.length - offset) : bytes.subarray(offset);
  });
  await registry.stop();
  await expect(pull(`app@${image.manifestDigest}`)).rejects.toMatchObject({ code: 'not_found' });
  expect(images.service.store.resolve(image.id)).toBeUndefined();
});

it('asks the registry when no manager is in reach', async () => {
  leader.close();
  expect(await pull()).toBe(image.id);
  expect(reads).toEqual([]);
  expect(askedOfRegistry(big())).toBe(1);
});
