// The header that names the nodes that are not in an answer: they are down, or did not answer in time. Old clients ignore it; ours say it.
import type { Reply } from '../http/reply.ts';

const HEADER = 'X-Tswarm-Missing-Nodes';

/** Names nodes that the answer has nothing of. Before the answer begins. */
export function nameMissingNodes(reply: Reply, names: readonly string[]): void {
  if (names.length > 0) reply.header(HEADER, names.map(encodeURIComponent).join(','));
}
