// Messages in GELF 1.1, as Docker's driver writes them: over UDP compressed and, when they are long, in chunks; over TCP each with a zero byte behind it, never compressed.
// Source: the GELF specification (docs.graylog.org). A message of more than 128 chunks, which no receiver takes, goes without labels and variables.
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { deflateSync, gzipSync } from 'node:zlib';
import type { LogAddress, LogOptions } from '#protocol/log-drivers';
import { logAddress } from '#protocol/log-drivers';
import { microsOf } from '../log-line.ts';
import type { LogMessage, LogOrigin } from './message.ts';
import { severityOf } from './message.ts';

/** A chunk with its 12 bytes of header fits into a packet of most networks. */
const CHUNK_BYTES = 1420;
const CHUNK_HEADER_BYTES = 12;
const CHUNK_DATA_BYTES: number = CHUNK_BYTES - CHUNK_HEADER_BYTES;
const CHUNKS_MAX = 128;

/** Where to; the options have been checked. */
export function gelfAddress(options: LogOptions): LogAddress | undefined {
  return logAddress(options['gelf-address'] ?? '', 0);
}

/** The encoder for one container. Empty lines are left out: a GELF message must have a text. */
export function gelfEncoder(
  options: LogOptions,
  origin: LogOrigin,
): (message: LogMessage) => readonly Uint8Array[] {
  const { subject, tag, attributes } = origin;
  const fixed: Record<string, string> = {
    _command: subject.command,
    _container_id: subject.id,
    _container_name: subject.name,
    _created: origin.createdAt,
    _image_id: subject.imageId,
    _image_name: subject.imageName,
    _tag: tag,
  };
  const extra = { ...fixed };
  for (const [key, value] of Object.entries(attributes)) {
    extra[key.startsWith('_') ? key : `_${key}`] = value;
  }
  const isTcp = gelfAddress(options)?.scheme === 'tcp';
  const pack = packer(options);
  return (message) => {
    if (message.line.length === 0) return [];
    const own = {
      version: '1.1',
      host: subject.hostname,
      short_message: message.line.toString('utf8'),
      timestamp: Math.floor(microsOf(message.time) / 1000) / 1000,
      level: severityOf(message.stream),
    };
    const text = JSON.stringify({ ...own, ...extra });
    if (isTcp) return [Buffer.from(`${text}\0`)];
    const packed = pack(Buffer.from(text));
    const isShort = packed.length <= CHUNKS_MAX * CHUNK_DATA_BYTES;
    return chunks(isShort ? packed : pack(Buffer.from(JSON.stringify({ ...own, ...fixed }))));
  };
}

function packer(options: LogOptions): (bytes: Uint8Array) => Uint8Array {
  const level = Number(options['gelf-compression-level'] ?? 1);
  const type = options['gelf-compression-type'] ?? 'gzip';
  if (type === 'none') return (bytes) => bytes;
  return (bytes) => (type === 'zlib' ? deflateSync(bytes, { level }) : gzipSync(bytes, { level }));
}

/** The datagrams of a message. */
export function chunks(bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.length <= CHUNK_BYTES) return [bytes];
  const count = Math.ceil(bytes.length / CHUNK_DATA_BYTES);
  // Tells the chunks of this message from those of others; the content, with its time, is enough of a difference.
  const id = createHash('sha256').update(bytes).digest().subarray(0, 8);
  return Array.from({ length: count }, (_, index) => {
    const header = Buffer.concat([Buffer.from([0x1e, 0x0f]), id, Buffer.from([index, count])]);
    return Buffer.concat([
      header,
      bytes.subarray(index * CHUNK_DATA_BYTES, (index + 1) * CHUNK_DATA_BYTES),
    ]);
  });
}
