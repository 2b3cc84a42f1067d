// A build context from a URL, fetched by the node: an archive (also a compressed one), or a single file, which is the Dockerfile of a context without other files. Which of them it is
// the first bytes say, not what the server calls it. Only http and https, also behind redirects; nothing larger than a context may be.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, TswarmError } from '#protocol/errors';
import { compressionOf, decompress } from '../images/decompress.ts';
import type { LayerTool } from '../images/layer-tool.ts';
import {
  CONTEXT_BYTES_MAX,
  CONTEXT_ENTRIES_MAX,
  DOCKERFILE_BYTES_MAX,
  REMOTE_BYTES_MAX,
} from './limits.ts';
import { nameOfUrl } from './remote-file.ts';

export interface RemoteContextOptions {
  readonly tool: LayerTool;
  readonly signal: AbortSignal;
  /** What a single file is called; undefined: as the URL has it. */
  readonly fileName: string | undefined;
}

/** Fetches into a folder. @returns whether it was an archive @throws unavailable, too_large, invalid_argument */
export async function fetchContext(
  url: string,
  dir: string,
  options: RemoteContextOptions,
): Promise<boolean> {
  const body = await request(url, options.signal);
  const chunks = body[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let headBytes = 0;
  while (headBytes < HEAD_BYTES) {
    const next = await chunks.next();
    if (next.done === true) break;
    head.push(next.value);
    headBytes += next.value.length;
  }
  const whole = concatenated(head, { [Symbol.asyncIterator]: () => chunks });
  await mkdir(dir, { recursive: true });
  const start = Buffer.concat(head);
  if (isArchive(start)) {
    await unpackContext(whole, dir, options);
    return true;
  }
  const text = await readFile(whole, url);
  await writeFile(join(dir, options.fileName ?? nameOfUrl(url)), text, { mode: 0o644 });
  return false;
}

/** Unpacks an archive as the files of a context. */
export async function unpackContext(
  archive: AsyncIterable<Uint8Array>,
  dir: string,
  { tool, signal }: Pick<RemoteContextOptions, 'tool' | 'signal'>,
): Promise<void> {
  await tool.apply(decompress(archive, { bytesMax: CONTEXT_BYTES_MAX }), {
    root: dir,
    bytesMax: CONTEXT_BYTES_MAX,
    entriesMax: CONTEXT_ENTRIES_MAX,
    mode: 'plain',
    isUnterminatedOk: true,
    signal,
  });
}

/** One block of an archive: its first header. */
const HEAD_BYTES = 512;
/** Where the sum over a header stands in it. */
const SUM_AT = 148;
const SUM_LENGTH = 8;

/** A compressed archive, or one whose first header has the right sum (so also archives from before `ustar`). */
function isArchive(head: Buffer): boolean {
  if (compressionOf(head) !== 'none') return true;
  if (head.length < HEAD_BYTES) return false;
  const stated = head.toString('latin1', SUM_AT, SUM_AT + SUM_LENGTH);
  if (!/^ *[0-7]+[ \0]*$/.test(stated)) return false;
  let sum = SUM_LENGTH * 0x20;
  for (let at = 0; at < HEAD_BYTES; at += 1) {
    if (at < SUM_AT || at >= SUM_AT + SUM_LENGTH) sum += head[at] ?? 0;
  }
  return Number.parseInt(stated, 8) === sum;
}

async function readFile(body: AsyncIterable<Uint8Array>, url: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (part.includes(0) || bytes > DOCKERFILE_BYTES_MAX) {
      throw new TswarmError(
        'invalid_argument',
        `error processing remote context ${url}: neither an archive nor a Dockerfile`,
        { field: 'remote', hint: 'Archives are tar, also with gzip, bzip2, xz or zstd.' },
      );
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function* concatenated(
  head: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* head;
  yield* rest;
}

const FAILED = 'error downloading remote context';

async function* request(url: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    const response = await fetch(url, { signal, redirect: 'follow' });
    if (!response.ok || response.body === null) {
      const status = `${response.status} ${response.statusText}`.trim();
      await response.body?.cancel();
      throw new TswarmError(
        'unavailable',
        `${FAILED} ${url}: failed to GET ${url} with status ${status}`,
      );
    }
    let bytes = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > REMOTE_BYTES_MAX)
        throw new TswarmError('too_large', `${FAILED} ${url}: too large`);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof TswarmError || signal.aborted) throw error;
    const cause = (error as { cause?: unknown }).cause ?? error;
    throw new TswarmError('unavailable', `${FAILED} ${url}: ${messageOf(cause)}`, { cause: error });
  }
}
