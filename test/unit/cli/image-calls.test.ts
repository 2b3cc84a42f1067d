// What the command lines send about images: names split for the API, contexts that are piped in, arguments of builds.
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import tar from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { buildArguments, pipedContext } from '#cli/client/build-context';
import { imagePath, pushCall, splitTag } from '#cli/client/image-calls';

describe('names', () => {
  it('has a tag only behind the last slash, and none beside a digest', () => {
    const digest = `a/b@sha256:${'0'.repeat(64)}`;
    expect(splitTag('host:5000/a/b')).toEqual({ name: 'host:5000/a/b', tag: undefined });
    expect(splitTag('host:5000/a/b:1')).toEqual({ name: 'host:5000/a/b', tag: '1' });
    expect(splitTag('b:1')).toEqual({ name: 'b', tag: '1' });
    expect(splitTag(digest)).toEqual({ name: digest, tag: undefined });
  });

  it('keeps what would end a path inside of it', () => {
    expect(imagePath('host:5000/a/b?c#d', '/tag')).toBe('/images/host%3A5000/a/b%3Fc%23d/tag');
  });

  it('pushes latest, the tag that is named, or all', async () => {
    const none = { DOCKER_CONFIG: '/nowhere' };
    const push = async (name: string, all = false): Promise<unknown> => {
      const { path, options } = await pushCall(name, none, all);
      return [path, options.query, options.headers];
    };
    const headers = { 'x-registry-auth': 'e30' };
    expect(await push('a')).toEqual(['/images/a/push', { tag: 'latest' }, headers]);
    expect(await push('a:1')).toEqual(['/images/a/push', { tag: '1' }, headers]);
    expect(await push('a', true)).toEqual(['/images/a/push', { tag: undefined }, headers]);
  });
});

describe('a context that is piped in', () => {
  const collect = async (data: AsyncIterable<Uint8Array>): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const part of data) parts.push(part);
    return Buffer.concat(parts);
  };

  /** In pieces of seven bytes. */
  async function* piped(data: Buffer): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < data.length; at += 7) yield data.subarray(at, at + 7);
  }

  it('goes on as it is when it is an archive, compressed or not', async () => {
    const pack = tar.pack();
    pack.entry({ name: 'Dockerfile' }, 'FROM scratch\n');
    pack.finalize();
    const whole = await collect(pack as unknown as Readable);
    for (const data of [whole, gzipSync(whole)]) {
      const { stream, dockerfile } = await pipedContext(piped(data), 'sub/Dockerfile');
      expect(dockerfile).toBe('sub/Dockerfile');
      expect((await collect(stream)).equals(data)).toBe(true);
    }
  });

  it('is a Dockerfile otherwise, however long or short', async () => {
    for (const text of ['FROM a\n', '', `FROM a\n${'# much\n'.repeat(200)}`]) {
      const { stream, dockerfile } = await pipedContext(piped(Buffer.from(text)), 'x');
      const extract = tar.extract();
      const found: [string, string][] = [];
      extract.on('entry', (header, body, next) => {
        void collect(body as unknown as Readable).then((data) => {
          found.push([header.name, data.toString()]);
          next();
        });
      });
      await new Promise<void>((resolve, reject) => {
        extract.on('finish', () => resolve()).on('error', reject);
        Readable.from(stream).pipe(extract);
      });
      expect(found).toEqual([[dockerfile, text]]);
    }
  });
});

it('takes build arguments without a value from the environment', () => {
  const environment = { GIVEN: 'x', OTHER: 'y' };
  expect(buildArguments(['A=1=2', 'GIVEN', 'MISSING', 'E='], environment)).toEqual({
    A: '1=2',
    GIVEN: 'x',
    E: '',
  });
});
