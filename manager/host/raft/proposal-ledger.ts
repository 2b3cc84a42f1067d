// Up to which number this member's proposals went into the log in which term, so that it can be said
// for certain that a proposal is lost: entries' terms only grow along the log, so once an entry of a
// later term is applied, nothing of an earlier term can follow (Raft paper §5.3, log matching).
import type { LostProposals } from './thread-messages.ts';

interface Span {
  readonly term: number;
  upToSeq: number;
}

export class ProposalLedger {
  /** Ascending in both. */
  #spans: Span[] = [];

  /** Proposals up to `upToSeq` were appended by this leader of `term`, or refused by name. */
  accepted(term: number, upToSeq: number): void {
    const last = this.#spans[this.#spans.length - 1];
    if (last !== undefined && last.term === term) last.upToSeq = upToSeq;
    else this.#spans.push({ term, upToSeq });
  }

  /** An entry of `term` is applied. Returns what is lost by that. */
  appliedTerm(term: number): LostProposals | null {
    let upToSeq = 0;
    while (this.#spans.length > 0) {
      const first = this.#spans[0] as Span;
      if (first.term >= term) break;
      upToSeq = first.upToSeq;
      this.#spans.shift();
    }
    return upToSeq === 0 ? null : { upToSeq, isCertain: true };
  }

  /** A snapshot of the leader has replaced the log; what was proposed may be in it. */
  replaced(): LostProposals | null {
    const last = this.#spans[this.#spans.length - 1];
    this.#spans = [];
    return last === undefined ? null : { upToSeq: last.upToSeq, isCertain: false };
  }
}
