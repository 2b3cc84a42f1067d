// Collects what cannot be deployed and what the author should know, each with the key path and,
// where the caller can tell, the line of the file.

import type { ComposeError, ComposeErrorCode } from '../load/errors.ts';
import type { Location } from '../load/load-project.ts';

/** Something that is done, but not exactly as another tool would. */
export interface Notice {
  readonly path: string;
  readonly message: string;
}

/** Errors and notices of one plan. */
export class Problems {
  readonly errors: ComposeError[] = [];
  readonly notices: Notice[] = [];
  readonly #locate: (path: string) => Location | undefined;

  constructor(locate: (path: string) => Location | undefined) {
    this.#locate = locate;
  }

  /** Refuses: `path: message`. */
  error(path: string, message: string, hint?: string, code: ComposeErrorCode = 'value'): void {
    const where = this.#locate(path);
    this.errors.push({
      code,
      message: `${path}: ${message}`,
      path,
      ...(where ?? {}),
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** Refuses a key that this version does not do. */
  unsupported(path: string, reason: string): void {
    const message = `not supported by this version of tswarm${reason === '' ? '' : ` (${reason})`}`;
    const key = path.split('.').at(-1) ?? path;
    this.error(path, message, `remove \`${key}\``, 'unsupported');
  }

  notice(path: string, message: string): void {
    this.notices.push({ path, message });
  }
}
