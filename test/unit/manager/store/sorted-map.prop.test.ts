// Goal: SortedMap behaves as a Map whose keys are sorted, and every older version of it stays as it
// was. Method: random operations against a naive twin.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SortedMap } from '#manager/store/sorted-map';

const key = fc.integer({ min: 0, max: 400 }).map((n) => `k${n}`);
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('set' as const), key, value: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
);

function twinEntries(twin: Map<string, number>): [string, number][] {
  return [...twin].sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('SortedMap', () => {
  it('agrees with a sorted Map after any operations, and old versions do not change', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 1200, size: 'max' }), (operations) => {
        let map = SortedMap.empty<number>();
        const twin = new Map<string, number>();
        const versions: { map: SortedMap<number>; expected: [string, number][] }[] = [];
        for (const [i, op] of operations.entries()) {
          if (op.type === 'set') {
            map = map.set(op.key, op.value);
            twin.set(op.key, op.value);
          } else {
            map = map.delete(op.key);
            twin.delete(op.key);
          }
          expect(map.size).toBe(twin.size);
          expect(map.get(op.key)).toBe(twin.get(op.key));
          if (i % 200 === 0) versions.push({ map, expected: twinEntries(twin) });
        }
        versions.push({ map, expected: twinEntries(twin) });
        for (const version of versions) {
          expect([...version.map.entries()]).toEqual(version.expected);
          expect([...version.map.values()]).toEqual(version.expected.map(([, v]) => v));
        }
        for (const [k, v] of twin) expect(map.get(k)).toBe(v);
      }),
      { numRuns: 30 },
    );
  });

  it('changed by editors, agrees as well; what is kept when the editor changes stays as it is', () => {
    const step = fc.oneof(
      { weight: 30, arbitrary: operation },
      { weight: 1, arbitrary: fc.constant({ type: 'keep' as const }) },
      { weight: 1, arbitrary: fc.constant({ type: 'nobody' as const }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 1500, size: 'max' }), (steps) => {
        let map = SortedMap.empty<number>();
        const twin = new Map<string, number>();
        let editor: object | undefined = {};
        const versions: { map: SortedMap<number>; expected: [string, number][] }[] = [];
        for (const op of steps) {
          if (op.type === 'set') {
            map = map.set(op.key, op.value, editor);
            twin.set(op.key, op.value);
          } else if (op.type === 'delete') {
            map = map.delete(op.key);
            twin.delete(op.key);
          } else {
            versions.push({ map, expected: twinEntries(twin) });
            editor = op.type === 'keep' ? {} : undefined;
          }
          expect(map.size).toBe(twin.size);
        }
        versions.push({ map, expected: twinEntries(twin) });
        for (const version of versions) {
          expect([...version.map.entries()]).toEqual(version.expected);
          for (const [k, v] of version.expected) expect(version.map.get(k)).toBe(v);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('inserts what is not there, and leaves alone what is', () => {
    const step = fc.record({ key, value: fc.nat(), keep: fc.integer({ min: 0, max: 40 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 1500, size: 'max' }), (steps) => {
        let map = SortedMap.empty<number>();
        const twin = new Map<string, number>();
        let editor: object | undefined = {};
        const versions: { map: SortedMap<number>; expected: [string, number][] }[] = [];
        for (const { key, value, keep } of steps) {
          const inserted = map.insert(key, value, editor);
          expect(inserted === undefined).toBe(twin.has(key));
          if (inserted) twin.set(key, value);
          map = inserted ?? map;
          expect(map.size).toBe(twin.size);
          if (keep > 1) continue;
          versions.push({ map, expected: twinEntries(twin) });
          editor = keep === 0 ? {} : undefined;
        }
        versions.push({ map, expected: twinEntries(twin) });
        for (const { map, expected } of versions) expect([...map.entries()]).toEqual(expected);
      }),
      { numRuns: 15 },
    );
  });

  it('finds exactly the entries of a prefix', () => {
    fc.assert(
      fc.property(
        fc.array(key, { maxLength: 300 }),
        fc.constantFrom('k', 'k1', 'k20', 'z'),
        (keys, prefix) => {
          const unique = [...new Set(keys)].sort();
          let map = SortedMap.empty<string>();
          for (const k of keys) map = map.set(k, k);
          const expected = unique.filter((k) => k.startsWith(prefix)).map((k) => [k, k]);
          expect([...map.withPrefix(prefix)]).toEqual(expected);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('takes keys that grow, and goes on from there', () => {
    const entries = Array.from(
      { length: 5000 },
      (_, i) => [String(i).padStart(6, '0'), i] as const,
    );
    let map = SortedMap.empty<number>();
    for (const [key, value] of entries) map = map.set(key, value);
    expect([...map.entries()]).toEqual(entries);
    for (let i = 0; i < 5000; i += 2) map = map.delete(String(i).padStart(6, '0'));
    map = map.set('9', -1).set('', -2);
    expect(map.size).toBe(2502);
    expect([...map.values()].slice(0, 3)).toEqual([-2, 1, 3]);
  });

  it('empties', () => {
    let map = SortedMap.empty<number>();
    for (let i = 0; i < 2000; i++) map = map.set(`k${i}`, i);
    for (let i = 0; i < 2000; i++) map = map.delete(`k${i}`);
    expect(map.size).toBe(0);
    expect([...map.entries()]).toEqual([]);
    expect(map.delete('x')).toBe(map);
  });
});
