// What the loader says when a file is wrong. Errors are data (the CLI prints them, the API sends
// them); a load collects every one it can find instead of stopping at the first. Each carries the
// place it was found at: file, line, column, key path, the line itself, and where possible what to
// do. The sentence in `message` contains what compose-go says about the same mistake.

import type { Position, SourceFile } from './source.ts';

/** Machine-readable kind of a {@link ComposeError}. */
export type ComposeErrorCode =
  | 'file' // a file is missing or unreadable
  | 'yaml' // not YAML, or YAML that compose refuses (cycles, duplicate keys, aliasing)
  | 'interpolation' // ${…} is malformed, or a required variable is missing
  | 'schema' // unknown key, wrong type, value out of range
  | 'merge' // two files cannot be combined
  | 'value' // a port, size, duration, volume … that does not parse
  | 'reference' // a name that nothing defines
  | 'conflict' // two settings that exclude each other
  | 'cycle' // services, includes or extends that need each other
  | 'unsupported' // understood, but not done by this version
  | 'name'; // project or service name

/** One mistake in a compose project. */
export interface ComposeError {
  readonly code: ComposeErrorCode;
  /** One sentence; may have several lines when the source of the sentence has. */
  readonly message: string;
  /** Absolute path of the file, or `-` for standard input. */
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  /** 1-based, counted in UTF-16 units. */
  readonly column?: number;
  /** Dotted key path, `services.web.ports.0`. */
  readonly path?: string;
  /** The text of line `line`. */
  readonly sourceLine?: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** Something that loads, but that the author should know about. */
export interface ComposeWarning {
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;
}

/** Where and how to report; everything is optional but the message. */
export interface ErrorDetails {
  readonly at?: Position | undefined;
  readonly path?: string | undefined;
  readonly hint?: string | undefined;
  /** File to name when there is no position in it. */
  readonly file?: SourceFile | string | undefined;
}

/** Collects the errors and warnings of one load; the same text at the same place counts once. */
export class Diagnostics {
  readonly errors: ComposeError[] = [];
  readonly warnings: ComposeWarning[] = [];
  readonly #seen = new Set<string>();

  error(code: ComposeErrorCode, message: string, details: ErrorDetails = {}): void {
    const where = locate(details);
    const key = `${message}\n${where.file ?? ''}:${where.line ?? 0}:${where.column ?? 0}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.errors.push({
      code,
      message,
      ...where,
      ...(details.path === undefined || details.path === '' ? {} : { path: details.path }),
      ...(details.hint === undefined ? {} : { hint: details.hint }),
    });
  }

  /** Adds an error that was made elsewhere, unless it is known. */
  add(error: ComposeError): void {
    const key = `${error.message}\n${error.file ?? ''}:${error.line ?? 0}:${error.column ?? 0}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.errors.push(error);
  }

  /** Warnings are said once per text, as compose-go does. */
  warn(message: string, details: ErrorDetails = {}): void {
    if (this.#seen.has(`w ${message}`)) return;
    this.#seen.add(`w ${message}`);
    const { sourceLine: _, ...where } = locate(details);
    this.warnings.push({
      message,
      ...where,
      ...(details.path === undefined ? {} : { path: details.path }),
    });
  }

  /** Whether an error was reported at `path` or anywhere below it. */
  hasErrorUnder(path: string): boolean {
    return this.errors.some((e) => e.path === path || e.path?.startsWith(`${path}.`) === true);
  }
}

function locate(details: ErrorDetails): Partial<ComposeError> {
  if (details.at !== undefined) {
    const { line, column, text } = details.at.file.lineAt(details.at.offset);
    return { file: details.at.file.path, line, column, sourceLine: text };
  }
  if (details.file === undefined) return {};
  return { file: typeof details.file === 'string' ? details.file : details.file.path };
}
