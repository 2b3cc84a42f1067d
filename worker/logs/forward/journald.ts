// Messages in the journal's native protocol, with the fields that Docker's driver gives them. Source: systemd.io/JOURNAL_NATIVE_PROTOCOL.
// A datagram is one message; one that is too long for a socket goes as a memory file (native/datagram).
import { Buffer } from 'node:buffer';
import type { LogMessage, LogOrigin } from './message.ts';
import { severityOf } from './message.ts';

export const JOURNAL_SOCKET = '/run/systemd/journal/socket';

/** The name of a label or variable as a field: capitals, digits and underscores, none of them first. */
export function fieldName(key: string): string {
  return key
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .replace(/^[_0-9]+/, '');
}

/** The encoder for one container. */
export function journaldEncoder(origin: LogOrigin): (message: LogMessage) => readonly Uint8Array[] {
  const { subject, tag } = origin;
  const fields: Record<string, string> = {
    CONTAINER_ID: subject.id.slice(0, 12),
    CONTAINER_ID_FULL: subject.id,
    CONTAINER_NAME: subject.name,
    CONTAINER_TAG: tag,
    IMAGE_NAME: subject.imageName,
    SYSLOG_IDENTIFIER: tag,
  };
  for (const [key, value] of Object.entries(origin.attributes)) {
    const name = fieldName(key);
    if (name !== '') fields[name] = value;
  }
  const common = Object.entries(fields).map(([name, value]) => field(name, Buffer.from(value)));
  return ({ stream, line, time, piece }) => {
    const own: Record<string, string> = {
      PRIORITY: String(severityOf(stream)),
      SYSLOG_TIMESTAMP: time,
      ...(piece
        ? {
            CONTAINER_PARTIAL_ID: piece.id,
            CONTAINER_PARTIAL_LAST: String(piece.isLast),
            CONTAINER_PARTIAL_ORDINAL: String(piece.ordinal),
            ...(piece.isLast ? {} : { CONTAINER_PARTIAL_MESSAGE: 'true' }),
          }
        : {}),
    };
    const parts = Object.entries(own).map(([name, value]) => field(name, Buffer.from(value)));
    return [Buffer.concat([...common, ...parts, field('MESSAGE', line)])];
  };
}

const NEWLINE = 0x0a;

/** `NAME=value`, or with the length of a value that has lines. */
function field(name: string, value: Uint8Array): Uint8Array {
  if (!value.includes(NEWLINE)) {
    return Buffer.concat([Buffer.from(`${name}=`), value, Buffer.from('\n')]);
  }
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, Buffer.from('\n')]);
}
