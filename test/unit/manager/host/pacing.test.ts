// Goal: a Pacer answers at once when it is quiet, limits its rate under load, and never forgets a
// request; nobody sleeps through a wake-up.
import { describe, expect, it } from 'vitest';
import { KeyedWakeups, Pacer, Wakeups } from '#manager/host/pacing';

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('Pacer', () => {
  it('runs a burst at once, then once per interval, and the last request is served', async () => {
    const runs: number[] = [];
    let requests = 0;
    let seen = 0;
    const begin = performance.now();
    const pacer = new Pacer({ intervalMs: 30, burst: 3 }, async () => {
      runs.push(performance.now() - begin);
      seen = requests;
    });
    while (performance.now() - begin < 300) {
      requests++;
      void pacer.soon();
      await turn();
    }
    await pacer.soon();
    expect(seen).toBe(requests);
    expect(runs[2]).toBeLessThan(100);
    expect(runs.length).toBeGreaterThan(3);
    expect(runs.length).toBeLessThan(16);
  });

  it('gives all who asked the outcome of the one run', async () => {
    let runs = 0;
    const pacer = new Pacer({ intervalMs: 5, burst: 1 }, async () => {
      runs++;
      if (runs === 2) throw new Error('no');
    });
    const [a, b] = [pacer.soon(), pacer.soon()];
    expect(a).toBe(b);
    await a;
    const failing = [pacer.soon(), pacer.soon()];
    for (const outcome of await Promise.allSettled(failing))
      expect(outcome.status).toBe('rejected');
    await pacer.soon();
    expect(runs).toBe(3);
  });

  it('rests when it is told to, unless it is urgent', async () => {
    const pacer = new Pacer({ intervalMs: 1, burst: 9 }, async () => undefined);
    await pacer.soon();
    pacer.rest(40);
    const from = performance.now();
    await pacer.soon();
    expect(performance.now() - from).toBeGreaterThan(35);
    pacer.rest(60_000);
    await pacer.soon(true);
  });

  it('does not wait when it is urgent', async () => {
    const pacer = new Pacer({ intervalMs: 60_000, burst: 1 }, async () => undefined);
    await pacer.soon();
    const slow = pacer.soon();
    await Promise.all([pacer.soon(true), slow]);
  });
});

describe('Wakeups', () => {
  it('wake all sleepers, and those who looked before the wake-up do not fall asleep', async () => {
    const wakeups = new Wakeups();
    const { signal } = new AbortController();
    const seen = wakeups.count;
    const both = Promise.all([wakeups.wait(signal, seen), wakeups.wait(signal, seen)]);
    wakeups.wake();
    await both;
    await wakeups.wait(signal, seen);
    let woken = false;
    void wakeups.wait(signal, wakeups.count).then(() => {
      woken = true;
    });
    await wait(5);
    expect(woken).toBe(false);
  });

  it('let go of a sleeper whose signal aborts', async () => {
    const controller = new AbortController();
    const wakeups = new Wakeups();
    const sleeping = wakeups.wait(controller.signal, 0);
    controller.abort();
    await sleeping;
    await wakeups.wait(controller.signal, 0);
  });
});

describe('KeyedWakeups', () => {
  it('wake those of one key, or all, or the last time', async () => {
    const wakeups = new KeyedWakeups();
    const { signal } = new AbortController();
    const woken: string[] = [];
    const sleep = (key: string): Promise<void> =>
      wakeups
        .of(key)
        .wait(signal, wakeups.of(key).count)
        .then(() => void woken.push(key));
    const [a, b, c] = [sleep('a'), sleep('b'), sleep('c')];
    wakeups.wake('nobody');
    wakeups.wake('b');
    await b;
    expect(woken).toEqual(['b']);
    wakeups.delete('c');
    await c;
    wakeups.wakeAll();
    await a;
    expect(woken).toEqual(['b', 'c', 'a']);
  });
});
