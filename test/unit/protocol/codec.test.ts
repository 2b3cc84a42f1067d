// Goal: decoded bytes are copies of their own, however they are stored, and messages have defaults
// for what is left out. Method: values of all lengths around the limits, changed after they were read.
import { describe, expect, it } from 'vitest';
import { NO_BYTES, sizeLimitedBytes } from '#protocol/codec';
import { Config } from '#protocol/generated/objects';
import { ConfigSpec } from '#protocol/generated/specs';

describe('sizeLimitedBytes', () => {
  it('gives copies that neither their source nor their neighbours change', () => {
    const lengths = Array.from(
      { length: 40 },
      (_, i) => [1, 7, 255, 256, 1023, 1024, 1025, 9000][i % 8],
    );
    const sources = lengths.map((length, i) => new Uint8Array(length ?? 0).fill(i + 1));
    const copies = sources.map(sizeLimitedBytes);
    for (const source of sources) source.fill(0);
    for (const [i, copy] of copies.entries()) {
      expect(copy.length).toBe(lengths[i]);
      expect(copy.every((byte) => byte === i + 1)).toBe(true);
      copy.fill(200);
    }
    for (const copy of copies) expect(copy.every((byte) => byte === 200)).toBe(true);
  });

  it('keeps little more alive than the copy', () => {
    const received = new Uint8Array(1024 * 1024);
    const kept = [1, 100, 1024, 1025, 5000].map((n) => sizeLimitedBytes(received.subarray(0, n)));
    for (const copy of kept) expect(copy.buffer.byteLength).toBeLessThanOrEqual(8192);
    expect(sizeLimitedBytes(received.subarray(5, 5))).toBe(NO_BYTES);
  });
});

describe('create', () => {
  it('fills in what is not given, anew for each message', () => {
    const spec = ConfigSpec.create({ name: 'a' });
    expect(spec).toEqual({ name: 'a', labels: {}, data: new Uint8Array(0), templating: undefined });
    expect(ConfigSpec.create().labels).not.toBe(spec.labels);
    const config = Config.create({ id: 'x', spec, pendingDelete: true });
    expect(config).toEqual({ id: 'x', meta: undefined, spec, stack: '', pendingDelete: true });
  });

  it('of what is written reads the same back, labels included', () => {
    const labels = { b: '1', a: '', 'ä/ö': 'ü', constructor: 'x' };
    const spec = ConfigSpec.create({ name: 'a', labels, data: Uint8Array.of(1, 2, 3) });
    expect(ConfigSpec.decode(ConfigSpec.encode(spec))).toEqual(spec);
  });
});
