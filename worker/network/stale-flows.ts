// Which flows the kernel must forget when the rules change: it goes on translating a flow as it began. UDP only, because a TCP client notices and connects
// again, and an established one may end in peace. Flows of addresses that are gone are forgotten by whoever takes the address away. Pure.
import type { BalanceChain, RuleState } from './ruleset.ts';

/** UDP flows to a front: those translated to `backend`, or (absent) those that were not translated. */
export interface StaleFlow {
  readonly front?: string;
  readonly port?: number;
  readonly backend?: string;
}

export function staleFlows(from: RuleState, to: RuleState): StaleFlow[] {
  const stale: StaleFlow[] = [];
  for (const [name, before] of from.chains) {
    const now = to.chains.get(name);
    if (!carriesUdp(before) || now?.rule === before.rule) continue;
    const after = new Set(now?.targets.map(({ address }) => address));
    for (const { address } of before.targets) {
      if (!after.has(address)) stale.push({ ...frontOf(before), backend: address });
    }
  }
  for (const [name, after] of to.chains) {
    if (carriesUdp(after) && !from.chains.has(name)) stale.push(frontOf(after));
  }
  return stale;
}

function carriesUdp(chain: BalanceChain): boolean {
  return chain.protocol === '' || chain.protocol === 'udp';
}

function frontOf({ front }: BalanceChain): StaleFlow {
  return {
    ...(front.address === '' ? {} : { front: front.address }),
    ...(front.port === 0 ? {} : { port: front.port }),
  };
}
