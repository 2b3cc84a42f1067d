// Messages in Fluentd's forward protocol (version 1, message mode): MessagePack of [tag, time, record, options]. The few forms of MessagePack that are needed are written here.
// With `fluentd-request-ack` each message has a chunk id, which the server answers with. Source: the forward protocol's specification (github.com/fluent/fluentd/wiki), msgpack.org.
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { LogAddress, LogOptions } from '#protocol/log-drivers';
import { isTrue, logAddress } from '#protocol/log-drivers';
import { microsOf } from '../log-line.ts';
import type { LogMessage, LogOrigin } from './message.ts';

const PORT = 24224;

/** Where to; this host when nothing is said. */
export function fluentdAddress(options: LogOptions): LogAddress | undefined {
  const text = options['fluentd-address'] || 'tcp://127.0.0.1:24224';
  return logAddress(text.includes('://') ? text : `tcp://${text}`, PORT);
}

/** The encoder for one container. @returns the bytes of a message and the chunk id that the server is to answer with, '' = none */
export function fluentdEncoder(
  options: LogOptions,
  origin: LogOrigin,
): (message: LogMessage) => { readonly bytes: Uint8Array; readonly chunk: string } {
  const isPrecise = isTrue(options['fluentd-sub-second-precision']);
  const mustAck = isTrue(options['fluentd-request-ack']);
  const { subject, tag, attributes } = origin;
  const common: Readonly<Record<string, string>> = {
    container_id: subject.id,
    // With the slash that names have in Docker's records.
    container_name: `/${subject.name}`,
    ...attributes,
  };
  return ({ stream, line, time, piece }) => {
    const record: Record<string, string> = {
      ...common,
      source: stream,
      log: line.toString('utf8'),
      ...(piece
        ? {
            partial_message: 'true',
            partial_id: piece.id,
            partial_ordinal: String(piece.ordinal),
            partial_last: String(piece.isLast),
          }
        : {}),
    };
    const body = [text(tag), isPrecise ? eventTime(time) : seconds(time), map(record)];
    const chunk = mustAck ? chunkOf(body) : '';
    const parts = [Buffer.from([0x94]), ...body, map(chunk === '' ? {} : { chunk })];
    return { bytes: Buffer.concat(parts), chunk };
  };
}

/** The same message sent again has the same id: a server that has it may pass over it. */
function chunkOf(body: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of body) hash.update(part);
  return hash.digest('base64').slice(0, 24);
}

/** The ids that a server has answered with: maps with the one key `ack`. @returns them and what is no whole answer yet; undefined when it is none of ours */
export function takeAcks(
  bytes: Buffer,
): { readonly acks: readonly string[]; readonly rest: Buffer } | undefined {
  const acks: string[] = [];
  let rest = bytes;
  // {"ack": "…"}: a map of one, a key of three characters, a string of up to 255.
  const start = Buffer.concat([Buffer.from([0x81, 0xa3]), Buffer.from('ack')]);
  while (rest.length > start.length) {
    if (!rest.subarray(0, start.length).equals(start)) return undefined;
    const kind = rest[start.length] ?? 0;
    const isShort = (kind & 0xe0) === 0xa0;
    if (!isShort && kind !== 0xd9) return undefined;
    const from = start.length + (isShort ? 1 : 2);
    const length = isShort ? kind & 0x1f : rest[from - 1];
    if (length === undefined || rest.length < from + length) break;
    acks.push(rest.toString('utf8', from, from + length));
    rest = rest.subarray(from + length);
  }
  return { acks, rest };
}

// ---- MessagePack --------------------------------------------------------------------------------

function text(value: string): Uint8Array {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([
    lengthOf(bytes.length, { fix: 0xa0, fixMax: 31, one: 0xd9, two: 0xda, four: 0xdb }),
    bytes,
  ]);
}

function map(values: Readonly<Record<string, string>>): Uint8Array {
  const entries = Object.entries(values);
  const head = lengthOf(entries.length, { fix: 0x80, fixMax: 15, one: 0, two: 0xde, four: 0xdf });
  return Buffer.concat([head, ...entries.flatMap(([key, value]) => [text(key), text(value)])]);
}

/** Marks of the forms of a length: within the mark, in one byte (0 = there is no such form), two, four. */
interface Marks {
  readonly fix: number;
  readonly fixMax: number;
  readonly one: number;
  readonly two: number;
  readonly four: number;
}

function lengthOf(length: number, marks: Marks): Uint8Array {
  if (length <= marks.fixMax) return Buffer.from([marks.fix | length]);
  if (length <= 0xff && marks.one !== 0) return Buffer.from([marks.one, length]);
  if (length <= 0xffff) return Buffer.from([marks.two, length >> 8, length & 0xff]);
  const bytes = Buffer.alloc(5);
  bytes[0] = marks.four;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** A whole number of seconds (uint 32). */
function seconds(time: string): Uint8Array {
  const bytes = Buffer.alloc(5);
  bytes[0] = 0xce;
  bytes.writeUInt32BE(Math.floor(microsOf(time) / 1e6), 1);
  return bytes;
}

/** Fluentd's EventTime: extension 0 with seconds and nanoseconds. */
function eventTime(time: string): Uint8Array {
  const bytes = Buffer.alloc(10);
  bytes[0] = 0xd7;
  bytes.writeUInt32BE(Math.floor(microsOf(time) / 1e6), 2);
  const digits = /\.(\d+)/.exec(time)?.[1] ?? '';
  bytes.writeUInt32BE(Number(digits.padEnd(9, '0').slice(0, 9)), 6);
  return bytes;
}
