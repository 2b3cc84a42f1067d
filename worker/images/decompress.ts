// Compressed or not: found by the first bytes, never by a media type or a file name. gzip and zstd
// by Node; bzip2 and xz by the host's own programs when they are installed (never by anything from
// an image). Output is bounded by size and by ratio, so that a small blob cannot fill the disk.
import { spawn } from 'node:child_process';
import { Readable, type Transform } from 'node:stream';
import zlib from 'node:zlib';
import { messageOf, TswarmError } from '#protocol/errors';
import { COMPRESSION_RATIO_FLOOR_BYTES, COMPRESSION_RATIO_MAX } from './limits.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

const SNIFF_BYTES = 6;
const OUTPUT_CHUNK_BYTES = 256 * 1024;
/** Windows beyond 128 MiB would let a blob choose our memory use. */
const ZSTD_WINDOW_LOG_MAX = 27;

export function compressionOf(head: Uint8Array): Compression {
  const found = MAGIC.find(([, magic]) => magic.every((byte, i) => head[i] === byte));
  if (found !== undefined) return found[0];
  return isSkippableFrame(head) ? 'zstd' : 'none';
}

/** zstd data may begin with a frame for others (0x184D2A50 … 5F, little-endian). */
function isSkippableFrame(head: Uint8Array): boolean {
  const [first = 0, second, third, fourth] = head;
  return first >> 4 === 5 && second === 0x2a && third === 0x4d && fourth === 0x18;
}

/**
 * The uncompressed bytes, whatever the input is. `onCompression` is told once what it was.
 * @throws TswarmError `invalid_argument` (damaged), `too_large` (bomb), `not_supported`; and what
 * the input throws
 */
export async function* decompress(
  input: AsyncIterable<Uint8Array>,
  options: {
    readonly bytesMax: number;
    readonly onCompression?: (compression: Compression) => void;
  },
): AsyncGenerator<Uint8Array> {
  const counter = { bytes: 0 };
  const { head, rest } = await peek(input);
  const compression = compressionOf(head);
  options.onCompression?.(compression);
  const source = counted(head, rest, counter);
  let bytesOut = 0;
  for await (const chunk of compression === 'none' ? source : expand(source, compression)) {
    bytesOut += chunk.length;
    const isBomb =
      bytesOut > COMPRESSION_RATIO_FLOOR_BYTES && bytesOut > counter.bytes * COMPRESSION_RATIO_MAX;
    if (bytesOut > options.bytesMax || isBomb) {
      throw new TswarmError('too_large', `unpacks to more than ${bytesOut} bytes: refused`, {
        hint: 'The archive looks like a decompression bomb.',
      });
    }
    yield chunk;
  }
}

async function* expand(
  source: AsyncIterable<Uint8Array>,
  compression: Exclude<Compression, 'none'>,
): AsyncIterable<Uint8Array> {
  if (compression === 'bzip2' || compression === 'xz')
    return yield* viaProgram(source, compression);
  const feed = new Feed(source);
  try {
    while (!feed.isAtEnd) {
      const engine = expander(compression);
      const before = feed.consumed;
      yield* feed.through(engine);
      // Node goes on with further gzip members by itself, but stops after one zstd frame.
      const isStuck = feed.consumed === before && !feed.isAtEnd;
      if (isStuck) throw new Error('what follows is no such data');
    }
  } catch (error) {
    if (feed.failure !== undefined) throw feed.failure.error;
    throw new TswarmError('invalid_argument', `damaged ${compression} data: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    await feed.close();
  }
}

/** Gives a source to one engine after the other; each may leave bytes for the next. */
class Feed {
  readonly #source: AsyncIterator<Uint8Array>;
  /** Taken from the source, not yet known to be consumed. */
  #chunks: Uint8Array[] = [];
  #isSourceDone = false;
  /** Of all engines so far. */
  consumed = 0;
  failure: { readonly error: unknown } | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  get isAtEnd(): boolean {
    return this.#isSourceDone && this.#chunks.length === 0;
  }

  async *through(engine: Expander): AsyncGenerator<Uint8Array> {
    const input = Readable.from(this.#pieces(engine), { objectMode: false });
    input.on('error', (error) => engine.destroy(error));
    try {
      for await (const chunk of input.pipe(engine)) yield chunk as Uint8Array;
    } finally {
      input.destroy();
      engine.destroy();
    }
    this.#drop(engine.bytesWritten);
    this.consumed += engine.bytesWritten;
    // Knows whether there is more only by asking.
    if (this.#chunks.length === 0 && !this.#isSourceDone) await this.#pull();
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async *#pieces(engine: Expander): AsyncGenerator<Uint8Array> {
    let dropped = 0;
    let given = 0;
    for (;;) {
      const chunk = this.#chunks[given] ?? (await this.#pull());
      if (chunk === undefined) return;
      given += 1;
      yield chunk;
      // What the engine has behind it need not be kept.
      for (let first = this.#chunks[0]; first !== undefined; first = this.#chunks[0]) {
        if (given <= 1 || engine.bytesWritten < dropped + first.length) break;
        this.#chunks.shift();
        dropped += first.length;
        given -= 1;
      }
      this.#droppedByPieces = dropped;
    }
  }

  #droppedByPieces = 0;

  async #pull(): Promise<Uint8Array | undefined> {
    try {
      const next = await this.#source.next();
      if (next.done === true) {
        this.#isSourceDone = true;
        return undefined;
      }
      this.#chunks.push(next.value);
      return next.value;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  #drop(bytesWritten: number): void {
    let left = bytesWritten - this.#droppedByPieces;
    this.#droppedByPieces = 0;
    const rest: Uint8Array[] = [];
    for (const chunk of this.#chunks) {
      if (left < chunk.length) rest.push(chunk.subarray(left));
      left = Math.max(0, left - chunk.length);
    }
    this.#chunks = rest;
  }
}

type Expander = Transform & { readonly bytesWritten: number };

function expander(compression: 'gzip' | 'zstd'): Expander {
  if (compression === 'gzip') return zlib.createGunzip({ chunkSize: OUTPUT_CHUNK_BYTES });
  return zlib.createZstdDecompress({
    chunkSize: OUTPUT_CHUNK_BYTES,
    params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
  });
}

/** bzip2 and xz are not in Node. */
async function* viaProgram(
  source: AsyncIterable<Uint8Array>,
  program: 'bzip2' | 'xz',
): AsyncIterable<Uint8Array> {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/' });
  let words = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    if (words.length < OUTPUT_CHUNK_BYTES) words += text;
  });
  child.stdin.on('error', () => {});
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new TswarmError(
          'not_supported',
          `${program}-compressed data needs the ${program} program`,
          {
            cause,
            hint: `Install ${program === 'xz' ? 'xz-utils' : 'bzip2'} on this node, or compress with gzip or zstd.`,
          },
        ),
      ),
    );
    child.once('close', resolve);
  });
  ended.catch(() => {});
  const feed = Readable.from(source, { objectMode: false });
  let sourceError: { readonly error: unknown } | undefined;
  feed.once('error', (error) => {
    sourceError = { error };
    child.kill('SIGKILL');
  });
  feed.pipe(child.stdin);
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
    const code = await ended;
    if (sourceError !== undefined) throw sourceError.error;
    if (code !== 0) {
      throw new TswarmError('invalid_argument', `damaged ${program} data: ${words.trim()}`);
    }
  } finally {
    feed.destroy();
    child.kill('SIGKILL');
  }
}

/** The first bytes, enough to know the compression, and what follows them. */
async function peek(
  input: AsyncIterable<Uint8Array>,
): Promise<{ head: Uint8Array; rest: AsyncIterator<Uint8Array> }> {
  const rest = input[Symbol.asyncIterator]();
  let head = new Uint8Array(0);
  while (head.length < SNIFF_BYTES) {
    const next = await rest.next();
    if (next.done === true) break;
    head = head.length === 0 ? new Uint8Array(next.value) : Buffer.concat([head, next.value]);
  }
  return { head, rest };
}

async function* counted(
  head: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
  counter: { bytes: number },
): AsyncGenerator<Uint8Array> {
  try {
    counter.bytes += head.length;
    if (head.length > 0) yield head;
    for (;;) {
      const next = await rest.next();
      if (next.done === true) return;
      counter.bytes += next.value.length;
      yield next.value;
    }
  } finally {
    await rest.return?.();
  }
}
