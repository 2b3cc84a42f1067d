// Goal: an object id is its 128 random bits as a number of base 36, whatever the bits are. Method:
// random and extreme bytes against BigInt, which does the same by itself.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newId } from '#protocol/ids';

function idOf(bytes: Uint8Array): string {
  return newId({ bytes: () => bytes, next: () => 0 });
}

function expected(bytes: Uint8Array): string {
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return value.toString(36).padStart(25, '0');
}

describe('newId', () => {
  it('writes 128 bits in base 36', () => {
    const byte = fc.oneof(fc.constantFrom(0, 1, 127, 128, 255), fc.nat(255));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        expect(idOf(bytes)).toBe(expected(bytes));
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.array(byte, { minLength: 16, maxLength: 16 }), (list) => {
        const bytes = Uint8Array.from(list);
        expect(idOf(bytes)).toBe(expected(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('has 25 digits at both ends', () => {
    expect(idOf(new Uint8Array(16))).toBe('0'.repeat(25));
    expect(idOf(new Uint8Array(16).fill(255))).toBe('f5lxx1zz5pnorynqglhzmsp33');
  });
});
