// One tar header block (POSIX.1-2001 ustar, with GNU's base-256 numbers) and PAX records, read and
// written.
import { TswarmError } from '#protocol/errors';
import { bytesOfName, textOfName } from './names.ts';

export const BLOCK_BYTES = 512;

export type TarKind = 'file' | 'dir' | 'symlink' | 'link' | 'char' | 'block' | 'fifo';

/** An entry without its data. */
export interface TarHeader {
  /** As written, without a trailing slash; see names.ts for bytes that are not UTF-8. */
  readonly name: string;
  readonly kind: TarKind;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since 1970 as decimal text, e.g. `1700000000.123456789`. */
  readonly mtime: string;
  readonly linkName: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /**
   * PAX records that have no field here (extended attributes: `SCHILY.xattr.<name>`); values are
   * bytes.
   */
  readonly records: ReadonlyMap<string, Uint8Array>;
}

const KIND_OF: Readonly<Record<string, TarKind>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'dir',
  '6': 'fifo',
};

const FLAG_OF: Readonly<Record<TarKind, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  char: '3',
  block: '4',
  dir: '5',
  fifo: '6',
};

/** The header's own fields; `flag` may name an extension (x g L K) that the reader resolves. */
export function decodeHeader(block: Uint8Array): {
  readonly flag: string;
  readonly header: TarHeader;
} {
  checkSum(block);
  const flag = String.fromCharCode(block[156] ?? 0);
  const isUstar = Buffer.from(block.subarray(257, 262)).toString('latin1') === 'ustar';
  const isGnu = isUstar && block[262] === 0x20;
  const prefix = isUstar && !isGnu ? text(block, 345, 155) : '';
  const plain = text(block, 0, 100);
  const name = prefix === '' ? plain : `${prefix}/${plain}`;
  const kind = KIND_OF[flag] ?? 'file';
  const header: TarHeader = {
    name,
    kind,
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: String(number(block, 136, 12)),
    linkName: text(block, 157, 100),
    deviceMajor: isUstar ? number(block, 329, 8) : 0,
    deviceMinor: isUstar ? number(block, 337, 8) : 0,
    records: new Map(),
  };
  return { flag, header };
}

export function isKnownFlag(flag: string): boolean {
  return Object.hasOwn(KIND_OF, flag);
}

/** The header as blocks: a PAX header before it where a field does not fit. */
export function encodeHeader(header: TarHeader): Uint8Array {
  const records = new Map<string, Uint8Array>(header.records);
  const name = bytesOfName(header.kind === 'dir' ? `${header.name}/` : header.name);
  const linkName = bytesOfName(header.linkName);
  const set = (key: string, value: string | Uint8Array): void => {
    records.set(key, typeof value === 'string' ? new TextEncoder().encode(value) : value);
  };
  if (name.length > 100) set('path', name);
  if (linkName.length > 100) set('linkpath', linkName);
  if (header.size > OCTAL_11_MAX) set('size', String(header.size));
  if (header.uid > OCTAL_7_MAX) set('uid', String(header.uid));
  if (header.gid > OCTAL_7_MAX) set('gid', String(header.gid));
  const seconds = Math.trunc(Number(header.mtime));
  const isPlainTime = /^\d+$/.test(header.mtime) && seconds <= OCTAL_11_MAX;
  if (!isPlainTime) set('mtime', header.mtime);
  const main = block({ ...header, name, linkName, flag: FLAG_OF[header.kind], seconds });
  if (records.size === 0) return main;
  const pax = encodeRecords(records);
  const extension = block({
    ...header,
    name: Buffer.from('PaxHeaders/entry'),
    linkName: Buffer.alloc(0),
    flag: 'x',
    size: pax.length,
    mode: 0o644,
    uid: 0,
    gid: 0,
    seconds: 0,
    deviceMajor: 0,
    deviceMinor: 0,
  });
  return Buffer.concat([extension, pax, Buffer.alloc(padding(pax.length)), main]);
}

/** Bytes that fill up the last block of `size` bytes of data. */
export function padding(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

/** `<length> <key>=<value>\n`, repeated. @throws TswarmError `invalid_argument` */
export function decodeRecords(bytes: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(Buffer.from(bytes.subarray(at, space)).toString('latin1'));
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space);
    const isWrong =
      space < 0 || !Number.isSafeInteger(length) || length < 5 || end > bytes.length || equals < 0;
    if (isWrong || equals >= end || bytes[end - 1] !== 0x0a) throw damaged('a PAX record');
    const key = Buffer.from(bytes.subarray(space + 1, equals)).toString('utf8');
    records.set(key, bytes.slice(equals + 1, end - 1));
    at = end;
  }
  return records;
}

export function damaged(what: string): TswarmError {
  return new TswarmError('invalid_argument', `archive/tar: invalid tar header: ${what}`);
}

const OCTAL_11_MAX = 8 ** 11 - 1;
const OCTAL_7_MAX = 8 ** 7 - 1;

function encodeRecords(records: ReadonlyMap<string, Uint8Array>): Buffer {
  const parts: Buffer[] = [];
  for (const [key, value] of records) {
    const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
    let length = body.length + 1;
    while (String(length).length + body.length > length) length += 1;
    parts.push(Buffer.from(String(length)), body);
  }
  return Buffer.concat(parts);
}

interface BlockFields extends Omit<TarHeader, 'name' | 'linkName' | 'records' | 'kind' | 'mtime'> {
  readonly name: Buffer;
  readonly linkName: Buffer;
  readonly flag: string;
  readonly seconds: number;
}

function block(fields: BlockFields): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES);
  // Cut after a slash, a long name would say that it is a folder to those that do not know PAX.
  const isCutAtSlash = fields.name.length > 100 && fields.name[99] === 0x2f;
  fields.name.copy(bytes, 0, 0, isCutAtSlash ? 99 : 100);
  octal(bytes, 100, 8, fields.mode);
  octal(bytes, 108, 8, Math.min(fields.uid, OCTAL_7_MAX));
  octal(bytes, 116, 8, Math.min(fields.gid, OCTAL_7_MAX));
  octal(bytes, 124, 12, Math.min(fields.size, OCTAL_11_MAX));
  octal(bytes, 136, 12, Math.max(0, Math.min(fields.seconds, OCTAL_11_MAX)));
  bytes.write(fields.flag, 156, 'latin1');
  fields.linkName.copy(bytes, 157, 0, 100);
  bytes.write('ustar\x0000', 257, 'latin1');
  octal(bytes, 329, 8, fields.deviceMajor);
  octal(bytes, 337, 8, fields.deviceMinor);
  bytes.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of bytes) sum += byte;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

function octal(bytes: Buffer, at: number, width: number, value: number): void {
  bytes.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
}

function text(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return textOfName(end < 0 ? field : field.subarray(0, end));
}

function number(block: Uint8Array, at: number, length: number): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) return base256(block, at, length);
  const digits = Buffer.from(block.subarray(at, at + length))
    .toString('latin1')
    .replace(/\0.*$/s, '')
    .trim();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw damaged(`"${digits}" is no octal number`);
  return Number.parseInt(digits, 8);
}

function base256(block: Uint8Array, at: number, length: number): number {
  if (block[at] !== 0x80) throw damaged('a negative or huge number');
  let value = 0;
  for (const byte of block.subarray(at + 1, at + length)) value = value * 256 + byte;
  if (!Number.isSafeInteger(value)) throw damaged('a huge number');
  return value;
}

function checkSum(block: Uint8Array): void {
  let unsigned = 0;
  let signed = 0;
  for (const [i, byte] of block.entries()) {
    const value = i >= 148 && i < 156 ? 0x20 : byte;
    unsigned += value;
    signed += value > 127 ? value - 256 : value;
  }
  const stored = number(block, 148, 8);
  if (stored !== unsigned && stored !== signed) throw damaged('checksum');
}
