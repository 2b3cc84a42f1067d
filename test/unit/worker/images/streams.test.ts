// Archives, compression and progress as streams: what was written is read, in pieces of any size;
// what is damaged is refused.
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allOrAbort, KeyedLock, Limiter } from '#worker/images/concurrency';
import { compressionOf, decompress } from '#worker/images/decompress';
import { parseConfig, parseManifest } from '#worker/images/manifest';
import { barLine, ProgressQueue, progressOf, sizeText } from '#worker/images/progress';
import type { TarHeader, TarKind } from '#worker/images/tar/format';
import { bytesOfName, textOfName } from '#worker/images/tar/names';
import { readTar } from '#worker/images/tar/reader';
import { simpleHeader, type TarMember, writeTar } from '#worker/images/tar/writer';
import { join, streamOf } from '../../../support/image-tar.ts';

interface Read {
  readonly header: TarHeader;
  readonly data: Buffer;
}

async function readAll(bytes: Uint8Array, chunkBytes: number, skipsData = false): Promise<Read[]> {
  const entries: Read[] = [];
  for await (const { header, data } of readTar(streamOf(bytes, chunkBytes))) {
    entries.push({ header, data: skipsData ? Buffer.alloc(0) : await join(data) });
  }
  return entries;
}

const name = fc
  .array(fc.oneof(fc.stringMatching(/^[^/\0]{1,120}$/), fc.constant('x'.repeat(99))), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join('/'))
  .filter((text) => text.isWellFormed());
const member: fc.Arbitrary<TarMember> = fc
  .record({
    name,
    kind: fc.constantFrom<TarKind>('file', 'dir', 'symlink', 'link', 'char', 'block', 'fifo'),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 0, max: 2 ** 32 - 2 })),
    gid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
    seconds: fc.integer({ min: 0, max: 2 ** 40 }),
    nanos: fc.integer({ min: 0, max: 999_999_999 }),
    linkName: name,
    deviceMajor: fc.integer({ min: 0, max: 255 }),
    deviceMinor: fc.integer({ min: 0, max: 255 }),
    content: fc.uint8Array({ maxLength: 1500 }),
    xattr: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ seconds, nanos, content, xattr, linkName, ...rest }) => {
    const hasLink = rest.kind === 'symlink' || rest.kind === 'link';
    const header: TarHeader = {
      ...rest,
      size: rest.kind === 'file' ? content.length : 0,
      mtime: nanos === 0 ? String(seconds) : `${seconds}.${String(nanos).padStart(9, '0')}`,
      linkName: hasLink ? linkName : '',
      records: xattr.length > 0 ? new Map([['SCHILY.xattr.user.x', xattr]]) : new Map(),
    };
    return rest.kind === 'file' ? { header, data: [content] } : { header };
  });

describe('tar', () => {
  it('gives back every entry, whatever the chunks are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(member, { maxLength: 6 }),
        fc.integer({ min: 1, max: 3000 }),
        async (members, chunkBytes) => {
          const bytes = await join(writeTar(members));
          expect(bytes.length % 512).toBe(0);
          const read = await readAll(bytes, chunkBytes);
          expect(read.map(({ header }) => ({ ...header, records: [...header.records] }))).toEqual(
            members.map(({ header }) => ({
              ...header,
              records: [...header.records].map(([k, v]) => [k, new Uint8Array(v)]),
            })),
          );
          expect((await readAll(bytes, chunkBytes, true)).length).toBe(members.length);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('reads GNU long names, base-256 numbers and a missing end', async () => {
    const long = `${'d/'.repeat(90)}file`;
    const gnu = (flag: string, content: Buffer): Buffer => {
      const header = Buffer.from(rawHeader('././@LongLink', content.length, flag));
      return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
    };
    const bytes = Buffer.concat([gnu('L', Buffer.from(`${long}\0`)), rawHeader('short', 0, '0')]);
    expect((await readAll(bytes, 100)).map(({ header }) => header.name)).toEqual([long]);
  });

  it('refuses what is damaged, without ever reading past a bound', async () => {
    const good = await join(
      writeTar([{ header: simpleHeader('a', 'file', 3, 0), data: [Buffer.from('abc')] }]),
    );
    const broken = Buffer.from(good);
    broken[0] = 0x62;
    await expect(readAll(broken, 512)).rejects.toThrow('checksum');
    await expect(readAll(good.subarray(0, 514), 512)).rejects.toThrow('unexpected EOF');
    await expect(readAll(good.subarray(0, 300), 512)).rejects.toThrow('unexpected EOF');
    await expect(readAll(rawHeader('x', 2 ** 30, 'x'), 512)).rejects.toThrow('too large');
    await expect(readAll(rawHeader('x', 0, 'S'), 512)).rejects.toThrow('not supported');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 512, maxLength: 4096 }), async (noise) => {
        await readAll(noise, 700).catch((error: { code?: string }) => {
          expect(error.code).toBe('invalid_argument');
        });
      }),
    );
  });

  it('keeps names that are not UTF-8', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(new Uint8Array(bytesOfName(textOfName(bytes)))).toEqual(bytes);
      }),
    );
  });
});

function rawHeader(text: string, size: number, flag: string): Buffer {
  const block = Buffer.alloc(512);
  block.write(text, 0);
  block.write('0000644\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write(flag, 156);
  block.write('ustar\x0000', 257);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

describe('decompress', () => {
  const text = Buffer.from('some text, '.repeat(10_000));

  it('knows each kind by its first bytes, also in several members and single bytes', async () => {
    const halves = [text.subarray(0, 5000), text.subarray(5000)] as const;
    const inputs: readonly Buffer[] = [
      text,
      gzipSync(text),
      Buffer.concat(halves.map((half) => gzipSync(half))),
      zstdCompressSync(text),
      Buffer.concat(halves.map((half) => zstdCompressSync(half))),
    ];
    for (const input of inputs) {
      for (const chunkBytes of [1_000_000, 1000]) {
        const out = await join(decompress(streamOf(input, chunkBytes), { bytesMax: 1e9 }));
        expect([inputs.indexOf(input), chunkBytes, out.length, out.equals(text)]).toEqual([
          inputs.indexOf(input),
          chunkBytes,
          text.length,
          true,
        ]);
      }
    }
    expect(await join(decompress(streamOf(Buffer.alloc(0)), { bytesMax: 10 }))).toEqual(
      Buffer.alloc(0),
    );
    expect(compressionOf(deflateSync('x'))).toBe('none');
  });

  it('refuses damage and bombs', async () => {
    const cut = gzipSync(text).subarray(0, 100);
    await expect(join(decompress(streamOf(cut), { bytesMax: 1e9 }))).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const bomb = zstdCompressSync(Buffer.alloc(400 * 1024 * 1024));
    await expect(
      (async () => {
        for await (const chunk of decompress(streamOf(bomb), { bytesMax: 1e12 })) void chunk;
      })(),
    ).rejects.toMatchObject({ code: 'too_large' });
    await expect(
      join(decompress(streamOf(gzipSync(text)), { bytesMax: 1000 })),
    ).rejects.toMatchObject({ code: 'too_large' });
  });

  it('passes on what its source throws', async () => {
    const failing = async function* (): AsyncIterable<Uint8Array> {
      yield gzipSync(text).subarray(0, 50);
      throw new Error('line is down');
    };
    await expect(join(decompress(failing(), { bytesMax: 1e9 }))).rejects.toThrow('line is down');
  });
});

describe('manifests', () => {
  const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
  const descriptor = { mediaType: 'x', digest: `sha256:${'0'.repeat(64)}`, size: 3 };

  it('refuses documents that lie about what they are', () => {
    const cases: readonly (readonly [unknown, string, string])[] = [
      [{ schemaVersion: 1 }, '', 'schema 1'],
      [{ config: descriptor, layers: [], manifests: [] }, '', 'both an image and an index'],
      [{ config: descriptor, layers: [{ ...descriptor, size: -1 }] }, '', 'is not a size'],
      [
        { config: descriptor, layers: [{ ...descriptor, digest: 'sha256:../x' }] },
        '',
        'is not a digest',
      ],
      [
        { config: descriptor, layers: Array.from({ length: 600 }, () => descriptor) },
        '',
        'at most',
      ],
      [{ layers: 'no', config: descriptor }, '', 'is not a list'],
      [[], '', 'is not a JSON object'],
    ];
    for (const [value, type, message] of cases) {
      expect(() => parseManifest(bytes(value), type, 'm'), message).toThrow(message);
    }
    expect(() => parseManifest(Buffer.from('{'), '', 'm')).toThrow('is not JSON');
    expect(() => parseConfig(bytes({ rootfs: { diff_ids: ['x'] } }), 'c')).toThrow(
      'is not a digest',
    );
  });
});

describe('progress', () => {
  it('drops only bars that were overtaken', async () => {
    const queue = new ProgressQueue();
    for (let i = 0; i < 5000; i += 1) queue.push(barLine('Downloading', 'a', i, 5000));
    queue.push({ status: 'done', id: 'a' });
    queue.end();
    const lines = [];
    for await (const line of queue.lines(() => {})) lines.push(line);
    expect(lines.length).toBeLessThan(300);
    expect(lines.at(-1)).toEqual({ status: 'done', id: 'a' });
    expect(lines.at(-2)?.progressDetail).toEqual({ current: 4999, total: 5000 });
  });

  it('aborts the work when the reader leaves, and makes a failure the last line', async () => {
    let isAborted = false;
    const progress = progressOf(async (onLine, signal) => {
      onLine({ status: 'one' });
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      isAborted = true;
    }, undefined);
    for await (const line of progress) {
      expect(line).toEqual({ status: 'one' });
      break;
    }
    await Promise.resolve();
    expect(isAborted).toBe(true);
    const failing = progressOf(async () => {
      throw Object.assign(new Error('broken'), { exitCode: 3 });
    }, undefined);
    const lines = [];
    for await (const line of failing) lines.push(line);
    expect(lines).toEqual([{ errorDetail: { code: 3, message: 'broken' }, error: 'broken' }]);
    expect(barLine('Downloading', 'x', 50, 100).progress).toBe(
      `[${'='.repeat(25)}>${' '.repeat(24)}]      50B/100B`.replace('      50B', '  50B'),
    );
    expect([sizeText(999), sizeText(1000), sizeText(2_226_185)]).toEqual([
      '999B',
      '1kB',
      '2.226MB',
    ]);
  });
});

describe('waiting in line', () => {
  it('holds a key once, and goes on after a failure', async () => {
    const lock = new KeyedLock();
    const order: string[] = [];
    const hold = (label: string): Promise<void> =>
      lock.with('k', async () => {
        order.push(`${label}+`);
        await Promise.resolve();
        order.push(`${label}-`);
        if (label === 'a') throw new Error('a');
      });
    const results = await Promise.allSettled([
      hold('a'),
      hold('b'),
      lock.with('other', async () => order.push('other')),
    ]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(order.filter((one) => one !== 'other')).toEqual(['a+', 'a-', 'b+', 'b-']);
    expect(lock.isHeld('k')).toBe(false);
  });

  it('limits how much runs, and stops the rest when one fails', async () => {
    const limiter = new Limiter(2);
    let running = 0;
    let most = 0;
    const abort = new AbortController();
    const tasks = Array.from(
      { length: 6 },
      (_, i) => () =>
        limiter.with(async () => {
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setImmediate(resolve));
          running -= 1;
          if (i === 2) throw new Error('third');
          return i;
        }, abort.signal),
    );
    await expect(allOrAbort(tasks, abort)).rejects.toThrow('third');
    expect(most).toBe(2);
    expect(abort.signal.aborted).toBe(true);
    expect(running).toBe(0);
  });
});
