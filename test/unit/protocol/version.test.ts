// Goal: programs of version N work with those of N and N - 1, and refuse others with both numbers and what to do. Method: version numbers that do not exist yet.
import { expect, it } from 'vitest';
import { checkHello, makeHello } from '#manager/host/raft/peer-protocol';
import { PROTOCOL_VERSION, refuseOtherProtocol } from '#protocol/version';

it('who speaks this version or the one before is heard, also who does not say', () => {
  for (const version of [0, PROTOCOL_VERSION - 1, PROTOCOL_VERSION]) {
    expect(() => refuseOtherProtocol('node x', version)).not.toThrow();
  }
  for (const version of [4, 5]) {
    expect(() => refuseOtherProtocol('node x', version, 5)).not.toThrow();
  }
  expect(() => refuseOtherProtocol('node x', 0, 2)).not.toThrow();
});

it('who speaks a newer one, or one from before, is refused with both numbers', () => {
  expect(() => refuseOtherProtocol('node x', PROTOCOL_VERSION + 1)).toThrow(
    `node x speaks version ${PROTOCOL_VERSION + 1} of the protocol, the managers speak up to ${PROTOCOL_VERSION}`,
  );
  expect(() => refuseOtherProtocol('node x', 3, 5)).toThrow(
    'node x speaks version 3 of the protocol, the managers speak 4 and 5',
  );
});

it('managers among themselves: the same, before anything else of the hello counts', () => {
  const parties = { clusterId: 'c', from: 2, to: 1, addr: '', instance: '' };
  const greeting = { epoch: 0, commit: 7, isMember: true, namesCallee: true };
  const hello = makeHello(parties, greeting);
  const own = { clusterId: 'c', raftId: 1 };
  expect(checkHello(hello, own)).toEqual(greeting);
  expect(checkHello(hello, own, hello.version + 1)).toEqual(greeting);
  expect(() => checkHello(hello, own, hello.version + 2)).toThrow('member 2 speaks version 1');
  const newer = { ...hello, version: hello.version + 1, clusterId: 'x' };
  expect(() => checkHello(newer, own)).toThrow('the managers speak up to');
});
