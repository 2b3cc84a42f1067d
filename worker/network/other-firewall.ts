// Beside iptables: Docker and ufw set its FORWARD chain to drop whatever they do not know, which is all of ours; each nftables table has its own say, so an
// accept in our table does not help. Where such a chain is there, it gets rules at its top that leave our interfaces to our own table, written as iptables
// would write them, so that iptables can go on reading its table. Nothing is put where nothing is in the way. Rules of iptables-legacy cannot be seen.
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import type { NetHelper } from './net-helper.ts';
import type { RuleNames } from './ruleset.ts';

type ChainName = 'FORWARD' | 'INPUT';

const CHAINS: readonly { readonly family: 'ip' | 'ip6'; readonly chain: ChainName }[] = [
  { family: 'ip', chain: 'FORWARD' },
  { family: 'ip', chain: 'INPUT' },
  { family: 'ip6', chain: 'FORWARD' },
  { family: 'ip6', chain: 'INPUT' },
];

export class OtherFirewall {
  readonly #helper: NetHelper;
  readonly #names: RuleNames;
  readonly #log: Log;

  constructor(helper: NetHelper, names: RuleNames, log: Log) {
    this.#helper = helper;
    this.#names = names;
    this.#log = log;
  }

  /** Puts our rules where they are needed and missing. */
  async open(): Promise<void> {
    for (const { family, chain } of CHAINS) {
      const text = await this.#list(family, chain);
      const lines = missingRules(text, family, chain, this.#names);
      if (lines.length === 0) continue;
      const script = lines
        .map((rule) => `insert rule ${family} filter ${chain} ${rule}\n`)
        .join('');
      try {
        await this.#helper.nft(script);
        this.#log.info('iptables lets containers through', { family, chain });
      } catch (error) {
        this.#log.warn('iptables may cut off containers', {
          family,
          chain,
          error: messageOf(error),
        });
      }
    }
  }

  /** Takes our rules away again. */
  async close(): Promise<void> {
    for (const { family, chain } of CHAINS) {
      const handles = ownHandles(await this.#list(family, chain), family, chain, this.#names);
      const script = handles
        .map((handle) => `delete rule ${family} filter ${chain} handle ${handle}\n`)
        .join('');
      if (script !== '') await this.#helper.nft(script);
    }
  }

  /** The chain as nft prints it; '' when there is none. */
  async #list(family: string, chain: string): Promise<string> {
    return this.#helper.nftList(`list chain ${family} filter ${chain}`).catch(() => '');
  }
}

/** Our rules for a chain. */
function ownRules(family: 'ip' | 'ip6', chain: ChainName, names: RuleNames): readonly string[] {
  const ours = `"${names.links}*"`;
  const mesh = `"${names.mesh.prefix}*"`;
  if (chain === 'INPUT') {
    const resolver =
      family === 'ip' ? [`iifname ${ours} ip daddr ${names.dns} counter accept`] : [];
    return [...resolver, `iifname ${mesh} counter accept`];
  }
  return [ours, mesh].flatMap((name) => [
    `oifname ${name} counter accept`,
    `iifname ${name} counter accept`,
  ]);
}

/** Which of our rules a chain needs and lacks. Pure. */
export function missingRules(
  chainText: string,
  family: 'ip' | 'ip6',
  chain: ChainName,
  names: RuleNames,
): readonly string[] {
  // A chain that accepts everything is in nobody's way.
  if (!/policy drop|\b(drop|reject|jump|goto|queue)\b/.test(chainText)) return [];
  const present = new Set(rulesOf(chainText).map(({ rule }) => rule));
  return ownRules(family, chain, names).filter((rule) => !present.has(rule));
}

/** Handles of our rules in a chain. Pure. */
export function ownHandles(
  chainText: string,
  family: 'ip' | 'ip6',
  chain: ChainName,
  names: RuleNames,
): readonly number[] {
  const own = new Set(ownRules(family, chain, names));
  return rulesOf(chainText)
    .filter(({ rule }) => own.has(rule))
    .map(({ handle }) => handle);
}

/** Rules of a chain without their counters' values. */
function rulesOf(chainText: string): { readonly rule: string; readonly handle: number }[] {
  return [...chainText.matchAll(/^\s*(.+?) # handle (\d+)$/gm)].map((match) => ({
    rule: (match[1] ?? '').replace(/counter packets \d+ bytes \d+/, 'counter'),
    handle: Number(match[2]),
  }));
}
