// Goal: what a node does about its role, what it says when a join fails, how it finds its address, what it reads from node.json. Method: all cases of the
// tables; real sockets on loopback for addresses.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseRemoteAddress } from '#daemon/addresses';
import { explainJoinFailure } from '#daemon/join-errors';
import type { NodeRecord } from '#daemon/node-file';
import { readNodeRecord } from '#daemon/node-file';
import {
  addressTowards,
  choosePlaces,
  embeddedPlaces,
  firstReachable,
  isHostOnly,
  refuseForOpened,
} from '#daemon/places';
import { nextRoleStep } from '#daemon/role';
import { TswarmError } from '#protocol/errors';
import { NodeRole } from '#protocol/generated/specs';

const folder = mkdtempSync(join(tmpdir(), 'tswarm-joining-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the next step of a role', () => {
  const { MANAGER, WORKER } = NodeRole;
  it.each([
    [MANAGER, WORKER, 'none', false, 'become'],
    [MANAGER, MANAGER, 'none', false, 'become'],
    [MANAGER, MANAGER, 'joining', false, 'nothing'],
    [MANAGER, MANAGER, 'member', false, 'nothing'],
    // Its disk was replaced, or it was demoted and promoted again in between.
    [MANAGER, MANAGER, 'member', true, 'become'],
    [MANAGER, WORKER, 'joining', true, 'become'],
    [WORKER, WORKER, 'none', false, 'nothing'],
    // Still in the Raft group: its vote may be needed until it is out.
    [WORKER, MANAGER, 'member', false, 'nothing'],
    [WORKER, MANAGER, 'member', true, 'nothing'],
    [WORKER, WORKER, 'member', true, 'retire'],
    [WORKER, WORKER, 'member', false, 'retire'],
    [WORKER, WORKER, 'joining', false, 'retire'],
  ] as const)(
    'desired %i, observed %i, %s, removed %s: %s',
    (desired, observed, manager, wasRemoved, step) => {
      expect(nextRoleStep({ desired, observed, manager, wasRemoved })).toBe(step);
    },
  );
});

describe('the address of a manager', () => {
  it.each([
    ['192.0.2.1', { host: '192.0.2.1', port: 2377 }],
    ['192.0.2.1:4000', { host: '192.0.2.1', port: 4000 }],
    ['manager-1.example', { host: 'manager-1.example', port: 2377 }],
    ['[2001:db8::1]:5', { host: '2001:db8::1', port: 5 }],
    ['2001:db8::1', { host: '2001:db8::1', port: 2377 }],
  ])('is read from %s', (text, expected) => {
    expect(parseRemoteAddress(text, 'remoteAddrs')).toEqual(expected);
  });

  it.each(['', ':2377', 'http://x', 'a b', '1.2.3.4:0', '1.2.3.4:70000', '[::1'])(
    'is not %j',
    (text) => {
      expect(() => parseRemoteAddress(text, 'remoteAddrs')).toThrow('remoteAddrs');
    },
  );

  it('is tried: the first that answers is taken, and this host’s address on the way is known', async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    expect(await addressTowards({ host: '127.0.0.1', port })).toBe('127.0.0.1');
    // Name servers that never answer.
    const silent = { lookup: () => undefined, timeoutMs: 20 };
    await expect(addressTowards({ host: 'm1.example', port }, silent)).rejects.toMatchObject({
      message: expect.stringContaining('its name cannot be looked up'),
      hint: expect.stringContaining('how this host resolves names'),
    });
    const found = await firstReachable(['127.0.0.1:1', `127.0.0.1:${port}`]);
    expect(found).toEqual({ address: `127.0.0.1:${port}`, towards: '127.0.0.1' });
    await new Promise((resolve) => server.close(resolve));
    await expect(firstReachable([`127.0.0.1:${port}`])).rejects.toThrow(
      new RegExp(`manager 127.0.0.1:${port} cannot be reached from this host.*nothing listens`),
    );
    await expect(firstReachable([])).rejects.toThrow('no manager’s address was given');
  });
});

describe('places', () => {
  const config = { listenAddr: '0.0.0.0:2377', advertiseAddr: '' };
  it('advertise the address on the way to the cluster', () => {
    expect(choosePlaces({ listenAddr: '', advertiseAddr: '' }, config, '10.1.2.3')).toEqual({
      listen: { host: '0.0.0.0', port: 2377 },
      advertise: { host: '10.1.2.3', port: 2377 },
      isFound: true,
    });
    expect(
      choosePlaces({ listenAddr: '127.0.0.1:99', advertiseAddr: '' }, config, '10.1.2.3').advertise,
    ).toEqual({ host: '127.0.0.1', port: 99 });
  });

  it('leave a port for Raft', async () => {
    const last = { listenAddr: '127.0.0.1:65535', advertiseAddr: '' };
    expect(() => choosePlaces(last, config)).toThrow('port 65535 leaves none for Raft');
    const { listen, advertise } = await embeddedPlaces();
    expect(listen).toEqual(advertise);
    expect(listen.host).toBe('127.0.0.1');
  });
});

describe('the cluster of one host', () => {
  const record = (listenAddr: string, ...managers: string[]): NodeRecord => ({
    format: 1,
    phase: 'member',
    nodeId: 'n1',
    clusterId: 'c1',
    manager: 'member',
    listenAddr,
    advertiseAddr: listenAddr,
    advertiseIs: 'given',
    advertiseFlag: '',
    managers: managers.map((nodeId) => ({ nodeId, addr: listenAddr })),
  });

  it('is one whose only manager listens on loopback', () => {
    expect(isHostOnly(record('127.0.0.1:2377', 'n1'))).toBe(true);
    expect(isHostOnly(record('[::1]:2377', 'n1'))).toBe(true);
    expect(isHostOnly(record('0.0.0.0:2377', 'n1'))).toBe(false);
    expect(isHostOnly(record('127.0.0.1:2377', 'n1', 'n2'))).toBe(false);
  });

  it('is opened with nothing that is settled when a cluster is made', () => {
    const none = { defaultAddrPool: [], subnetSize: 0, dataPathPort: 0 };
    expect(() => refuseForOpened(none)).not.toThrow();
    expect(() => refuseForOpened({ ...none, subnetSize: 26, dataPathPort: 4789 })).toThrow(
      '--default-addr-pool-mask-length, --data-path-port can be chosen for a new one only',
    );
  });
});

describe('why a join failed', () => {
  const now = Date.parse('2026-01-02T03:04:05Z');
  const of = (code: 'unavailable' | 'no_leader', text: string): TswarmError =>
    explainJoinFailure(
      new TswarmError(code, text, { retryable: true }),
      '10.0.0.1:2377',
      now,
    ) as TswarmError;

  it('names the clocks when a certificate is not valid now', () => {
    const error = of(
      'unavailable',
      'No connection established. Last error: certificate is not yet valid',
    );
    expect(error.message).toContain('2026-01-02T03:04:05.000Z');
    expect(error.message).toContain('the clocks of this host and of 10.0.0.1:2377 differ');
  });

  it('says that something else listens there', () => {
    expect(of('unavailable', 'wrong version number').message).toBe(
      '10.0.0.1:2377 was reached, but does not answer as a manager: wrong version number',
    );
  });

  it('keeps of an OpenSSL error what a person can use', () => {
    const ssl =
      'No connection established. Last error: Error: 40BD:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../deps/x.c:918:SSL alert number 116\n (2026). Resolution note: ';
    expect(of('unavailable', ssl).message).toMatch(
      /as a manager: tlsv13 alert certificate required$/,
    );
  });

  it('keeps what a manager said', () => {
    const refusal = new TswarmError('unauthenticated', 'the join token is not valid');
    expect(explainJoinFailure(refusal, 'x', now)).toBe(refusal);
    expect(of('no_leader', 'no leader').message).toBe('no leader');
  });
});

describe('node.json', () => {
  it('of an older version is read as what it is now', async () => {
    const old = { format: 1, phase: 'member', nodeId: 'n', clusterId: 'c', isManager: true };
    const addresses = { listenAddr: '0.0.0.0:2377', advertiseAddr: '10.0.0.1:2377' };
    const text = JSON.stringify({ ...old, ...addresses, controlAddr: '10.0.0.1:2377' });
    writeFileSync(join(folder, 'node.json'), text);
    expect(await readNodeRecord(folder)).toEqual({
      format: 1,
      phase: 'member',
      nodeId: 'n',
      clusterId: 'c',
      manager: 'member',
      ...addresses,
      advertiseIs: 'given',
      advertiseFlag: null,
      managers: [{ nodeId: 'n', addr: '10.0.0.1:2377' }],
    });
  });

  it('that makes no sense is an error, not an empty node', async () => {
    writeFileSync(join(folder, 'node.json'), '{"format": 1');
    await expect(readNodeRecord(folder)).rejects.toThrow('not a node file of this version');
  });
});
