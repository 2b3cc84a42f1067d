// Planted bugs in the log on the disk and in the member around the core: threads, snapshots, keys, greetings (manager/wal, manager/host/raft).
import type { Mutant } from './mutants.ts';

const WAL = 'manager/wal';
const HOST = 'manager/host/raft';

export const HOST_MUTANTS: readonly Mutant[] = [
  {
    name: 'acknowledges before the disk does',
    source: 'etcd #14370',
    file: `${HOST}/append-writer.ts`,
    find: `    this.#isWriting = true;
    this.#startedMs`,
    replace: `    this.#events.respond(group.responses.splice(0));
    this.#isWriting = true;
    this.#startedMs`,
  },
  {
    name: 'does not write a vote that comes alone',
    source: 'Raft paper §5.2',
    file: `${HOST}/append-writer.ts`,
    find: 'if (batches.length === 0 && isVoteNews)',
    replace: 'if (batches.length < 0 && isVoteNews)',
  },
  {
    name: 'group commit keeps entries that were overwritten in the same group',
    source: 'raft.md §1.3',
    file: `${HOST}/append-writer.ts`,
    find: 'else entries.length = Math.min(entries.length, first.index - start);',
    replace: '',
  },
  {
    name: 'goes on after a failed write',
    source: 'fsyncgate; raft-wal #32',
    file: `${HOST}/append-writer.ts`,
    find: 'if (error !== null) this.#events.fail(error);\n      else this.#writeBatches',
    replace:
      'if (error !== null && i < 0) this.#events.fail(error);\n      else this.#writeBatches',
  },
  {
    name: 'a snapshot that comes together with later entries is not restored',
    source: 'etcd #13766',
    file: `${HOST}/client.ts`,
    find: 'if (bytes.length > 0) this.#onRestore',
    replace: 'if (bytes.length > 0 && turn.applied === null) this.#onRestore',
  },
  {
    name: 'numbers of reads begin anew in each life of a process',
    source: 'found by this simulator',
    file: `${HOST}/pending-reads.ts`,
    find: 'this.#nextContext = firstContext(session);',
    replace: 'this.#nextContext = 1;',
  },
  {
    name: 'marks an older snapshot behind the one of the leader',
    source: 'found by this simulator',
    file: `${HOST}/snapshotter.ts`,
    find: 'Math.max(node.raft.log.firstIndex() - 1, index - trailing)',
    replace: 'Math.max(storage.firstIndex() - 1, index - trailing)',
  },
  {
    name: 'forgets snapshots that are still on the way',
    source: 'found by this simulator',
    file: `${HOST}/snapshotter.ts`,
    find: 'if (taken <= index) this.#taken.delete(taken);',
    replace: 'this.#taken.delete(taken);',
  },
  {
    name: 'reads before the entry is applied',
    source: 'thesis §6.4',
    file: `${HOST}/pending-reads.ts`,
    find: 'if (read.index === null || read.index > appliedIndex) continue;',
    replace: 'if (read.index === null) continue;',
  },
  {
    name: 'says that a change was not made when nobody knows',
    source: 'Jepsen: indeterminate operations',
    file: `${HOST}/proposal-ledger.ts`,
    find: 'if (first.term >= term) break;',
    replace: 'if (first.term > term) break;',
  },
  {
    name: 'tells members that they were removed without a proof',
    source: 'SwarmKit #1815',
    file: `${HOST}/greeting.ts`,
    find: 'const isProved = greeting.isMember && raft.log.committed >= greeting.commit;',
    replace: 'const isProved = raft.log.committed >= 0 || greeting.isMember;',
  },
  {
    name: 'takes damage in the middle for a torn tail',
    source: 'etcd #6378; raft.md §2.2',
    file: `${WAL}/recovery.ts`,
    find: 'const follows = this.#highestBatchAfter(bytes, offset) > this.#lastBatchNo;',
    replace: 'const follows = bytes.length < 0;',
  },
  {
    name: 'forgets how far it must recover',
    source: 'raft.md §2.2',
    file: `${WAL}/recovery.ts`,
    find: 'const recoverUpTo = Math.max(this.#recoverUpTo, damage === null ? 0 : highestSeen);',
    replace: 'const recoverUpTo = damage === null ? 0 : this.#recoverUpTo;',
  },
  {
    name: 'takes what was left by lost frames for committed',
    source: 'found by this simulator',
    file: `${WAL}/recovery.ts`,
    find: '{ ...newest(this.#hardState, hardState), commit };',
    replace:
      'newest(this.#hardState, { ...hardState, commit: Math.max(hardState.commit, commit) });',
    isGap: true,
  },
  {
    name: 'does not miss a lost frame that only a new segment follows',
    source: 'found by this simulator',
    file: `${WAL}/recovery.ts`,
    find: 'this.#highestSeen = Math.max(this.#highestSeen, previousLastIndex, recoverUpTo);',
    replace:
      'this.#highestSeen = Math.max(this.#highestSeen, recoverUpTo * previousLastIndex * 0);',
    isGap: true,
  },
  {
    name: 'one key for all segments',
    source: 'raft.md §2.3, nonce rules',
    file: `${WAL}/segment.ts`,
    find: 'return crypto.hkdfSha256(dek, header.salt, info.finish(), 32);',
    replace: 'return crypto.hkdfSha256(dek, new Uint8Array(32), new Uint8Array(0), 32);',
  },
  {
    name: 'removes segments that are still needed',
    source: 'raft.md §2.3',
    file: `${WAL}/wal.ts`,
    find: 'this.#older.findIndex(({ maxIndex }) => maxIndex > mark.base.index);',
    replace: 'this.#older.findIndex(({ maxIndex }) => maxIndex > mark.meta.index + 8);',
  },
  {
    name: 'a write error of the log is not reported',
    source: 'fsyncgate',
    file: `${WAL}/wal.ts`,
    find: `      if (error !== null) this.#failure = error;
      done(error);`,
    replace: `      done(error === null ? error : null);`,
  },
  {
    name: 'the hard state of a new segment runs behind',
    source: 'raft.md §2.3',
    file: `${WAL}/wal.ts`,
    find: 'this.#hardState = content.hardState;',
    replace: '',
    isGap: true,
  },
  {
    name: 'a snapshot is named after what was applied since it was taken',
    source: 'etcd #13766',
    file: `${HOST}/client.ts`,
    find: "(bytes) => this.#post({ type: 'snapshot', index, bytes }, wholeBuffer(bytes)),",
    replace: `(bytes) =>
        this.#post({ type: 'snapshot', index: this.#appliedIndex, bytes }, wholeBuffer(bytes)),`,
  },
  {
    name: 'a data key leaves the file while something is sealed with it',
    source: 'raft.md §2.3, key rotation',
    file: `${HOST}/key-vault.ts`,
    find: 'if ([...inUse].every((id) => id === this.currentId)) {',
    replace: 'if (inUse.size > 0) {\n        inUse.clear();',
  },
  {
    name: 'autolock goes on with a data key that was in the clear',
    source: 'swarmkit manager/keymanager',
    file: `${HOST}/key-vault.ts`,
    find: 'const isFirst = this.#kek === null && kek !== null;',
    replace: 'const isFirst = this.#kek !== null && kek === null;',
  },
  {
    name: 'an unlock key that was not needed counts as what the file is locked with',
    source: 'found by this simulator',
    file: `${HOST}/key-vault.ts`,
    find: 'this.#kek = isWrapped ? kek : null;',
    replace: 'this.#kek = isWrapped || kek !== null ? kek : null;',
    isGap: true,
  },
  {
    name: 'the term of a loss is the one of the last start',
    source: 'found by this simulator, seed 1497',
    file: `${WAL}/recovery.ts`,
    find: 'return isNew || this.#recoverTerm === 0 ? this.#hardState.term : this.#recoverTerm;',
    replace: 'return isNew || this.#recoverTerm >= 0 ? this.#hardState.term : this.#recoverTerm;',
    isGap: true,
  },
  {
    name: 'whoever joins a forced group and has the old log is told to be removed',
    source: 'found by this simulator',
    file: `${HOST}/greeting.ts`,
    find: "return isMember(raft.confHistory.current, from) ? 'heard' : 'removed';",
    replace: "return from < 0 ? 'heard' : 'removed';",
  },
  {
    name: 'members of the group from before a forced one are heard',
    source: 'SwarmKit #603, #2670',
    file: `${HOST}/greeting.ts`,
    find: 'if (greeting.epoch < conf.epoch) {',
    replace: 'if (greeting.epoch < 0) {',
    isGap: true,
  },
  {
    name: 'segments with nothing but overwritten entries are kept for ever',
    source: 'found by this simulator',
    file: `${WAL}/wal.ts`,
    find: 'segment.maxIndex = Math.min(segment.maxIndex, first - 1);',
    replace: 'segment.maxIndex = Math.max(segment.maxIndex, 0);',
  },
];
