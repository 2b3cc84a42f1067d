// ADD of a URL: fetched into a folder of its own, as Docker does it: mode 0600, the time that the server says, never unpacked. What is at a URL may change, so it is fetched each time and its
// content decides about the cache; `--checksum` says what it must be. Refuses git repositories and what is larger than a layer may be.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rename, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, TswarmError } from '#protocol/errors';
import type { BuildRun } from './build-run.ts';
import { REMOTE_BYTES_MAX } from './limits.ts';
import { RootView } from './root-view.ts';

const MODE = 0o600;

export interface RemoteFile {
  /** With nothing but the file in it. */
  readonly view: RootView;
  readonly name: string;
  remove(): Promise<void>;
}

export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source) && !isGit(source);
}

/** A repository, which only a RUN step can fetch. */
export function isGit(source: string): boolean {
  return /^(git|ssh):\/\/|^git@|^https?:\/\/.*\.git(#.*)?$/i.test(source);
}

/** Name of the file, when the destination is a folder. @throws invalid_argument when the URL has none */
export function nameOfUrl(url: string): string {
  const name = decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '');
  if (name !== '' && name !== '.' && name !== '..' && !name.includes('/')) return name;
  throw new TswarmError(
    'invalid_argument',
    `ADD failed: cannot determine filename for url: ${url}`,
  );
}

/** @throws unavailable, failed_precondition when the content is another one */
export async function fetchFile(
  run: BuildRun,
  url: string,
  name: string,
  checksum: string,
): Promise<RemoteFile> {
  const dir = await mkdtemp(join(run.dataDir, 'contexts', 'u-'));
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
  try {
    const part = join(dir, '.part');
    const response = await fetch(url, { signal: run.signal, redirect: 'follow' });
    if (!response.ok || response.body === null) {
      throw new TswarmError(
        'unavailable',
        `ADD failed: ${url}: ${response.status} ${response.statusText}`,
      );
    }
    const hash = createHash('sha256');
    let bytes = 0;
    const watch = new Transform({
      transform(chunk: Uint8Array, _encoding, done): void {
        bytes += chunk.length;
        hash.update(chunk);
        const isTooLarge = bytes > REMOTE_BYTES_MAX;
        done(
          isTooLarge ? new TswarmError('too_large', `ADD failed: ${url} is too large`) : null,
          chunk,
        );
      },
    });
    await pipeline(
      Readable.fromWeb(response.body as never),
      watch,
      createWriteStream(part, { mode: MODE }),
    );
    const digest = `sha256:${hash.digest('hex')}`;
    if (checksum !== '' && checksum !== digest) {
      throw new TswarmError('failed_precondition', `digest mismatch ${digest}: ${checksum}`);
    }
    const modified = Date.parse(response.headers.get('last-modified') ?? '') / 1000 || 0;
    await utimes(part, modified, modified);
    await rename(part, join(dir, name));
    return { view: new RootView(dir), name, remove };
  } catch (error) {
    await remove();
    if (error instanceof TswarmError || run.signal.aborted) throw error;
    const cause = (error as { cause?: unknown }).cause ?? error;
    throw new TswarmError('unavailable', `ADD failed: ${url}: ${messageOf(cause)}`, {
      cause: error,
    });
  }
}

/** `sha256:…` @throws invalid_argument */
export function checkedDigest(text: string): string {
  if (text === '' || /^sha256:[0-9a-f]{64}$/.test(text)) return text;
  throw new TswarmError('invalid_argument', `invalid checksum "${text}"`, {
    hint: 'Write sha256: and 64 hexadecimal digits.',
  });
}
