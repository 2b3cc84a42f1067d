// Contexts: clusters that were signed in to, by name. Each is a file that only its owner may read, because it holds a token or a key. The context called
// "default" is this host's daemon; it is always there and is no file. Refuses files that others may read: their secret is no secret any more.
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { messageOf, TswarmError } from '#protocol/errors';

export const DEFAULT_CONTEXT = 'default';

/** A way to a cluster's API. */
export interface ClusterContext {
  readonly format: 1;
  /** `tcp://HOST:PORT`, or `unix://PATH`. */
  readonly host: string;
  readonly description: string;
  /** PEM: the roots that the server's certificate must be of. */
  readonly ca: string;
  /** '' = a certificate is used. */
  readonly token: string;
  /** PEM; '' = a token is used. */
  readonly cert: string;
  readonly key: string;
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const OTHERS = 0o077;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]{0,63}$/;

export class ContextStore {
  readonly #folder: string;

  constructor(environment: NodeJS.ProcessEnv) {
    const base = environment.XDG_CONFIG_HOME || join(environment.HOME || homedir(), '.config');
    this.#folder = join(base, 'tswarm');
  }

  /** Names, sorted, without the default. */
  names(): readonly string[] {
    try {
      const files = readdirSync(this.#contexts());
      return files.flatMap((file) => /^(.+)\.json$/.exec(file)?.[1] ?? []).sort();
    } catch {
      return [];
    }
  }

  /** The one that is used when nothing else is said. */
  current(): string {
    try {
      return readFileSync(this.#currentFile(), 'utf8').trim() || DEFAULT_CONTEXT;
    } catch {
      return DEFAULT_CONTEXT;
    }
  }

  /** @throws TswarmError not_found */
  use(name: string): void {
    if (name !== DEFAULT_CONTEXT) this.get(name);
    this.#write(this.#currentFile(), `${name}\n`);
  }

  /** @throws TswarmError not_found, permission_denied, data_loss */
  get(name: string): ClusterContext {
    const file = this.#file(name);
    let text: string;
    try {
      if ((statSync(file).mode & OTHERS) !== 0) {
        throw new TswarmError(
          'permission_denied',
          `others may read ${file}, which holds a secret`,
          {
            hint: `Run chmod 600 ${file}, and take the credential in it back if somebody may have seen it.`,
          },
        );
      }
      text = readFileSync(file, 'utf8');
    } catch (error) {
      if (error instanceof TswarmError) throw error;
      throw new TswarmError('not_found', `context "${name}" does not exist`, {
        hint: 'tswarm context ls shows those that do; tswarm login makes one.',
      });
    }
    try {
      const read = JSON.parse(text) as ClusterContext;
      if (read.format !== 1) throw new Error(`format ${String(read.format)} is not known`);
      return read;
    } catch (error) {
      throw new TswarmError('data_loss', `context "${name}": ${file}: ${messageOf(error)}`, {
        hint: 'Remove it and sign in again: tswarm login.',
      });
    }
  }

  has(name: string): boolean {
    return name === DEFAULT_CONTEXT || this.names().includes(name);
  }

  /** @throws TswarmError invalid_argument for a name that is none */
  save(name: string, context: ClusterContext): void {
    this.#write(this.#file(name), `${JSON.stringify(context, null, 2)}\n`);
  }

  /** @throws TswarmError not_found, failed_precondition for the one in use without `force` */
  remove(name: string, force: boolean): void {
    if (name === DEFAULT_CONTEXT) {
      throw new TswarmError('failed_precondition', 'context "default" cannot be removed');
    }
    if (!this.has(name)) throw new TswarmError('not_found', `context "${name}" does not exist`);
    if (this.current() === name) {
      if (!force) {
        throw new TswarmError(
          'failed_precondition',
          `context "${name}" is in use, set -f flag to force remove`,
        );
      }
      this.use(DEFAULT_CONTEXT);
    }
    rmSync(this.#file(name));
  }

  #contexts(): string {
    return join(this.#folder, 'contexts');
  }

  #currentFile(): string {
    return join(this.#folder, 'current-context');
  }

  #file(name: string): string {
    if (!NAME.test(name) || name === DEFAULT_CONTEXT) {
      throw new TswarmError('invalid_argument', `context "${name}": not a name for a context`, {
        hint: 'Names have letters, digits, dots, dashes and underscores; "default" is this host.',
      });
    }
    return join(this.#contexts(), `${name}.json`);
  }

  /** Whole or not at all, and never readable to others. */
  #write(file: string, text: string): void {
    mkdirSync(this.#contexts(), { recursive: true, mode: FOLDER_MODE });
    const made = `${file}.${process.pid}`;
    writeFileSync(made, text, { mode: FILE_MODE, flush: true });
    chmodSync(made, FILE_MODE);
    renameSync(made, file);
  }
}
