// What a turn of the Raft thread has to tell the main thread, collected until the turn's end. Only
// what is there is sent: every list costs time on the way.

import { type Entry, EntryType } from '#manager/raft/types';
import { PROPOSAL_HEADER_BYTES } from './limits.ts';
import { packApplied } from './packing.ts';
import type { RaftStatus } from './raft-node.ts';
import type {
  Answer,
  AnsweredRead,
  LostProposals,
  RefusedProposals,
  ThreadError,
  ThreadNote,
  Turn,
} from './thread-messages.ts';

/** What is the same in every turn. */
export interface TurnFrame {
  readonly status: RaftStatus;
  readonly termStartIndex: number;
  readonly isReplayed: boolean;
  readonly snapshotWanted: boolean;
}

/** The turn that comes before all others: the member is open, nothing has been done yet. */
export function openingTurn(
  status: RaftStatus,
  restore: Turn['restore'],
  notes: Turn['notes'] = null,
): Turn {
  return {
    type: 'turn',
    notes,
    restore,
    applied: null,
    lost: null,
    refused: null,
    reads: null,
    snapshotWanted: false,
    status,
    termStartIndex: 0,
    isReplayed: false,
    answers: null,
    isRemoved: false,
  };
}

export class TurnReport {
  #notes: ThreadNote[] = [];
  #entries: Entry[] = [];
  #appliedIndex = 0;
  #hasApplied = false;
  #restore: Turn['restore'] = null;
  #lost: LostProposals | null = null;
  #refused: RefusedProposals[] = [];
  #reads: AnsweredRead[] = [];
  #answers: Answer[] = [];
  #isRemoved = false;
  /** Whether the status is news by itself. */
  hasStatusNews = true;

  note(level: ThreadNote['level'], message: string, values: ThreadNote['values']): void {
    this.#notes.push({ level, message, values });
  }

  /** Committed entries, in order. Those without a proposer's data are only counted. */
  applied(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const hasData = entry.data.length >= PROPOSAL_HEADER_BYTES;
      if (entry.type === EntryType.normal && hasData) this.#entries.push(entry);
      this.#appliedIndex = entry.index;
    }
    this.#hasApplied = true;
  }

  /** The state is replaced by one as of `index`: what came before it does not count any more. */
  restored(index: number, bytes: Uint8Array): void {
    this.#entries = this.#entries.filter((entry) => entry.index > index);
    this.#appliedIndex = Math.max(this.#appliedIndex, index);
    this.#restore = { index, bytes };
  }

  /** Null for none. */
  lost(lost: LostProposals | null): void {
    this.#lost = lost ?? this.#lost;
  }

  refused(seqs: readonly number[], error: ThreadError): void {
    this.#refused.push({ seqs, error });
  }

  read(read: AnsweredRead): void {
    this.#reads.push(read);
  }

  answer(id: number, error: ThreadError | null): void {
    this.#answers.push({ id, error });
  }

  removed(): void {
    this.#isRemoved = true;
    this.hasStatusNews = true;
  }

  get hasNews(): boolean {
    return (
      this.#hasApplied ||
      this.hasStatusNews ||
      this.#restore !== null ||
      this.#lost !== null ||
      this.#notes.length + this.#refused.length + this.#reads.length + this.#answers.length > 0
    );
  }

  /** The turn; the next one begins empty. */
  take(frame: TurnFrame): Turn {
    const applied = this.#hasApplied
      ? { packed: packApplied(this.#entries), appliedIndex: this.#appliedIndex }
      : null;
    const turn: Turn = {
      type: 'turn',
      notes: orNull(this.#notes),
      restore: this.#restore,
      applied,
      lost: this.#lost,
      refused: orNull(this.#refused),
      reads: orNull(this.#reads),
      answers: orNull(this.#answers),
      isRemoved: this.#isRemoved,
      ...frame,
    };
    this.#notes = [];
    this.#entries = [];
    this.#hasApplied = false;
    this.#restore = null;
    this.#lost = null;
    this.#refused = [];
    this.#reads = [];
    this.#answers = [];
    this.#isRemoved = false;
    this.hasStatusNews = false;
    return turn;
  }
}

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}
