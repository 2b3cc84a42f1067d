// Builds tar archives byte by byte, so that tests can make the ones that no honest tool makes.
// Nothing is checked here: a wrong size, name or checksum is written as asked.

/** One header block with its data; numbers are octal unless `raw` overrides the field. */
export interface TarEntry {
  readonly name: string | Buffer;
  readonly type?: string;
  readonly data?: Buffer | string;
  readonly link?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  /** Overrides the size field; the data that follow stay as they are. */
  readonly size?: number;
  readonly major?: number;
  readonly minor?: number;
  /** Bytes written over the block before the checksum is computed: offset → bytes. */
  readonly raw?: ReadonlyMap<number, Buffer>;
  /** PAX records written in a header before this one. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
  /** 'ustar' (default), 'gnu', or 'v7' with no magic. */
  readonly format?: 'ustar' | 'gnu' | 'v7';
  readonly badChecksum?: boolean;
}

const BLOCK = 512;

function toBuffer(value: string | Buffer): Buffer {
  return typeof value === 'string' ? Buffer.from(value) : value;
}

function octal(value: number, width: number): Buffer {
  return Buffer.from(`${value.toString(8).padStart(width - 1, '0')}\0`);
}

/** `value` as a GNU base-256 field of `width` bytes. */
export function base256(value: bigint, width: number): Buffer {
  const field = Buffer.alloc(width);
  let rest = BigInt.asUintN(width * 8, value);
  for (let i = width - 1; i >= 0; i--) {
    field[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  field[0] = (field[0] ?? 0) | 0x80;
  return field;
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}

/** PAX records as the body of an extended header. */
export function paxRecords(records: Readonly<Record<string, string | Buffer>>): Buffer {
  const parts: Buffer[] = [];
  for (const [key, value] of Object.entries(records)) {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), toBuffer(value), Buffer.from('\n')]);
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length++;
    parts.push(Buffer.from(String(length)), rest);
  }
  return Buffer.concat(parts);
}

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  toBuffer(entry.name).copy(block, 0, 0, 100);
  octal(entry.mode ?? 0o644, 8).copy(block, 100);
  octal(entry.uid ?? 0, 8).copy(block, 108);
  octal(entry.gid ?? 0, 8).copy(block, 116);
  octal(size, 12).copy(block, 124);
  octal(entry.mtime ?? 1_700_000_000, 12).copy(block, 136);
  block.write(entry.type ?? '0', 156, 'latin1');
  toBuffer(entry.link ?? '').copy(block, 157, 0, 100);
  if (entry.format === 'gnu') block.write('ustar  \0', 257, 'latin1');
  else if (entry.format !== 'v7') block.write('ustar\x0000', 257, 'latin1');
  if (entry.format !== 'v7') {
    octal(entry.major ?? 0, 8).copy(block, 329);
    octal(entry.minor ?? 0, 8).copy(block, 337);
  }
  for (const [offset, bytes] of entry.raw ?? []) bytes.copy(block, offset);
  block.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  octal(entry.badChecksum ? sum + 1 : sum, 7).copy(block, 148);
  return block;
}

/** One entry with everything before and behind it. */
export function tarEntry(entry: TarEntry): Buffer {
  const data = toBuffer(entry.data ?? '');
  const own = Buffer.concat([header(entry, entry.size ?? data.length), padded(data)]);
  if (!entry.pax) return own;
  return Buffer.concat([tarEntry({ name: 'pax', type: 'x', data: paxRecords(entry.pax) }), own]);
}

/** The end mark: two blocks of zeros. */
export const TAR_END: Buffer = Buffer.alloc(2 * BLOCK);

/** A whole archive. */
export function tar(...entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), TAR_END]);
}
