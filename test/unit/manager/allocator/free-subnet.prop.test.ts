// freeSubnet against the plain way: try each subnet of the pools beside each one that is taken.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Cidr, formatCidr, overlaps, parseCidr, sizeOf } from '#manager/allocator/cidr';
import { freeSubnet } from '#manager/allocator/free-subnet';
import { Cluster } from '#protocol/generated/objects';

const POOLS = ['10.0.0.0/22', '10.0.8.0/23'];

/** Subnets in and around the pools, of any size, also inside each other. */
const subnets: fc.Arbitrary<Cidr> = fc
  .tuple(fc.integer({ min: 0, max: 12 * 256 - 1 }), fc.integer({ min: 20, max: 30 }))
  .map(([offset, length]) => {
    const size = 1n << BigInt(32 - length);
    const address = parseCidr('10.0.0.0/8', '').base + BigInt(offset);
    return { family: 4, base: address - (address % size), length };
  });

function plainly(taken: readonly Cidr[], length: number): string | undefined {
  for (const text of POOLS) {
    const pool = parseCidr(text, '');
    const step = 1n << BigInt(32 - length);
    for (let base = pool.base + step; base + step <= pool.base + sizeOf(pool); base += step) {
      const candidate: Cidr = { family: 4, base, length };
      if (!taken.some((other) => overlaps(other, candidate))) return formatCidr(candidate);
    }
  }
  return undefined;
}

it('finds the lowest subnet that meets no other, or says that there is none', () => {
  const lengths = fc.integer({ min: 24, max: 28 });
  fc.assert(
    fc.property(fc.array(subnets, { maxLength: 30 }), lengths, (taken, subnetSize) => {
      const cluster = Cluster.create({ defaultAddrPool: POOLS, subnetSize });
      const wanted = plainly(taken, subnetSize);
      if (wanted === undefined) {
        expect(() => freeSubnet(cluster, 'front', taken)).toThrow(
          `network front: no free /${subnetSize} subnet left in ${POOLS.join(', ')}`,
        );
      } else expect(freeSubnet(cluster, 'front', taken).subnet).toBe(wanted);
    }),
    { numRuns: 2000 },
  );
});
