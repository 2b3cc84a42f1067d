// Goal: the checksum is CRC-32C. Method: the examples of RFC 3720 appendix B.4, and a bitwise twin.
import { describe, expect, it } from 'vitest';
import { crc32c } from '#manager/wal/crc32c';
import { Prng } from '#test/support/prng';

function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * 0x82f63b78);
  }
  return ~crc >>> 0;
}

describe('crc32c', () => {
  it('gives the values of RFC 3720', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  });

  it('equals the bitwise form for any length, offset and split', () => {
    const prng = new Prng(3);
    for (let i = 0; i < 200; i++) {
      const bytes = prng.bytes(prng.below(100));
      const start = prng.below(bytes.length + 1);
      const middle = start + prng.below(bytes.length - start + 1);
      const whole = bitwise(bytes.subarray(start));
      expect(crc32c(bytes, start)).toBe(whole);
      expect(crc32c(bytes, middle, bytes.length, crc32c(bytes, start, middle))).toBe(whole);
    }
  });
});
