// Goal: who speaks a newer protocol than this program is told so, with both numbers and what to do.
import { expect, it } from 'vitest';
import { PROTOCOL_VERSION, refuseNewerProtocol } from '#protocol/version';

it('a newer protocol is refused, the own and older ones are not', () => {
  for (const version of [0, PROTOCOL_VERSION - 1, PROTOCOL_VERSION]) {
    expect(() => refuseNewerProtocol('node x', version)).not.toThrow();
  }
  const newer = PROTOCOL_VERSION + 1;
  expect(() => refuseNewerProtocol('node x', newer)).toThrow(
    `node x speaks version ${newer} of the protocol, the managers speak up to ${PROTOCOL_VERSION}`,
  );
});
