// Goal: output that is there together leaves in few writes, with a frame for each piece, and output that comes alone leaves at once. Method: pump made-up
// frames, count the writes, and read the bytes back.
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { decodeFrames, pumpOutput } from '#api/http/frames';
import type { OutputFrame } from '#protocol/engine';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function pumped(frames: readonly OutputFrame[], tty = false): Promise<Uint8Array[]> {
  const writes: Uint8Array[] = [];
  const write = async (chunk: Uint8Array): Promise<void> => {
    writes.push(chunk);
  };
  await pumpOutput(each(frames), write, tty);
  return writes;
}

async function read(writes: readonly Uint8Array[]): Promise<string[]> {
  const out: string[] = [];
  for await (const { stream, data } of decodeFrames(each(writes))) {
    out.push(`${stream} ${Buffer.from(data).toString()}`);
  }
  return out;
}

describe('copying output to a client', () => {
  it('sends what is there together in one write, a frame for each line', async () => {
    const writes = await pumped([
      { stream: 'stdout', data: bytes('a\n'), more: true },
      { stream: 'stderr', data: bytes('b\n'), more: true },
      { stream: 'stdout', data: bytes('c\n'), more: false },
      { stream: 'stdout', data: bytes('d\n') },
    ]);
    expect(writes).toHaveLength(2);
    expect(await read(writes)).toEqual(['stdout a\n', 'stderr b\n', 'stdout c\n', 'stdout d\n']);
  });

  it('gives each piece of a frame a header of its own', async () => {
    const long = 'x'.repeat(100);
    const data = bytes(`a\n${long}\n\n`);
    const writes = await pumped([{ stream: 'stderr', data, ends: [2, 103, 104] }]);
    expect(writes).toHaveLength(1);
    expect(await read(writes)).toEqual(['stderr a\n', `stderr ${long}\n`, 'stderr \n']);
    const tooLong = await pumped([
      { stream: 'stdout', data: new Uint8Array(40_001), ends: [40_000, 40_001] },
    ]);
    expect((await read(tooLong)).map((text) => text.length - 'stdout '.length)).toEqual([
      32_768, 7_232, 1,
    ]);
  });

  it('sends what is held when the output ends although more was announced', async () => {
    const writes = await pumped([{ stream: 'stdout', data: bytes('a\n'), more: true }]);
    expect(await read(writes)).toEqual(['stdout a\n']);
  });

  it('holds no more than 64 KiB, and splits what is longer than a client’s buffer', async () => {
    const line = new Uint8Array(20_000).fill(65);
    const lines = Array.from({ length: 10 }, () => ({
      stream: 'stdout' as const,
      data: line,
      more: true,
    }));
    const writes = await pumped([...lines, { stream: 'stdout', data: new Uint8Array(70_000) }]);
    expect(Math.max(...writes.map((write) => write.length))).toBeLessThanOrEqual(64 * 1024);
    const sizes = (await read(writes)).map((text) => text.length - 'stdout '.length);
    expect(sizes).toEqual([...Array(10).fill(20_000), 32_768, 32_768, 70_000 - 65_536]);
  });

  it('is the bytes alone with a terminal', async () => {
    const writes = await pumped(
      [
        { stream: 'stdout', data: bytes('a'), more: true },
        { stream: 'stdout', data: bytes('b') },
      ],
      true,
    );
    expect(writes.map((write) => Buffer.from(write).toString())).toEqual(['ab']);
  });
});
