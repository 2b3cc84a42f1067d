// Looking at a folder as at a root file system: links inside it lead inside it, as a process with
// that root would see it. For trees that nobody changes meanwhile (a build context, a stage between
// two steps); what acts on files as root goes through tswarm-layer.
import type { Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { bytesOfName, textOfName } from '../images/tar/names.ts';

const LINKS_MAX = 40;

export interface Resolved {
  /** Absolute in the root, without links as far as it exists. */
  readonly path: string;
  /** Undefined when it does not exist. */
  readonly info: Stats | undefined;
  /** A link was followed. */
  readonly isLinked: boolean;
}

export class RootView {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** Follows all links, the last one as well unless `isLastKept`. */
  async resolve(path: string, isLastKept = false): Promise<Resolved> {
    let rest = partsOf(path);
    let done: string[] = [];
    let links = 0;
    let info: Stats | undefined = await lstat(this.dir);
    while (rest.length > 0) {
      const [name = '', ...after] = rest;
      if (name === '..') {
        done = done.slice(0, -1);
        rest = after;
        info = await this.#stat(done);
        continue;
      }
      info = await this.#stat([...done, name]);
      const isFollowed = info?.isSymbolicLink() === true && !(isLastKept && after.length === 0);
      if (!isFollowed) {
        done.push(name);
        rest = after;
        if (info === undefined)
          return { path: pathOf([...done, ...rest]), info, isLinked: links > 0 };
        continue;
      }
      links += 1;
      if (links > LINKS_MAX) {
        throw new TswarmError('invalid_argument', `${path}: too many levels of symbolic links`);
      }
      const target = textOfName(
        await readlink(this.#host([...done, name]), { encoding: 'buffer' }),
      );
      if (target.startsWith('/')) done = [];
      rest = [...partsOf(target), ...after];
    }
    return { path: pathOf(done), info, isLinked: links > 0 };
  }

  /** Names in a folder (path without links), sorted. */
  async list(path: string): Promise<readonly string[]> {
    const names = await readdir(this.#host(partsOf(path)), { encoding: 'buffer' });
    return names.map(textOfName).toSorted();
  }

  /** The host's path of a path without links. */
  hostPath(path: string): Buffer {
    return this.#host(partsOf(path));
  }

  #host(parts: readonly string[]): Buffer {
    return Buffer.concat([Buffer.from(`${this.dir}/`), bytesOfName(parts.join('/'))]);
  }

  async #stat(parts: readonly string[]): Promise<Stats | undefined> {
    try {
      return await lstat(this.#host(parts));
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw error;
    }
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function pathOf(parts: readonly string[]): string {
  return join('/', ...parts);
}
