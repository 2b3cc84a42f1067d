// Goal: who follows this host's addresses is told of each other list once, never of none, and soon after the kernel has said something; also when that was lost.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HostWatch } from '#worker/network/host-watch';
import { HOST_LOOK_PERIOD_MS, HOST_SETTLE_MS } from '#worker/network/limits';

let addresses: readonly string[] = [];
let looks = 0;
const moves: string[] = [];
let watch: HostWatch;

beforeEach(() => {
  vi.useFakeTimers();
  addresses = ['192.0.2.1', '2001:db8::1'];
  looks = 0;
  moves.length = 0;
  watch = new HostWatch({
    addresses: () => addresses,
    moved: (now) => void moves.push(now.join(' ')),
    looked: () => {
      looks += 1;
    },
  });
  watch.start();
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

function look(...now: readonly string[]): readonly string[] {
  addresses = now;
  watch.look();
  return moves.splice(0);
}

it('tells of other addresses, in whatever order they come; none at all is no address', () => {
  expect(look('2001:db8::1', '192.0.2.1')).toEqual([]);
  expect(look()).toEqual([]);
  expect(look('192.0.2.1', '2001:db8::1')).toEqual([]);
  expect(look('192.0.2.61', '2001:db8::1')).toEqual(['192.0.2.61 2001:db8::1']);
  expect(look('192.0.2.61', '2001:db8::1')).toEqual([]);
  expect(looks).toBe(5);
});

it('a host that had none at the start has not moved when it gets its first', () => {
  const late = new HostWatch({
    addresses: () => addresses,
    moved: (now) => void moves.push(now.join(' ')),
    looked: () => {},
  });
  addresses = [];
  late.start();
  addresses = ['192.0.2.1'];
  late.look();
  expect(moves).toEqual([]);
  addresses = ['192.0.2.2'];
  late.look();
  expect(moves).toEqual(['192.0.2.2']);
  late.stop();
});

it('looks once for a burst of events, and again for the next one', () => {
  addresses = ['192.0.2.61'];
  for (let i = 0; i < 5; i++) watch.changed();
  expect([looks, moves]).toEqual([0, []]);
  vi.advanceTimersByTime(HOST_SETTLE_MS);
  expect([looks, moves]).toEqual([1, ['192.0.2.61']]);
  watch.changed();
  vi.advanceTimersByTime(HOST_SETTLE_MS);
  expect(looks).toBe(2);
});

it('finds by itself what no event has told, and nothing after its end', () => {
  addresses = ['192.0.2.61'];
  vi.advanceTimersByTime(HOST_LOOK_PERIOD_MS);
  expect(moves).toEqual(['192.0.2.61']);
  watch.stop();
  addresses = ['192.0.2.62'];
  watch.changed();
  vi.advanceTimersByTime(2 * HOST_LOOK_PERIOD_MS);
  expect(moves).toEqual(['192.0.2.61']);
});
