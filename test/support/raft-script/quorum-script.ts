// Quorum scripts: `committed` and `vote` with cfg=(…), cfgj=(…), idx=(…) or votes=(…).
// Members of both halves are given their values in order, each once; `_` is "nothing known".
import { jointCommitted, jointVote, type VoteResult } from '#manager/raft/quorum';
import type { RaftId } from '#manager/raft/types';
import type { ScriptBlock } from './parse.ts';

const RESULT_NAMES: Readonly<Record<VoteResult, string>> = {
  pending: 'VotePending',
  won: 'VoteWon',
  lost: 'VoteLost',
};

/** The result of a quorum command; null for another command. */
export function runQuorumCommand(block: ScriptBlock): string | null {
  if (block.command !== 'committed' && block.command !== 'vote') return null;
  const values = (key: string): readonly string[] | null =>
    block.args.find((arg) => arg.key === key)?.values ?? null;
  const incoming = (values('cfg') ?? []).map(Number);
  const second = values('cfgj');
  const outgoing = second === null || second[0] === 'zero' ? [] : second.map(Number);
  const given = values(block.command === 'vote' ? 'votes' : 'idx') ?? [];
  const known = assign([...incoming, ...outgoing], given);
  if (known === null) return 'error: mismatched input for voters';
  if (block.command === 'vote') {
    const voteOf = (id: RaftId): boolean | undefined => {
      const vote = known.get(id);
      return vote === undefined ? undefined : vote === 'y';
    };
    return RESULT_NAMES[jointVote(incoming, outgoing, voteOf)];
  }
  const acked = (id: RaftId): number | undefined => {
    const index = known.get(id);
    return index === undefined ? undefined : Number(index);
  };
  const result = jointCommitted(incoming, outgoing, acked);
  const table = describe([...new Set([...incoming, ...outgoing])], acked);
  return `${table}${Number.isFinite(result) ? result : '∞'}`;
}

function assign(ids: readonly RaftId[], given: readonly string[]): Map<RaftId, string> | null {
  const order = [...new Set(ids)];
  if (given.length !== order.length) return null;
  const known = new Map<RaftId, string>();
  for (const [i, id] of order.entries()) {
    const value = given[i] as string;
    if (value !== '_' && value !== '0') known.set(id, value);
  }
  return known;
}

/** One line per member, with a bar as long as the number of members that are behind it. */
function describe(members: readonly RaftId[], acked: (id: RaftId) => number | undefined): string {
  const count = members.length;
  if (count === 0) return '<empty majority quorum>';
  const rows = members.map((id) => ({
    id,
    index: acked(id) ?? 0,
    isKnown: acked(id) !== undefined,
  }));
  const byIndex = rows.slice().sort((a, b) => a.index - b.index || a.id - b.id);
  const bars = new Map<RaftId, number>();
  for (const [i, row] of byIndex.entries()) {
    const before = byIndex[i - 1];
    const isTie = before !== undefined && before.index === row.index;
    bars.set(row.id, isTie ? (bars.get(before.id) ?? 0) : i);
  }
  let text = `${' '.repeat(count)}    idx\n`;
  for (const { id, index, isKnown } of rows.sort((a, b) => a.id - b.id)) {
    const bar = bars.get(id) ?? 0;
    text += isKnown ? `${'x'.repeat(bar)}>${' '.repeat(count - bar)}` : `?${' '.repeat(count)}`;
    text += ` ${String(index).padStart(5)}    (id=${id})\n`;
  }
  return text;
}
