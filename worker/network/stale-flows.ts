// Which flows the kernel must forget when the rules change: it goes on translating a flow as it began. Of UDP all, because its clients notice nothing. Of TCP
// those that nobody has answered: the packet was lost, and the client's next try must not go where nobody is any more; established ones may end in peace.
// Flows of addresses that are gone are forgotten by whoever takes the address away. Pure.
import type { BalanceChain, RuleState } from './ruleset.ts';

/** Flows to a front: those translated to `backend`, or (absent) those that were not translated. */
export interface StaleFlow {
  readonly front?: string;
  readonly port?: number;
  readonly backend?: string;
}

/** Of UDP. */
export function staleFlows(from: RuleState, to: RuleState): StaleFlow[] {
  const stale: StaleFlow[] = backendsLeft(from, to, 'udp').map(({ flow }) => flow);
  for (const [name, after] of to.chains) {
    if (carries(after, 'udp') && !from.chains.has(name)) stale.push(frontOf(after));
  }
  return stale;
}

/** A backend that takes no more flows of a chain. */
export interface BackendLeft {
  readonly chain: string;
  readonly flow: StaleFlow & { readonly backend: string };
}

export function backendsLeft(
  from: RuleState,
  to: RuleState,
  protocol: 'tcp' | 'udp',
): BackendLeft[] {
  const left: BackendLeft[] = [];
  for (const [chain, before] of from.chains) {
    const now = to.chains.get(chain);
    if (!carries(before, protocol) || now?.rule === before.rule) continue;
    const after = new Set(now?.targets.map(({ address }) => address));
    for (const { address } of before.targets) {
      if (!after.has(address)) left.push({ chain, flow: { ...frontOf(before), backend: address } });
    }
  }
  return left;
}

/** Without those that are back. */
export function stillAway(left: readonly BackendLeft[], now: RuleState): StaleFlow[] {
  return left
    .filter(({ chain, flow }) =>
      (now.chains.get(chain)?.targets ?? []).every(({ address }) => address !== flow.backend),
    )
    .map(({ flow }) => flow);
}

function carries(chain: BalanceChain, protocol: 'tcp' | 'udp'): boolean {
  return chain.protocol === '' || chain.protocol === protocol;
}

function frontOf({ front }: BalanceChain): StaleFlow {
  return {
    ...(front.address === '' ? {} : { front: front.address }),
    ...(front.port === 0 ? {} : { port: front.port }),
  };
}
