// Takes the main thread's proposals to the core and says which were refused, or are lost. While
// leadership is handed over they wait: a moment later it is known where they belong.
import type { RawNode } from '#manager/raft/raw-node';
import { Role } from '#manager/raft/types';
import { MAX_HELD_BYTES } from './limits.ts';
import { ProposalLedger } from './proposal-ledger.ts';
import { refusalOf } from './thread-errors.ts';
import type { LostProposals, ThreadError } from './thread-messages.ts';

interface Batch {
  readonly entries: readonly Uint8Array[];
  readonly firstSeq: number;
}

export class ProposalDesk {
  readonly #node: RawNode;
  readonly #refused: (seqs: readonly number[], error: ThreadError) => void;
  readonly #ledger = new ProposalLedger();
  #held: Batch[] = [];
  #heldBytes = 0;
  /** While set, nothing is accepted. */
  refuseAll: ThreadError | null = null;

  constructor(node: RawNode, refused: (seqs: readonly number[], error: ThreadError) => void) {
    this.#node = node;
    this.#refused = refused;
  }

  /** Entries numbered from `firstSeq`. `isHeld`: leadership is being handed over. */
  propose(entries: readonly Uint8Array[], firstSeq: number, isHeld: boolean): void {
    if (isHeld && this.#hold({ entries, firstSeq })) return;
    if (this.refuseAll !== null) this.#refuse(entries.length, firstSeq, this.refuseAll);
    else this.#offer(entries, firstSeq);
  }

  #offer(entries: readonly Uint8Array[], firstSeq: number): void {
    const { raft } = this.#node;
    const leaderId = raft.leader;
    const refused = this.#node.proposeBatch(entries);
    if (raft.role === Role.leader) {
      this.#ledger.accepted(raft.term, firstSeq + entries.length - 1);
    }
    if (refused === null) return;
    const isTooMuch = refused === 'uncommitted_limit' || refused === 'too_large';
    if (entries.length === 1 || !isTooMuch) {
      this.#refuse(entries.length, firstSeq, refusalOf(refused, leaderId));
      return;
    }
    // One of many may have been too much: the others still get their chance.
    entries.forEach((entry, i) => {
      const single = this.#node.propose(entry);
      if (single !== null) this.#refuse(1, firstSeq + i, refusalOf(single, leaderId));
    });
  }

  #refuse(count: number, firstSeq: number, error: ThreadError): void {
    const seqs = Array.from({ length: count }, (_, i) => firstSeq + i);
    this.#refused(seqs, error);
  }

  #hold(batch: Batch): boolean {
    const bytes = batch.entries.reduce((sum, { length }) => sum + length, 0);
    if (this.#heldBytes + bytes > MAX_HELD_BYTES) return false;
    this.#held.push(batch);
    this.#heldBytes += bytes;
    return true;
  }

  /** The transfer is over, this way or that. */
  release(): void {
    if (this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const { entries, firstSeq } of held) this.propose(entries, firstSeq, false);
  }

  /** An entry of `term` is applied: returns what is lost by that. */
  applied(term: number): LostProposals | null {
    return this.#ledger.appliedTerm(term);
  }

  /** The log was replaced by the leader's snapshot. */
  replaced(): LostProposals | null {
    return this.#ledger.replaced();
  }
}
