// Goal: the commands from one state of the rules to another do just that, in an order that the kernel takes. Method: random states; a model that executes
// the commands as nft does and refuses what nft refuses (adding to what is not there, deleting a chain that something jumps to).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HUSHED } from '#worker/network/base-rules';
import { meshNames } from '#worker/network/mesh/addresses';
import {
  type BalanceChain,
  balanceChain,
  baseScript,
  diffScript,
  emptyRules,
  type RuleState,
  SET_NAMES,
  type SetName,
} from '#worker/network/ruleset';

const NAMES = { table: 'tswarm_t', links: 'tt', mesh: meshNames('t'), dns: '169.254.7.7' };

/** The table as nft would have it. */
class Model {
  readonly sets = new Map<string, Map<string, string>>(SET_NAMES.map((set) => [set, new Map()]));
  readonly chains = new Map<string, string[]>();

  run(script: string): void {
    for (const line of script.split('\n').filter((text) => text !== '')) this.#command(line);
    for (const [set, elements] of this.sets) {
      for (const [key, value] of elements) {
        const target = /^jump (\S+)$/.exec(value)?.[1];
        if (value !== '' && !this.chains.has(target ?? '')) {
          throw new Error(`${set} ${key} jumps to ${target}, which is not there`);
        }
      }
    }
  }

  #command(line: string): void {
    const chain = /^(add|flush|delete) chain inet tswarm_t (\S+)$/.exec(line);
    if (chain) {
      this.#chain(chain[1] ?? '', chain[2] ?? '');
      return;
    }
    const rule = /^add rule inet tswarm_t (\S+) (.+)$/.exec(line);
    if (rule) {
      this.#rulesOf(rule[1] ?? '').push(rule[2] ?? '');
      return;
    }
    const element = /^(add|delete) element inet tswarm_t (\S+) \{ (.+) \}$/.exec(line);
    if (!element) throw new Error(`not understood: ${line}`);
    for (const text of (element[3] ?? '').split(', ')) {
      this.#element(element[1] ?? '', element[2] ?? '', text);
    }
  }

  #chain(verb: string, name: string): void {
    if (verb === 'add') {
      if (!this.chains.has(name)) this.chains.set(name, []);
      return;
    }
    const rules = this.#rulesOf(name);
    if (verb === 'flush') rules.length = 0;
    if (verb !== 'delete') return;
    const users = [...this.sets.values()].flatMap((set) => [...set.values()]);
    if (users.includes(`jump ${name}`)) throw new Error(`chain ${name} is in use`);
    if (rules.length > 0) throw new Error(`chain ${name} has rules`);
    this.chains.delete(name);
  }

  #rulesOf(name: string): string[] {
    const rules = this.chains.get(name);
    if (!rules) throw new Error(`no chain ${name}`);
    return rules;
  }

  #element(verb: string, setName: string, text: string): void {
    const set = this.sets.get(setName);
    if (!set) throw new Error(`no set ${setName}`);
    const [key = '', value = ''] = text.split(' : ');
    if (verb === 'delete') {
      if (!set.delete(key)) throw new Error(`${setName} has no ${key}`);
      return;
    }
    if (set.has(key)) throw new Error(`${setName} has ${key} already`);
    const target = /^jump (\S+)$/.exec(value)?.[1];
    if (target !== undefined) this.#rulesOf(target);
    set.set(key, value);
  }

  /** What a state should look like in the model. */
  static of(state: RuleState): { sets: unknown; chains: unknown } {
    return {
      sets: Object.fromEntries(SET_NAMES.map((set) => [set, sorted(state.sets[set])])),
      chains: sorted(new Map([...state.chains].map(([name, { rule }]) => [name, [rule]]))),
    };
  }

  get view(): { sets: unknown; chains: unknown } {
    return {
      sets: Object.fromEntries([...this.sets].map(([set, elements]) => [set, sorted(elements)])),
      chains: sorted(this.chains),
    };
  }
}

function sorted<T>(map: ReadonlyMap<string, T>): (readonly [string, T])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

const address = fc.integer({ min: 1, max: 6 }).map((n) => `10.0.0.${n}`);
const chain: fc.Arbitrary<BalanceChain> = fc
  .record({
    udp: fc.boolean(),
    targets: fc.uniqueArray(address, { minLength: 1, maxLength: 3 }),
  })
  .map(({ udp, targets }) =>
    balanceChain({
      family: '4',
      protocol: udp ? 'udp' : '',
      front: { address: '', port: udp ? 53 : 0 },
      targets: targets.map((target) => ({ address: target, port: udp ? 5353 : 0 })),
    }),
  );

/** Chains by a few names, maps that jump to some of them, sets with some elements. */
const state: fc.Arbitrary<RuleState> = fc
  .record({
    chains: fc.dictionary(fc.constantFrom('c1', 'c2', 'c3', 'c4'), chain),
    elements: fc.array(fc.tuple(fc.constantFrom(...SET_NAMES), address, fc.nat({ max: 3 })), {
      maxLength: 25,
    }),
  })
  .map(({ chains, elements }) => {
    const names = Object.keys(chains);
    const sets = emptyRules().sets as Record<SetName, Map<string, string>>;
    for (const [set, key, which] of elements) {
      const isMap = /vip|port/.test(set);
      const target = names[which % Math.max(1, names.length)];
      if (!isMap) sets[set].set(key, '');
      else if (target !== undefined) sets[set].set(key, `jump ${target}`);
    }
    return { sets, chains: new Map(Object.entries(chains)) };
  });

describe('the difference of two states', () => {
  it('leads from one to the other', () => {
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 4 }), (states) => {
        const model = new Model();
        let from = emptyRules();
        for (const to of states) {
          model.run(diffScript(NAMES, from, to));
          expect(model.view).toEqual(Model.of(to));
          from = to;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is empty between equal states, also when they are other objects', () => {
    fc.assert(
      fc.property(state, (one) => {
        const copy: RuleState = {
          sets: Object.fromEntries(
            SET_NAMES.map((set) => [set, new Map(one.sets[set])]),
          ) as unknown as RuleState['sets'],
          chains: new Map([...one.chains].map(([name, item]) => [name, { ...item }])),
        };
        expect(diffScript(NAMES, one, copy)).toBe('');
      }),
    );
  });

  it('touches only what differs', () => {
    const first = emptyRules().sets as Record<SetName, Map<string, string>>;
    first.bound4.set('"tt1" . 10.0.0.1', '').set('"tt2" . 10.0.0.2', '');
    const second = emptyRules().sets as Record<SetName, Map<string, string>>;
    second.bound4.set('"tt2" . 10.0.0.2', '').set('"tt3" . 10.0.0.3', '');
    const script = diffScript(
      NAMES,
      { sets: first, chains: new Map() },
      { sets: second, chains: new Map() },
    );
    expect(script).toBe(
      'delete element inet tswarm_t bound4 { "tt1" . 10.0.0.1 }\n' +
        'add element inet tswarm_t bound4 { "tt3" . 10.0.0.3 }\n',
    );
  });
});

describe('a balancing rule', () => {
  const rule = (chain: Parameters<typeof balanceChain>[0]): string => balanceChain(chain).rule;
  const front = { address: '', port: 0 };

  it('translates to one target, or chooses', () => {
    const one = [{ address: '10.0.0.1', port: 0 }];
    const two = [...one, { address: '10.0.0.2', port: 0 }];
    expect(rule({ family: '4', protocol: '', front, targets: one })).toBe('dnat ip to 10.0.0.1');
    expect(rule({ family: '4', protocol: '', front, targets: two })).toBe(
      'dnat ip to numgen random mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }',
    );
  });

  it('has ports where there are some, and brackets only there', () => {
    const at = (address: string): { address: string; port: number } => ({ address, port: 80 });
    expect(rule({ family: '4', protocol: 'tcp', front, targets: [at('10.0.0.1')] })).toBe(
      'meta l4proto tcp dnat ip to 10.0.0.1:80',
    );
    expect(rule({ family: '6', protocol: 'udp', front, targets: [at('fd00::1')] })).toBe(
      'meta l4proto udp dnat ip6 to [fd00::1]:80',
    );
    expect(
      rule({ family: '6', protocol: 'tcp', front, targets: [at('fd00::1'), at('fd00::2')] }),
    ).toBe(
      'meta l4proto tcp dnat ip6 addr . port to numgen random mod 2 map { 0 : fd00::1 . 80, 1 : fd00::2 . 80 }',
    );
  });
});

describe('the fixed part', () => {
  const script = baseScript(NAMES);

  it('replaces the table, whether it is there or not', () => {
    expect(script.split('\n').slice(0, 3)).toEqual([
      'table inet tswarm_t {}',
      'delete table inet tswarm_t',
      'table inet tswarm_t {',
    ]);
  });

  it('declares every set and no other', () => {
    const declared = [...script.matchAll(/^ {2}(?:set|map) (\S+) /gm)].map((match) => match[1]);
    expect(declared).toEqual([...SET_NAMES, HUSHED]);
    const used = new Set([...script.matchAll(/@(\w+)/g)].map((match) => match[1]));
    expect([...used].filter((name) => !declared.includes(name))).toEqual([]);
    expect(declared.filter((name) => !used.has(name))).toEqual([]);
  });

  it('jumps only to chains that it has', () => {
    const chains = [...script.matchAll(/^ {2}chain (\S+) /gm)].map((match) => match[1]);
    for (const [, target] of script.matchAll(/(?:goto|jump) (\w+)/g)) {
      expect(chains).toContain(target);
    }
  });

  it('never accepts more than it must before it has checked the sender', () => {
    const guard = script.slice(script.indexOf('chain guard'), script.indexOf('chain loopback'));
    const lines = guard.split('\n').map((line) => line.trim());
    const senders = lines.indexOf('iifname . ip saddr != @bound4 drop');
    expect(senders).toBeGreaterThan(0);
    for (const line of lines.slice(2, senders)) {
      // What a node passes on for others has come out of the tunnel, which lets nobody be somebody else.
      expect(line).toMatch(
        / (drop|return)$|^iifname "wt0" ip6 saddr \S+ ip6 daddr \S+ goto relay$/,
      );
    }
    expect(guard).not.toMatch(/\baccept$/m);
  });
});
