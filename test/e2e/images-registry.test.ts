// Pull and push against Debian's docker-registry, with images that skopeo has put there from a
// layout of our own making. Goal: what comes out is what went in, byte for byte; names, lines and
// errors are Docker's. Needs root (layers are unpacked with owners).
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageOf, ociLayoutOf, streamOf, type TestImage, tarOf } from '../support/image-tar.ts';
import { type ImageFixture, imageFixture, linesOf, textsOf } from '../support/images.ts';
import { HTPASSWD, type RegistryProcess, startRegistry } from '../support/registry.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const USER = { username: 'user', password: 'secret', serverAddress: '', identityToken: '' };

async function skopeoPush(
  dir: string,
  image: TestImage,
  target: string,
  ...more: string[]
): Promise<void> {
  const path = join(dir, 'layout.tar');
  await writeFile(path, await ociLayoutOf(image, 'x:1'));
  const args = ['copy', '--quiet', '--dest-tls-verify=false', ...more];
  await run('skopeo', [...args, `oci-archive:${path}:x:1`, `docker://${target}`]);
}

/** Passes connections on to the registry, and cuts the first one that has sent so many bytes. */
async function cuttingRelay(
  to: string,
  cutAtBytes: number,
): Promise<AsyncDisposable & { readonly host: string; readonly cuts: number }> {
  const state = { host: '', cuts: 0 };
  const [address = '', port = ''] = to.split(':');
  const server = createServer((client) => {
    const upstream = connect(Number(port), address);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    let bytes = 0;
    client.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > cutAtBytes && state.cuts === 0) {
        state.cuts += 1;
        // The registry gets what came until then, and then the end.
        client.pause();
        upstream.end(chunk, end);
        return;
      }
      if (!upstream.write(chunk)) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
    });
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as AddressInfo;
  state.host = `127.0.0.1:${own}`;
  return Object.assign(state, {
    async [Symbol.asyncDispose]() {
      server.close();
    },
  });
}

describe('pull and push with a real registry', () => {
  let registry: RegistryProcess;
  let images: ImageFixture;

  beforeAll(async () => {
    registry = await startRegistry();
    images = await imageFixture();
  });
  afterAll(async () => {
    await images.dispose();
    await registry.stop();
  });

  it('pulls what skopeo pushed: lines, record, files', async () => {
    const image = await imageOf([
      { 'a/': '', 'a/one': '1' },
      { 'a/two': '22', 'a/.wh.one': '' },
    ]);
    const name = `${registry.host}/t/two-layers:1`;
    await skopeoPush(images.dir, image, name);
    const lines = await linesOf(images.service.api.pull(name, { platform: '' }, never));
    const texts = textsOf(lines);
    expect(texts[0]).toBe('1: Pulling from t/two-layers');
    for (const text of ['Pulling fs layer', 'Download complete', 'Pull complete']) {
      expect(texts.filter((line) => line.endsWith(`: ${text}`))).toHaveLength(2);
    }
    expect(texts.at(-2)).toBe(`Digest: ${image.manifestDigest}`);
    expect(texts.at(-1)).toBe(`Status: Downloaded newer image for ${name}`);
    const record = images.service.store.resolve(name);
    expect(record?.id).toBe(image.id);
    expect(record?.repoDigests).toEqual([`${registry.host}/t/two-layers@${image.manifestDigest}`]);
    expect(record?.sizeBytes).toBe(3);
    const { mergedDir } = await images.service.store
      .prepareRootfs('c1', image.id)
      .then(() => images.service.store.mountRootfs('c1'));
    expect(await readFile(join(mergedDir, 'a/two'), 'utf8')).toBe('22');
    await expect(readFile(join(mergedDir, 'a/one'))).rejects.toThrow('ENOENT');
    await images.service.store.removeRootfs('c1');
  });

  it('says that a second pull changes nothing, and resolves every way of naming', async () => {
    const name = `${registry.host}/t/two-layers:1`;
    const texts = textsOf(await linesOf(images.service.api.pull(name, { platform: '' }, never)));
    expect(texts.at(-1)).toBe(`Status: Image is up to date for ${name}`);
    expect(texts.filter((line) => line.endsWith(': Already exists'))).toHaveLength(2);
    const { store } = images.service;
    const id = store.resolve(name)?.id ?? '';
    const digest = store.resolve(name)?.repoDigests[0] ?? '';
    for (const text of [
      id,
      id.slice(7),
      id.slice(7, 19),
      digest,
      `${name.replace(/:1$/, '')}:1@${digest.split('@')[1]}`,
    ]) {
      expect(store.resolve(text)?.id, text).toBe(id);
    }
    expect(store.resolve('nothing/here')).toBeUndefined();
  });

  it('shares one pull among callers at the same time', async () => {
    const image = await imageOf([
      { big: Buffer.alloc(4_000_000, 7) },
      { more: Buffer.alloc(3_000_000, 9) },
    ]);
    const name = `${registry.host}/t/shared:1`;
    await skopeoPush(images.dir, image, name);
    const options = { policy: 'missing' } as const;
    const records = await Promise.all(
      Array.from({ length: 8 }, () => images.service.store.ensure(name, options)),
    );
    expect(new Set(records.map((record) => record.id))).toEqual(new Set([image.id]));
  });

  it('pulls zstd layers', async () => {
    const image = await imageOf([{ z: Buffer.alloc(1_000_000, 1) }], {
      compress: (tar) => zstdCompressSync(tar),
      layerType: 'application/vnd.oci.image.layer.v1.tar+zstd',
    });
    const name = `${registry.host}/t/zstd:1`;
    await skopeoPush(images.dir, image, name);
    const record = await images.service.store.ensure(name, { policy: 'always' });
    expect(record.id).toBe(image.id);
    expect(record.sizeBytes).toBe(1_000_000);
  });

  it('pushes an imported image, and another store pulls the same files', async () => {
    const { api, store } = images.service;
    const layer = await imageOf([{ 'etc/': '', 'etc/motd': 'hello' }]);
    const archive = streamOf(layer.layers[0] ?? Buffer.alloc(0));
    const changes = ['CMD ["/bin/sh"]', 'ENV A=1', 'EXPOSE 80'];
    const imported = { repo: `${registry.host}/t/own`, tag: '1', message: 'hey', changes };
    await linesOf(api.importTar(archive, imported));
    const name = `${registry.host}/t/own:1`;
    const lines = await linesOf(api.push(name, {}, never));
    const texts = textsOf(lines);
    expect(texts[0]).toBe(`The push refers to repository [${registry.host}/t/own]`);
    expect(texts.some((text) => text.endsWith(': Pushed'))).toBe(true);
    const aux = lines.at(-1)?.aux as { Tag: string; Digest: string; Size: number };
    expect(texts.at(-2)).toBe(`1: digest: ${aux.Digest} size: ${aux.Size}`);
    expect(store.resolve(name)?.repoDigests).toEqual([`${registry.host}/t/own@${aux.Digest}`]);
    const again = textsOf(await linesOf(api.push(name, {}, never)));
    expect(again.some((text) => text.endsWith(': Layer already exists'))).toBe(true);

    const other = await imageFixture();
    try {
      const record = await other.service.store.ensure(name, { policy: 'missing' });
      expect(record.id).toBe(store.resolve(name)?.id);
      expect(record.config.config).toMatchObject({ Cmd: ['/bin/sh'], Env: ['A=1'] });
      const platforms = await other.service.api.distribution(name);
      expect(platforms).toMatchObject({
        Descriptor: { digest: aux.Digest, size: aux.Size },
        Platforms: [{ architecture: 'amd64', os: 'linux' }],
      });
    } finally {
      await other.dispose();
    }
    // What we pushed is sound to others as well.
    await run('skopeo', ['inspect', '--tls-verify=false', `docker://${name}`]);
  });

  it('pushes to another repository without sending what the registry has', async () => {
    const { api } = images.service;
    const image = await imageOf([{ shared: 'by two repositories' }]);
    await skopeoPush(images.dir, image, `${registry.host}/from/here:1`);
    await linesOf(api.pull(`${registry.host}/from/here:1`, { platform: '' }, never));
    const name = `${registry.host}/taken/over:1`;
    await api.tag(image.id, { repo: `${registry.host}/taken/over`, tag: '1' });
    const texts = textsOf(await linesOf(api.push(name, {}, never)));
    expect(texts.filter((text) => text.endsWith(': Mounted from from/here'))).toHaveLength(1);
    expect(texts.some((text) => text.endsWith(': Pushed'))).toBe(false);
    await run('skopeo', ['inspect', '--tls-verify=false', `docker://${name}`]);
  });

  it('sends a large layer again when the connection breaks: this registry keeps nothing of it', async () => {
    const { api, store } = images.service;
    const archive = streamOf(await tarOf({ big: randomBytes(6_000_000) }));
    await using relay = await cuttingRelay(registry.host, 3_000_000);
    const repo = `${relay.host}/t/broken`;
    await linesOf(api.importTar(archive, { repo, tag: '1', message: '', changes: [] }));
    const lines = await linesOf(api.push(`${repo}:1`, {}, never));
    expect(textsOf(lines).some((text) => text.endsWith(': Pushed'))).toBe(true);
    expect(relay.cuts).toBe(1);
    const other = await imageFixture();
    try {
      const name = `${registry.host}/t/broken:1`;
      const record = await other.service.store.ensure(name, { policy: 'missing' });
      expect(record.id).toBe(store.resolve(`${repo}:1`)?.id);
    } finally {
      await other.dispose();
    }
  });

  it('answers for what is not there as Docker does', async () => {
    const { api, store } = images.service;
    await expect(
      api.pull(`${registry.host}/none:1`, { platform: '' }, never),
    ).rejects.toMatchObject({
      code: 'not_found',
      message: `manifest for ${registry.host}/none:1 not found: manifest unknown: manifest unknown`,
    });
    await expect(store.ensure('nope', { policy: 'never' })).rejects.toMatchObject({
      code: 'not_found',
      message: 'No such image: nope:latest',
    });
    await expect(api.pull('127.0.0.1:1/x', { platform: '' }, never)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('dial tcp 127.0.0.1:1: connect: connection refused'),
    });
    const said: unknown[] = [];
    for await (const line of await api.push('127.0.0.1:1/x:1', {}, never)) said.push(line);
    expect(said.at(0)).toMatchObject({ status: 'The push refers to repository [127.0.0.1:1/x]' });
    expect(said.at(-1)).toMatchObject({
      error: 'An image does not exist locally with the tag: 127.0.0.1:1/x',
    });
    await expect(api.pull('x/UPPER', { platform: '' }, never)).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const platform = api.pull(
      `${registry.host}/t/two-layers:1`,
      { platform: 'linux/arm64' },
      never,
    );
    expect(textsOf(await linesOf(platform)).at(-1)).toContain(
      'does not match the specified platform',
    );
  });
});

describe('a registry that asks for a password', () => {
  let registry: RegistryProcess;
  let images: ImageFixture;

  beforeAll(async () => {
    registry = await startRegistry({ htpasswd: HTPASSWD });
    images = await imageFixture();
  });
  afterAll(async () => {
    await images.dispose();
    await registry.stop();
  });

  it('lets in who knows it, and says so to who does not', async () => {
    const image = await imageOf([{ secret: 'x' }]);
    const name = `${registry.host}/private:1`;
    await skopeoPush(images.dir, image, name, '--dest-creds=user:secret');
    const { api, store } = images.service;
    await expect(api.pull(name, { platform: '' }, never)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(
        /^pull access denied for 127\.0\.0\.1:\d+\/private, repository does not exist or may require 'docker login': /,
      ),
    });
    const wrong = { ...USER, password: 'wrong' };
    await expect(api.pull(name, { platform: '', auth: wrong }, never)).rejects.toMatchObject({
      code: 'not_found',
    });
    expect((await store.ensure(name, { policy: 'missing', auth: USER })).id).toBe(image.id);
    const server = { ...USER, serverAddress: registry.host };
    expect(await images.service.authenticate(server)).toMatchObject({ Status: 'Login Succeeded' });
    const refused = images.service.authenticate({ ...server, password: 'wrong' });
    await expect(refused).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});
