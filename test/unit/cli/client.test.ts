// The CLIs' connection: which socket is chosen, how multiplexed streams are taken apart, what a build context holds.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildContext } from '#cli/client/build-context';
import { DEFAULT_SOCKET, resolveEndpoint, unreachable } from '#cli/client/endpoint';
import { Demultiplexer } from '#cli/client/streams';

describe('endpoint', () => {
  const all = { TSWARM_HOST: 'unix:///b.sock', DOCKER_HOST: 'unix:///c.sock' };

  it('-H, then TSWARM_HOST, then DOCKER_HOST to be checked, then the default', () => {
    expect(resolveEndpoint({ host: 'unix:///a.sock' }, all)).toMatchObject({
      socketPath: '/a.sock',
    });
    expect(resolveEndpoint({}, all)).toMatchObject({
      socketPath: '/b.sock',
      checkServer: false,
    });
    expect(resolveEndpoint({}, { DOCKER_HOST: 'unix:///c.sock' })).toMatchObject({
      socketPath: '/c.sock',
      checkServer: true,
    });
    expect(resolveEndpoint({}, { DOCKER_HOST: 'tcp://x:1' }).socketPath).toBe(DEFAULT_SOCKET);
    expect(resolveEndpoint({}, {}).socketPath).toBe(DEFAULT_SOCKET);
  });

  it('takes a run root for the socket in it, and refuses other schemes', () => {
    expect(resolveEndpoint({ host: 'unix:///run/one/' }, {}).socketPath).toBe(
      '/run/one/cluster.sock',
    );
    expect(() => resolveEndpoint({ host: 'tcp://1.2.3.4:5' }, {})).toThrow('TLS with a client');
    expect(() => resolveEndpoint({ host: 'ssh://x' }, {})).toThrow('must be unix:// or tcp://');
  });

  it('says why nobody answers', () => {
    const endpoint = resolveEndpoint({ host: 'unix:///nowhere/x.sock' }, {});
    expect(unreachable(endpoint, 'ENOENT').message).toContain('there is no such socket');
    expect(unreachable(endpoint, 'EACCES').code).toBe('permission_denied');
  });
});

describe('multiplexed streams', () => {
  const frame = (stream: number, text: string): Buffer => {
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };

  it('come apart the same wherever the pieces are cut', () => {
    const whole = Buffer.concat([frame(1, 'out'), frame(2, 'err'), frame(1, ''), frame(1, 'ü')]);
    for (let cut = 1; cut < whole.length; cut++) {
      const splitter = new Demultiplexer();
      const seen: string[] = [];
      for (const piece of [whole.subarray(0, cut), whole.subarray(cut)])
        splitter.push(piece, (stream, data) => seen.push(`${stream}:${data.toString()}`));
      expect(seen).toEqual(['stdout:out', 'stderr:err', 'stdout:', 'stdout:ü']);
    }
  });
});

describe('build context', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tswarm-context-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function put(path: string, text: string): void {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  }

  async function entries(options: { folder?: string; dockerfile?: string; inline?: string } = {}) {
    const { dockerfile = 'Dockerfile', inline } = options;
    const context = buildContext({ folder: options.folder ?? folder, dockerfile, inline });
    const found = new Map<string, string>();
    const modes = new Map<string, number | undefined>();
    const extract = tar.extract();
    extract.on('entry', (header, stream, next) => {
      let text = '';
      stream.on('data', (data) => {
        text += String(data);
      });
      stream.on('end', () => {
        found.set(header.name, header.linkname ?? text);
        modes.set(header.name, header.mode);
        next();
      });
    });
    await pipeline(Readable.from(context.stream), extract as unknown as Writable);
    return { found, modes, dockerfile: context.dockerfile };
  }

  it('holds the folder less what is ignored, with the Dockerfile in any case', async () => {
    put('Dockerfile', 'FROM x');
    put('.dockerignore', '*\n!src\nsrc/*.log\n');
    put('src/a.ts', 'a');
    put('src/b.log', 'b');
    put('empty', '');
    symlinkSync('a.ts', join(folder, 'src/link'));
    const { found } = await entries();
    expect([...found.keys()].sort()).toEqual([
      '.dockerignore',
      'Dockerfile',
      'src/',
      'src/a.ts',
      'src/link',
    ]);
    expect(found.get('src/link')).toBe('a.ts');
  });

  it('keeps empty files', async () => {
    put('Dockerfile', 'FROM x');
    put('empty', '');
    expect((await entries()).found.get('empty')).toBe('');
  });

  it('prefers the ignore file of the Dockerfile', async () => {
    put('other.Dockerfile', 'FROM x');
    put('other.Dockerfile.dockerignore', 'b');
    put('.dockerignore', 'a');
    put('a', '1');
    put('b', '2');
    const { found } = await entries({ dockerfile: 'other.Dockerfile' });
    expect(found.has('a')).toBe(true);
    expect(found.has('b')).toBe(false);
    // The builder goes by the same file, also when that leaves itself out.
    put('other.Dockerfile.dockerignore', '*');
    const all = await entries({ dockerfile: 'other.Dockerfile' });
    expect(all.found.get('other.Dockerfile.dockerignore')).toBe('*');
    put('sub/x', '1');
    const foreign = await entries({
      folder: join(folder, 'sub'),
      dockerfile: '../other.Dockerfile',
    });
    expect(foreign.found.get(`${foreign.dockerfile}.dockerignore`)).toBe('*');
    expect(foreign.found.has('x')).toBe(false);
  });

  it('keeps the modes of files, also of one that nobody may read', async () => {
    put('Dockerfile', 'FROM x');
    put('none', '');
    chmodSync(join(folder, 'none'), 0);
    const { modes } = await entries();
    expect(modes.get('none')).toBe(0);
  });

  it('takes an inline Dockerfile along under a name of its own', async () => {
    put('a', '1');
    const { found, dockerfile } = await entries({ inline: 'FROM y' });
    expect(found.get(dockerfile)).toBe('FROM y');
  });

  it('says what is missing', () => {
    expect(() => buildContext({ folder, dockerfile: 'Dockerfile', inline: undefined })).toThrow(
      'Dockerfile does not exist',
    );
    const nowhere = join(folder, 'nowhere');
    expect(() => buildContext({ folder: nowhere, dockerfile: 'x', inline: '' })).toThrow(nowhere);
  });
});
