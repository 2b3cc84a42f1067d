// Reads a tar archive (ustar, PAX, GNU long names) as it streams by: entry after entry, data on
// demand. For archives whose structure we need (save/load, COPY); what is unpacked as root goes to
// tswarm-layer untouched. Refuses sparse files and unknown entry types, and bounds every header
// extension.
import { TAR_EXTENSION_BYTES_MAX } from '../limits.ts';
import {
  BLOCK_BYTES,
  damaged,
  decodeHeader,
  decodeRecords,
  isKnownFlag,
  padding,
  type TarHeader,
} from './format.ts';
import { textOfName } from './names.ts';

export interface TarEntry {
  readonly header: TarHeader;
  /** Must be read before the next entry is asked for; what was not read is skipped then. */
  readonly data: AsyncIterable<Uint8Array>;
}

/** @throws TswarmError `invalid_argument` for a damaged archive; and what the input throws */
export async function* readTar(input: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const source = new ByteSource(input);
  try {
    let global = new Map<string, Uint8Array>();
    let extension = new Map<string, Uint8Array>();
    for (;;) {
      const block = await source.block();
      // The end: a block of zeros, or just the end of the input.
      if (block === undefined || block.every((byte) => byte === 0)) return await source.drain();
      const { flag, header } = decodeHeader(block);
      if (flag === 'g') global = new Map([...global, ...(await records(source, header))]);
      else if (flag === 'x') extension = await records(source, header);
      else if (flag === 'L') extension.set('path', await longName(source, header));
      else if (flag === 'K') extension.set('linkpath', await longName(source, header));
      else {
        if (!isKnownFlag(flag)) throw damaged(`entry type "${flag}" is not supported`);
        const entry = withRecords(header, new Map([...global, ...extension]), flag);
        extension = new Map();
        const hasData = entry.kind === 'file';
        const data = source.data(hasData ? entry.size : 0);
        yield { header: { ...entry, size: hasData ? entry.size : 0 }, data };
        await source.skipRest();
      }
    }
  } finally {
    await source.close();
  }
}

async function records(source: ByteSource, header: TarHeader): Promise<Map<string, Uint8Array>> {
  return decodeRecords(await extensionBytes(source, header));
}

async function longName(source: ByteSource, header: TarHeader): Promise<Uint8Array> {
  const bytes = await extensionBytes(source, header);
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

async function extensionBytes(source: ByteSource, header: TarHeader): Promise<Uint8Array> {
  if (header.size > TAR_EXTENSION_BYTES_MAX) throw damaged('an extended header is too large');
  const parts: Uint8Array[] = [];
  for await (const part of source.data(header.size)) parts.push(part);
  await source.skipRest();
  return new Uint8Array(Buffer.concat(parts));
}

function withRecords(
  header: TarHeader,
  records: ReadonlyMap<string, Uint8Array>,
  flag: string,
): TarHeader {
  const rest = new Map<string, Uint8Array>();
  const changed: { -readonly [K in keyof TarHeader]: TarHeader[K] } = { ...header };
  for (const [key, value] of records) {
    if (key === 'path') changed.name = textOfName(value);
    else if (key === 'linkpath') changed.linkName = textOfName(value);
    else if (key === 'size') changed.size = whole(value, key);
    else if (key === 'uid') changed.uid = whole(value, key);
    else if (key === 'gid') changed.gid = whole(value, key);
    else if (key === 'mtime') changed.mtime = decimal(value);
    else if (key.startsWith('GNU.sparse.')) throw damaged('sparse files are not supported here');
    else if (!IGNORED.has(key)) rest.set(key, value);
  }
  // Before POSIX a folder was a file whose name ends with a slash.
  if ((flag === '0' || flag === '\0') && changed.name.endsWith('/')) changed.kind = 'dir';
  changed.name = changed.name.replace(/\/+$/, '');
  changed.records = rest;
  return changed;
}

const IGNORED: ReadonlySet<string> = new Set([
  'atime',
  'ctime',
  'uname',
  'gname',
  'comment',
  'charset',
  'hdrcharset',
]);

function whole(value: Uint8Array, key: string): number {
  const text = Buffer.from(value).toString('latin1');
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) throw damaged(`${key}=${text}`);
  return number;
}

function decimal(value: Uint8Array): string {
  const text = Buffer.from(value).toString('latin1');
  if (!/^-?\d+(\.\d*)?$/.test(text)) throw damaged(`mtime=${text}`);
  return text;
}

/** Gives out exact pieces of a stream of chunks of any size. */
class ByteSource {
  readonly #input: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  /** Of the current entry: data and padding that were not read yet. */
  #dataLeft = 0;
  #padLeft = 0;

  constructor(input: AsyncIterable<Uint8Array>) {
    this.#input = input[Symbol.asyncIterator]();
  }

  /** The next header block; undefined at the end of the input. */
  async block(): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < BLOCK_BYTES) {
      const part = await this.#upTo(BLOCK_BYTES - bytes);
      if (part === undefined) {
        if (bytes === 0) return undefined;
        throw damaged('unexpected EOF');
      }
      parts.push(part);
      bytes += part.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  /** The next `size` bytes; they count as an entry's data from now on, read or not. */
  data(size: number): AsyncIterable<Uint8Array> {
    this.#dataLeft = size;
    this.#padLeft = padding(size);
    return this.#parts();
  }

  async *#parts(): AsyncGenerator<Uint8Array> {
    while (this.#dataLeft > 0) {
      const part = await this.#upTo(this.#dataLeft);
      if (part === undefined) throw damaged('unexpected EOF');
      this.#dataLeft -= part.length;
      yield part;
    }
  }

  async skipRest(): Promise<void> {
    let left = this.#dataLeft + this.#padLeft;
    this.#dataLeft = 0;
    this.#padLeft = 0;
    while (left > 0) {
      const part = await this.#upTo(left);
      // Padding may be missing at the very end.
      if (part === undefined) return;
      left -= part.length;
    }
  }

  /** Reads to the end: whoever hashes the input wants all of it. */
  async drain(): Promise<void> {
    while ((await this.#upTo(Number.MAX_SAFE_INTEGER)) !== undefined) {
      // Nothing to do with it.
    }
  }

  async close(): Promise<void> {
    await this.#input.return?.();
  }

  async #upTo(bytes: number): Promise<Uint8Array | undefined> {
    while (this.#chunk.length === 0) {
      const next = await this.#input.next();
      if (next.done === true) return undefined;
      this.#chunk = next.value;
    }
    const part = this.#chunk.subarray(0, bytes);
    this.#chunk = this.#chunk.subarray(part.length);
    return part;
  }
}
