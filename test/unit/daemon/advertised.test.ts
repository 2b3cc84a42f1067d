// Goal: a manager's address follows the host when nobody chose it, and the daemon's flag when that changes; what a person gave stays.
import { describe, expect, it } from 'vitest';
import { advertisedNow, type Interfaces } from '#daemon/advertised';
import type { RecordedPlaces } from '#daemon/places';

const on = (...hosts: readonly string[]): Interfaces => ({
  has: (host) => hosts.includes(host),
  own: () => {
    const [first, second] = hosts;
    if (second !== undefined) throw new Error('several');
    return first ?? '127.0.0.1';
  },
});
const found: RecordedPlaces = {
  listenAddr: '0.0.0.0:2377',
  advertiseAddr: '10.0.0.1:2399',
  advertiseIs: 'found',
  advertiseFlag: '',
};

describe('the address that others are told', () => {
  it('that was found on an interface follows it', () => {
    expect(advertisedNow(found, '', on('10.0.0.1'))).toBeUndefined();
    expect(advertisedNow(found, '', on('10.0.0.9'))).toEqual({
      advertiseAddr: '10.0.0.9:2399',
      advertiseIs: 'found',
      advertiseFlag: '',
    });
  });

  it('does not go to loopback while the cable is out, nor to one of several', () => {
    expect(advertisedNow(found, '', on())).toBeUndefined();
    expect(advertisedNow(found, '', on('10.0.0.8', '10.0.0.9'))).toBeUndefined();
  });

  it('that a person gave stays, as do those of before there was a choice', () => {
    const given = { ...found, advertiseIs: 'given' } as const;
    expect(advertisedNow(given, '', on('10.0.0.9'))).toBeUndefined();
    expect(advertisedNow({ ...given, advertiseFlag: null }, '10.7.7.7', on())).toBeUndefined();
  });

  it('follows the flag of the daemon when that is another one, or gone', () => {
    const flagged = { ...found, advertiseIs: 'given', advertiseFlag: '10.0.0.1' } as const;
    expect(advertisedNow(flagged, '10.0.0.1', on('10.0.0.9'))).toBeUndefined();
    expect(advertisedNow(flagged, '192.0.2.5', on('10.0.0.1'))).toEqual({
      advertiseAddr: '192.0.2.5:2377',
      advertiseIs: 'given',
      advertiseFlag: '192.0.2.5',
    });
    expect(advertisedNow(flagged, '192.0.2.5:99', on())?.advertiseAddr).toBe('192.0.2.5:99');
    expect(advertisedNow(flagged, '', on('10.0.0.9'))).toEqual({
      advertiseAddr: '10.0.0.9:2399',
      advertiseIs: 'found',
      advertiseFlag: '',
    });
  });
});
