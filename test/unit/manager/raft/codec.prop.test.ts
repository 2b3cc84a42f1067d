// Goal: messages, entries and snapshots survive their bytes; malformed bytes are refused, never
// thrown on. Method: fast-check over all fields, every truncation, and random bytes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '#manager/raft/bytes';
import {
  decodeMessages,
  encodeMessages,
  readEntries,
  readSnapshotMeta,
  writeEntries,
  writeSnapshotMeta,
} from '#manager/raft/codec';
import { type Entry, type EntryType, type MessageType, makeMessage } from '#manager/raft/types';

const u53 = fc.maxSafeNat();
const data = fc.uint8Array({ maxLength: 50 });
const confState = fc
  .record({
    voters: idList(1),
    learners: idList(100),
    autoLeave: fc.constant(false),
    epoch: fc.nat(3),
  })
  .map((conf) => ({ ...conf, votersOutgoing: [], learnersNext: [] }));

function idList(from: number): fc.Arbitrary<number[]> {
  const id = fc.integer({ min: from, max: from + 90 });
  return fc.uniqueArray(id, { maxLength: 5 }).map((list) => list.sort((a, b) => a - b));
}

function entriesAfter(index: number): fc.Arbitrary<Entry[]> {
  const item = fc.record({ type: fc.integer({ min: 0, max: 1 }), step: fc.nat(3), data });
  return fc.array(item, { maxLength: 5 }).map((items) => {
    let term = 1;
    return items.map(({ type, step, data: bytes }, i) => {
      term += step;
      return { type: type as EntryType, term, index: index + 1 + i, data: bytes };
    });
  });
}

const message = fc
  .record({
    type: fc.integer({ min: 4, max: 24 }),
    index: fc.nat(1_000_000),
    fields: fc.record({
      from: u53,
      term: u53,
      logTerm: u53,
      commit: u53,
      rejectHint: u53,
      context: u53,
      reject: fc.boolean(),
      force: fc.boolean(),
      snapshot: fc.option(fc.record({ index: u53, term: u53, confState, data })),
    }),
    to: u53,
  })
  .chain(({ type, index, fields, to }) =>
    entriesAfter(index).map((entries) =>
      makeMessage(type as MessageType, to, { ...fields, index, entries }),
    ),
  );

describe('codec', () => {
  it('messages survive', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 4 }), (messages) => {
        expect(decodeMessages(encodeMessages(messages))).toEqual(messages);
      }),
    );
  });

  it('every truncation and every random input is refused or harmless', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 2 }), fc.nat(), (messages, cut) => {
        const bytes = encodeMessages(messages);
        expect(decodeMessages(bytes.subarray(0, cut % bytes.length))).toBeNull();
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const decoded = decodeMessages(Uint8Array.from([1, ...bytes]));
        expect(decoded === null || Array.isArray(decoded)).toBe(true);
      }),
    );
  });

  it('entries and snapshot descriptions survive', () => {
    fc.assert(
      fc.property(entriesAfter(7), (entries) => {
        const writer = new ByteWriter(8);
        writeEntries(writer, entries);
        const reader = new ByteReader(writer.finish());
        expect(readEntries(reader, 8, entries.length)).toEqual(entries);
        expect(reader.isDone()).toBe(true);
      }),
    );
    fc.assert(
      fc.property(u53, u53, confState, (index, term, conf) => {
        const writer = new ByteWriter();
        writeSnapshotMeta(writer, { index, term, confState: conf });
        const reader = new ByteReader(writer.finish());
        expect(readSnapshotMeta(reader)).toEqual({ index, term, confState: conf });
      }),
    );
  });

  it('entries whose terms go back are refused', () => {
    const writer = new ByteWriter();
    const bytes = new Uint8Array(0);
    writeEntries(writer, [
      { type: 0, term: 3, index: 1, data: bytes },
      { type: 0, term: 2, index: 2, data: bytes },
    ]);
    expect(readEntries(new ByteReader(writer.finish()), 1, 2)).toBeNull();
  });
});
