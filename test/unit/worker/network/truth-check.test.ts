// Goal: a listing of the kernel's rules is compared with what should be there, in both directions. Method: what nft prints, by hand.
import { describe, expect, it } from 'vitest';
import { ruleDifferences } from '#worker/network/mesh/truth-check';
import { balanceChain, emptyRules, type RuleState } from '#worker/network/ruleset';

const LISTING = `table inet tswarm_x {
	set subnets4 {
		type ipv4_addr
		flags interval
		elements = { 10.1.0.0/24 }
	}

	map vip4 { # handle 14
		type ipv4_addr : verdict
		elements = { 10.1.0.200 : jump v_4_a_n,
			     10.1.0.201 : jump v_4_b_n }
	}

	map vip6 {
		type ipv6_addr : verdict
		elements = { fd00:1::200 : jump v_6_a_n }
	}

	map port4 {
		type inet_proto . inet_service : verdict
		elements = { tcp . 8080 : jump p_4_tcp_8080_ }
	}

	chain v_4_a_n { # handle 31
		dnat ip to numgen random mod 2 map { 0 : 10.1.0.11, 1 : 10.1.0.12 } # handle 32
	}

	chain v_4_b_n {
		dnat ip to 10.1.0.13
	}

	chain v_6_a_n {
		dnat ip6 to fd00:1::11
	}

	chain p_4_tcp_8080_ {
		meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.1.0.11 . 80, 1 : 169.254.192.1 . 8080 }
	}
}
`;

const at = (address: string, port = 0) => ({ address, port });

function rules(): RuleState {
  const common = { protocol: '' as const };
  return {
    sets: {
      ...emptyRules().sets,
      vip4: new Map([
        ['10.1.0.200', 'jump v_4_a_n'],
        ['10.1.0.201', 'jump v_4_b_n'],
      ]),
      vip6: new Map([['fd00:0001::0200', 'jump v_6_a_n']]),
      port4: new Map([['tcp . 8080', 'jump p_4_tcp_8080_']]),
    },
    chains: new Map([
      [
        'v_4_a_n',
        balanceChain({
          ...common,
          family: '4',
          front: at('10.1.0.200'),
          targets: [at('10.1.0.11'), at('10.1.0.12')],
        }),
      ],
      [
        'v_4_b_n',
        balanceChain({
          ...common,
          family: '4',
          front: at('10.1.0.201'),
          targets: [at('10.1.0.13')],
        }),
      ],
      [
        'v_6_a_n',
        balanceChain({
          ...common,
          family: '6',
          front: at('fd00:1::200'),
          targets: [at('fd00:1::11')],
        }),
      ],
      [
        'p_4_tcp_8080_',
        balanceChain({
          family: '4',
          protocol: 'tcp',
          front: at('', 8080),
          targets: [at('10.1.0.11', 80), at('169.254.192.1', 8080)],
        }),
      ],
    ]),
  };
}

describe('rules in the kernel', () => {
  it('are right when nothing is missing and nothing too much', () => {
    expect(ruleDifferences(rules(), LISTING)).toEqual([]);
  });

  it('are wrong in either direction, and where they lead', () => {
    const listing = LISTING.replace('10.1.0.201 : jump v_4_b_n', '10.1.0.209 : jump v_4_b_n')
      .replace('fd00:1::200', 'fd00:1::201')
      .replace('tcp . 8080', 'udp . 8080')
      .replace('1 : 10.1.0.12', '1 : 10.1.0.19')
      .replace('10.1.0.11 . 80,', '10.1.0.12 . 80,');
    expect(ruleDifferences(rules(), listing)).toEqual([
      'virtual address not in the kernel: 10.1.0.201',
      'virtual address of nobody in the kernel: 10.1.0.209',
      'virtual address not in the kernel: fd00:1::200',
      'virtual address of nobody in the kernel: fd00:1::201',
      'published port not in the kernel: tcp . 8080',
      'published port of nobody in the kernel: udp . 8080',
      'leads to other tasks than it should: 10.1.0.200, 8080/tcp',
    ]);
  });

  it('are all missing from an empty table', () => {
    const found = ruleDifferences(rules(), 'table inet tswarm_x {\n}\n');
    expect(found).toHaveLength(4);
    expect(found[0]).toBe('virtual address not in the kernel: 10.1.0.200, 10.1.0.201');
  });
});
