// Pulls from a registry that misbehaves (support/fixture-registry.ts). Goal: whatever it does,
// either the image is exactly right or there is none, no credential goes where it does not belong,
// and passing faults are ridden out. Needs root (layers are unpacked).
import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RegistryAuth } from '#protocol/engine';
import {
  type FixtureOptions,
  type FixtureRegistry,
  fixtureRegistry,
} from '../support/fixture-registry.ts';
import { digestOf, imageOf, type TestImage } from '../support/image-tar.ts';
import { type ImageFixture, imageFixture, linesOf, textsOf } from '../support/images.ts';

let images: ImageFixture;
let registry: FixtureRegistry | undefined;
let image: TestImage;

beforeEach(async () => {
  images = await imageFixture();
  image = await imageOf([{ big: randomBytes(600_000) }, { small: 'x' }]);
});
afterEach(async () => {
  await images.dispose();
  await registry?.stop();
});

async function start(options: FixtureOptions = {}): Promise<FixtureRegistry> {
  registry = await fixtureRegistry(options);
  registry.add('app', '1', image);
  return registry;
}

function auth(fields: Partial<RegistryAuth>): RegistryAuth {
  return { username: '', password: '', serverAddress: '', identityToken: '', ...fields };
}

async function pull(from: FixtureRegistry, credentials?: RegistryAuth): Promise<string> {
  const options = credentials === undefined ? {} : { auth: credentials };
  const record = await images.service.store.ensure(`${from.host}/app:1`, {
    policy: 'missing',
    ...options,
  });
  return record.id;
}

async function kept(): Promise<string[]> {
  const names: string[] = [];
  for (const folder of ['layers', 'tmp', 'ingest']) {
    for (const name of await readdir(join(images.options.dataDir, folder)))
      names.push(`${folder}/${name}`);
  }
  return names;
}

describe('connections', () => {
  it('goes on where a connection broke', async () => {
    const from = await start({ cutAfterBytes: 250_000 });
    expect(await pull(from)).toBe(image.id);
    const ranges = from.asked.flatMap(({ range }) => (range === undefined ? [] : [range]));
    expect(ranges).toEqual(['bytes=250000-', 'bytes=500000-']);
  });

  it('starts again when the registry cannot go on in the middle', async () => {
    const from = await start({ cutAfterBytes: 400_000, ignoresRange: true });
    await expect(pull(from)).rejects.toThrow();
    expect(images.service.store.resolve(`${from.host}/app:1`)).toBeUndefined();
  });

  it('keeps what it has for the next process', async () => {
    const options: FixtureOptions = { deadFromByte: 500_000 };
    const from = await start(options);
    await expect(pull(from)).rejects.toMatchObject({ code: 'unavailable' });
    const [part] = (await kept()).filter((name) => name.endsWith('.part'));
    const { size } = await stat(join(images.options.dataDir, part ?? ''));
    expect(size).toBe(500_000);
    await images.reopen();
    from.asked.length = 0;
    delete options.deadFromByte;
    expect(await pull(from)).toBe(image.id);
    expect(from.asked.map(({ range }) => range)).toContain('bytes=500000-');
    expect((await kept()).filter((name) => !name.startsWith('layers'))).toEqual([]);
  }, 60_000);

  it('tries again on 429 and 500', async () => {
    for (const status of [429, 503]) {
      const from = await start({ failures: { status, times: 2 } });
      expect(await pull(from)).toBe(image.id);
      await images.service.api.remove(image.id, { force: true, noPrune: false });
      await from.stop();
    }
  }, 60_000);
});

describe('credentials', () => {
  it('gets a token with the password, and sends it to nobody else', async () => {
    const token = { user: 'me', password: 'pw' };
    const from = await start({ token, redirectsBlobs: true });
    expect(await pull(from, auth({ username: 'me', password: 'pw' }))).toBe(image.id);
    const basic = from.asked.filter(({ authorization }) => authorization?.startsWith('Basic'));
    expect(new Set(basic.map(({ path }) => path.split('?')[0]))).toEqual(new Set(['/token']));
    const elsewhere = from.asked.filter(({ host }) => host === from.otherHost);
    expect(elsewhere.length).toBeGreaterThan(0);
    expect(elsewhere.every(({ authorization }) => authorization === undefined)).toBe(true);
    // One token per scope, not per request.
    expect(from.asked.filter(({ path }) => path.startsWith('/token'))).toHaveLength(1);
  });

  it('gets a token with an identity token', async () => {
    const from = await start({ token: { identity: 'refresh' } });
    expect(await pull(from, auth({ identityToken: 'refresh' }))).toBe(image.id);
  });

  it('says what the token server says', async () => {
    const from = await start({ token: { user: 'me', password: 'pw' } });
    await expect(pull(from, auth({ username: 'me', password: 'no' }))).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('incorrect username or password'),
    });
    await expect(pull(from)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('lies', () => {
  it('keeps nothing of a blob with another digest, or with more bytes than announced', async () => {
    const [layer = Buffer.alloc(0)] = image.layers;
    const flipped = Buffer.from(layer);
    flipped[1000] = (flipped[1000] ?? 0) ^ 1;
    for (const lie of [flipped, Buffer.concat([layer, Buffer.from('more')])]) {
      const from = await start({ lies: new Map([[digestOf(layer), lie]]) });
      await expect(pull(from)).rejects.toMatchObject({ code: 'digest_mismatch' });
      expect(images.service.store.resolve(`${from.host}/app:1`)).toBeUndefined();
      await images.service.api.prune({});
      expect(await kept()).toEqual([]);
      await from.stop();
    }
  });

  it('refuses a layer that is not the configuration’s, a wrong manifest, a document that is two', async () => {
    const other = await imageOf([{ big: 'other' }, { small: 'x' }]);
    const from = await start();
    const manifest = Buffer.from(
      image.manifest
        .toString()
        .replace(digestOf(image.layers[1] ?? ''), digestOf(other.layers[0] ?? ''))
        .replace(`"size":${image.layers[1]?.length}`, `"size":${other.layers[0]?.length}`),
    );
    from.blobs.set(digestOf(other.layers[0] ?? ''), other.layers[0] ?? Buffer.alloc(0));
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    from.manifests.set('app:1', { bytes: manifest, mediaType });
    await expect(pull(from)).rejects.toMatchObject({ code: 'digest_mismatch' });
    from.manifests.set(`app@${image.manifestDigest}`, { bytes: manifest, mediaType });
    const byDigest = images.service.store.ensure(`${from.host}/app@${image.manifestDigest}`, {
      policy: 'missing',
    });
    await expect(byDigest).rejects.toMatchObject({ code: 'digest_mismatch' });
    const both = Buffer.from(
      JSON.stringify({ ...JSON.parse(image.manifest.toString()), manifests: [] }),
    );
    from.manifests.set('app:1', { bytes: both, mediaType });
    await expect(pull(from)).rejects.toThrow('is both an image and an index');
    from.manifests.set('app:1', {
      bytes: image.manifest,
      mediaType: 'application/vnd.oci.image.index.v1+json',
    });
    await expect(pull(from)).rejects.toThrow('was sent as');
  });

  it('gives up on redirects without end, and on a web page in place of a manifest', async () => {
    const loop = await start({ loopsBlobs: true });
    await expect(pull(loop)).rejects.toThrow('more than 5 redirects');
    expect(loop.asked.length).toBeLessThan(100);
    await loop.stop();
    const page = await start();
    const bytes = Buffer.from('<html><title>Sign in</title></html>');
    page.manifests.set('app:1', { bytes, mediaType: 'text/html; charset=utf-8' });
    await expect(pull(page)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('is not JSON'),
    });
    expect(images.service.store.resolve(`${page.host}/app:1`)).toBeUndefined();
    expect(await kept()).toEqual([]);
  });

  it('cancels when the caller gives up, and leaves only the partial download', async () => {
    const from = await start();
    const abort = new AbortController();
    abort.abort();
    await expect(
      images.service.store.ensure(`${from.host}/app:1`, {
        policy: 'missing',
        signal: abort.signal,
      }),
    ).rejects.toThrow();
    expect(await kept()).toEqual([]);
  });
});

describe('mirrors', () => {
  it('are asked in their order for what is on Docker Hub, and for nothing else', async () => {
    const mirror = await fixtureRegistry();
    const dead = 'http://127.0.0.1:1';
    const mirrored = await imageFixture({ registryMirrors: [dead, `http://${mirror.host}`] });
    try {
      mirror.add('library/app', '1', image);
      const { store } = mirrored.service;
      expect((await store.ensure('app:1', { policy: 'missing' })).id).toBe(image.id);
      // It is the Hub's image, whoever sent it.
      expect(store.resolve(`docker.io/library/app@${image.manifestDigest}`)?.id).toBe(image.id);
      const asked = mirror.asked.length;
      const from = await start();
      expect((await store.ensure(`${from.host}/app:1`, { policy: 'missing' })).id).toBe(image.id);
      await expect(store.ensure(`${from.host}/no:1`, { policy: 'missing' })).rejects.toThrow();
      expect(mirror.asked).toHaveLength(asked);
    } finally {
      await mirrored.dispose();
      await mirror.stop();
    }
  });

  it('are refused when they are no URL, or plain HTTP on another host', async () => {
    for (const [mirror, said] of [
      ['https://', 'is no URL'],
      ['http://mirror.example', 'is plain HTTP'],
    ] as const) {
      const mirrored = await imageFixture({ registryMirrors: [mirror] });
      const pulled = mirrored.service.store.ensure('app:1', { policy: 'missing' });
      await expect(pulled).rejects.toThrow(said);
      await mirrored.dispose();
    }
  });
});

describe('indexes', () => {
  it('takes the image of the platform, never an attestation', async () => {
    const arm = await imageOf([{ a: 'arm' }], { architecture: 'arm64' });
    const from = await start();
    from.add('app', 'arm', arm);
    const entry = (one: TestImage, platform: object, annotations = {}): object => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: one.manifestDigest,
      size: one.manifest.length,
      platform,
      annotations,
    });
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [
          entry(
            arm,
            { os: 'unknown', architecture: 'unknown' },
            { 'vnd.docker.reference.type': 'attestation-manifest' },
          ),
          entry(arm, { os: 'linux', architecture: 'arm64' }),
          entry(image, { os: 'linux', architecture: 'amd64' }),
        ],
      }),
    );
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    from.manifests.set('app:1', { bytes: index, mediaType });
    expect(await pull(from)).toBe(image.id);
    expect(images.service.store.resolve(`${from.host}/app@${digestOf(index)}`)?.id).toBe(image.id);
    const never = new AbortController().signal;
    const name = `${from.host}/app:1`;
    const lines = await linesOf(
      images.service.api.pull(name, { platform: 'linux/arm64/v8' }, never),
    );
    expect(textsOf(lines).at(-1)).toContain('Downloaded newer image');
    expect(images.service.store.resolve(name)?.id).toBe(arm.id);
    await expect(
      images.service.api.pull(name, { platform: 'linux/s390x' }, never),
    ).rejects.toMatchObject({
      code: 'not_found',
      message: 'no matching manifest for linux/s390x in the manifest list entries',
    });
  });
});
