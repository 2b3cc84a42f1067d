// What every verb of tcompose gets: the global flags, the client, and the loaded project. Loading reads files through Node here, so that the
// loader itself stays pure; its errors are printed all at once, each with its place.
import { readFileSync, realpathSync, statSync } from 'node:fs';
import type { ComposeError, ComposeWarning } from '#compose-spec/load/errors';
import type { ComposeFiles } from '#compose-spec/load/files';
import { type LoadInput, type LoadResult, loadProject } from '#compose-spec/load/load-project';
import { assert, TswarmError } from '#protocol/errors';
import type { ApiClient } from '../client/http.ts';
import { EXIT, ExitError } from '../output/fail.ts';
import type { ProgressMode } from '../output/progress.ts';
import { styleFor } from '../output/style.ts';

export interface GlobalOptions {
  readonly file?: readonly string[];
  readonly projectName?: string;
  readonly profile?: readonly string[];
  readonly envFile?: readonly string[];
  readonly projectDirectory?: string;
  readonly host?: string;
  readonly context?: string;
  readonly progress?: ProgressMode;
  readonly dryRun?: boolean;
  /** False: `--no-ansi`. */
  readonly ansi?: 'never' | 'always' | 'auto' | false;
  /** As written; see {@link ComposeContext.parallel}. */
  readonly parallel?: string;
  readonly compatibility?: boolean;
  readonly allResources?: boolean;
}

export type LoadedProject = Extract<LoadResult, { ok: true }>;

export class ComposeContext {
  readonly options: GlobalOptions;
  readonly #client: ApiClient | undefined;

  /** Without a client for verbs that only read files: HTTP need not be loaded for them. */
  constructor(options: GlobalOptions, client?: ApiClient) {
    this.options = options;
    this.#client = client;
  }

  /** The same connection with other files. */
  with(options: Partial<GlobalOptions>): ComposeContext {
    return new ComposeContext({ ...this.options, ...options }, this.#client);
  }

  get client(): ApiClient {
    assert(this.#client !== undefined, 'this verb was started without a client');
    return this.#client;
  }

  get progress(): ProgressMode {
    if (this.options.progress && this.options.progress !== 'auto') return this.options.progress;
    return this.options.ansi === 'never' || this.options.ansi === false ? 'plain' : 'auto';
  }

  /** Most images that are worked on at a time. @throws TswarmError invalid_argument */
  get parallel(): number {
    const text = this.options.parallel ?? process.env.COMPOSE_PARALLEL_LIMIT ?? '-1';
    if (text === '-1') return Number.POSITIVE_INFINITY;
    if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
    throw new TswarmError('invalid_argument', `--parallel ${text}: must be a number from 1, or -1`);
  }

  /** The project. Errors are printed and end the command. */
  load(services: readonly string[] = [], extra: Partial<LoadInput> = {}): LoadedProject {
    const { file, projectName, profile, envFile, projectDirectory, compatibility } = this.options;
    const usesStdin = file?.includes('-') ?? false;
    const result = loadProject(
      {
        cwd: process.cwd(),
        environment: definedEnvironment(),
        services,
        ...(file ? { configFiles: file } : {}),
        ...(usesStdin ? { stdin: readFileSync(0, 'utf8') } : {}),
        ...(projectName === undefined ? {} : { projectName }),
        ...(profile ? { profiles: profile } : {}),
        ...(envFile ? { envFiles: envFile } : {}),
        ...(projectDirectory === undefined ? {} : { projectDirectory }),
        ...(compatibility === undefined ? {} : { compatibility }),
        ...extra,
      },
      nodeFiles,
    );
    printWarnings(result.warnings);
    if (result.ok) return result;
    printErrors(result.errors);
    throw new ExitError(EXIT.failed);
  }
}

/** @throws TswarmError not_found for a name that the file does not have. */
export function requireServices(
  { services }: { readonly services: object },
  keys: readonly string[],
): void {
  for (const key of keys) {
    if (!(key in services)) throw new TswarmError('not_found', `no such service: ${key}`);
  }
}

function definedEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Files as the loader asks for them. A missing one is `undefined`; one that may not be read is the loader's to report. */
export const nodeFiles: ComposeFiles = {
  read: (path) =>
    unlessMissing(() => (statSync(path).isDirectory() ? undefined : readFileSync(path, 'utf8'))),
  isDirectory: (path) => unlessMissing(() => statSync(path).isDirectory()) ?? false,
  isFile: (path) => unlessMissing(() => !statSync(path).isDirectory()) ?? false,
  realpath: (path) => unlessMissing(() => realpathSync(path)),
};

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function printWarnings(warnings: readonly ComposeWarning[]): void {
  const style = styleFor(process.stderr, process.env);
  for (const { message } of warnings)
    process.stderr.write(`${style.yellow('Warning:')} ${message}\n`);
}

/** Each error with file, line, the line itself, and what to do. */
export function printErrors(errors: readonly ComposeError[]): void {
  const style = styleFor(process.stderr, process.env);
  for (const error of errors) {
    process.stderr.write(`${style.red('Error:')} ${error.message}\n`);
    if (error.file !== undefined) {
      const place =
        error.line === undefined ? error.file : `${error.file}:${error.line}:${error.column ?? 1}`;
      process.stderr.write(`  ${style.cyan(place)}\n`);
    }
    if (error.sourceLine !== undefined && error.line !== undefined) {
      const number = String(error.line);
      const column = Math.max(1, error.column ?? 1);
      const shown = sourceExcerpt(error.sourceLine, column);
      process.stderr.write(`  ${style.dim(`${number} |`)} ${shown.text}\n`);
      const pad = ' '.repeat(shown.column - 1);
      process.stderr.write(
        `  ${style.dim(`${' '.repeat(number.length)} |`)} ${pad}${style.red('^')}\n`,
      );
    }
    if (error.hint !== undefined) process.stderr.write(`  ${style.dim('hint:')} ${error.hint}\n`);
  }
}

/** Longest piece of a source line that is shown. */
const EXCERPT_CHARACTERS = 160;

/** The line around a column (from 1) as a terminal may print it, and where the column is in it. */
export function sourceExcerpt(
  line: string,
  column: number,
): { readonly text: string; readonly column: number } {
  const printable = line.replaceAll('\t', ' ').replace(/\p{Cc}/gu, '\ufffd');
  if (printable.length <= EXCERPT_CHARACTERS) return { text: printable, column };
  const from = Math.max(0, Math.min(column - 1 - EXCERPT_CHARACTERS / 2, printable.length));
  return { text: printable.slice(from, from + EXCERPT_CHARACTERS), column: column - from };
}
