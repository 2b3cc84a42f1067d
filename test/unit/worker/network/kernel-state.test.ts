// Goal: connections that nobody has answered are forgotten only for backends that take none any more: one that is back has new ones, which are not yet answered,
// and whose client would be reset by another. And what could not be applied is not lost. Method: a helper that works in order and is held up as the test wants.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KernelState } from '#worker/network/kernel-state';
import { UNANSWERED_MS } from '#worker/network/limits';
import type { NetHelper } from '#worker/network/net-helper';
import { balanceChain, emptyRules, type RuleState } from '#worker/network/ruleset';
import type { StaleFlow } from '#worker/network/stale-flows';
import { SILENT_LOG } from '../../../support/raft-host/silent-log.ts';

const [FIRST, SECOND] = ['10.1.0.21', '10.1.0.22'];
const FLOW: StaleFlow = { port: 80, backend: SECOND };

function rules(...addresses: readonly string[]): RuleState {
  const targets = addresses.map((address) => ({ address, port: 8080 }));
  const front = { address: '', port: 80 };
  const chain = balanceChain({ family: '4', protocol: 'tcp', front, targets });
  return { ...emptyRules(), chains: new Map([['p_4_tcp_80', chain]]) };
}

class Helper {
  readonly unanswered: (readonly StaleFlow[])[] = [];
  readonly gone: string[] = [];
  /** Scripts wait for it. */
  held: Promise<void> = Promise.resolve();
  nft(): Promise<void> {
    return this.held;
  }
  async forgetFlows(gone: readonly string[]): Promise<void> {
    this.gone.push(...gone);
  }
  async forgetUnanswered(flows: readonly StaleFlow[]): Promise<void> {
    this.unanswered.push(flows);
  }
}

describe('what the kernel is told to forget', () => {
  const helper = new Helper();
  let wanted = rules();
  let names = async (): Promise<void> => {};
  const state = new KernelState(
    {
      helper: helper as unknown as NetHelper,
      names: {
        table: 't',
        links: 'l',
        dns: '169.254.0.1',
        mesh: { prefix: 'w', tunnel: 'w0', door: 'wx', clear: 'wc' },
      },
      log: SILENT_LOG,
    },
    () => ({
      rules: wanted,
      publishNames: () => names(),
      wake: async () => {},
      applyMesh: async () => {},
    }),
  );
  const become = async (next: RuleState): Promise<void> => {
    wanted = next;
    await state.flush();
  };

  beforeEach(async () => {
    vi.useFakeTimers();
    await become(rules(FIRST, SECOND));
    helper.unanswered.length = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('connections to a backend that has left, after a while', async () => {
    await become(rules(FIRST));
    await vi.advanceTimersByTimeAsync(UNANSWERED_MS - 1);
    expect(helper.unanswered).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(helper.unanswered).toEqual([[FLOW]]);
  });

  it('not when it is back, also while the helper has not come to that', async () => {
    await become(rules(FIRST));
    let go = (): void => {};
    helper.held = new Promise((resolve) => {
      go = resolve;
    });
    const back = become(rules(FIRST, SECOND));
    await vi.advanceTimersByTimeAsync(UNANSWERED_MS);
    expect(helper.unanswered).toEqual([[]]);
    go();
    await back;
  });

  it('addresses that are gone, also when something else failed meanwhile', async () => {
    state.forgetFlows(['10.1.0.9']);
    names = () => Promise.reject(new Error('disk full'));
    await expect(state.flush()).rejects.toThrow('disk full');
    names = async () => {};
    expect(helper.gone).toEqual([]);
    await state.flush();
    expect(helper.gone).toEqual(['10.1.0.9']);
  });
});
