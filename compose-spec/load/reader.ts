// Reads and parses each file once, however often the project names it, and reports what cannot be
// read in the words that people know from the system.

import type { Diagnostics } from './errors.ts';
import type { ComposeFiles } from './files.ts';
import { FILE_LENGTH_MAX } from './limits.ts';
import { type Position, SourceFile } from './source.ts';
import { type ParsedDocument, parseYaml } from './yaml-source.ts';

/** Where a file was asked for, to point at when it is missing. */
export interface Asker {
  readonly at?: Position | undefined;
  readonly path?: string | undefined;
  readonly hint?: string | undefined;
}

export class Reader {
  readonly files: ComposeFiles;
  readonly #diagnostics: Diagnostics;
  readonly #stdin: string | undefined;
  readonly #sources = new Map<string, SourceFile>();
  readonly #documents = new Map<string, readonly ParsedDocument[] | undefined>();

  constructor(files: ComposeFiles, stdin: string | undefined, diagnostics: Diagnostics) {
    this.files = files;
    this.#stdin = stdin;
    this.#diagnostics = diagnostics;
  }

  /** The YAML documents of a file; `undefined` when that failed, which is reported once. */
  parse(path: string, asker: Asker = {}): readonly ParsedDocument[] | undefined {
    if (this.#documents.has(path)) return this.#documents.get(path);
    const source = this.source(path, `open ${path}: no such file or directory`, asker);
    const documents = source === undefined ? undefined : parseYaml(source, this.#diagnostics);
    this.#documents.set(path, documents);
    return documents;
  }

  /** The text of a file; when it is missing, `missing` is reported. */
  source(path: string, missing: string, asker: Asker = {}): SourceFile | undefined {
    const known = this.#sources.get(path);
    if (known !== undefined) return known;
    const text = this.#read(path, missing, asker);
    if (text === undefined) return undefined;
    const source = new SourceFile(path, text.replace(/^\uFEFF/, ''));
    this.#sources.set(path, source);
    return source;
  }

  #read(path: string, missing: string, asker: Asker): string | undefined {
    const fail = (message: string): undefined => {
      const file = asker.at === undefined ? path : undefined;
      this.#diagnostics.error('file', message, { ...asker, file });
      return undefined;
    };
    if (path === '-') return this.#stdin ?? fail('nothing to read on standard input');
    let text: string | undefined;
    try {
      text = path === '/dev/null' ? '' : this.files.read(path);
      if (text === undefined && this.files.isDirectory(path)) {
        return fail(`read ${path}: is a directory`);
      }
    } catch (error) {
      return fail(`open ${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (text === undefined) return fail(missing);
    if (text.length > FILE_LENGTH_MAX) {
      return fail(
        `${path} has more than ${FILE_LENGTH_MAX} characters: too large for this kind of file`,
      );
    }
    return text;
  }
}
