// Entry of the loader: from command-line input to a project, or to every error in it. This file owns
// the order of the steps (compose.md §2.6); the steps themselves live beside it.
// It reads nothing but what `ComposeFiles` gives and the environment it is handed.

import type { ComposeError, ComposeWarning } from './errors.ts';
import type { ComposeFiles } from './files.ts';
import type { Project } from './project.ts';

/** What the caller knows before any file is read. Paths may be relative to `cwd`. */
export interface LoadInput {
  /** Absolute working directory of the caller. */
  readonly cwd: string;
  /** `-f` in order; `-` is standard input. Empty or absent: COMPOSE_FILE, then discovery. */
  readonly configFiles?: readonly string[];
  /** Text of standard input, needed when a config file is `-`. */
  readonly stdin?: string;
  /** `-p`. */
  readonly projectName?: string;
  /** `--project-directory`. */
  readonly projectDirectory?: string;
  /** `--profile`; empty: COMPOSE_PROFILES. */
  readonly profiles?: readonly string[];
  /** `--env-file`; empty: COMPOSE_ENV_FILES, then `.env`. */
  readonly envFiles?: readonly string[];
  /** Services named on the command line; their profiles become active. */
  readonly services?: readonly string[];
  /** Process environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** `config --no-interpolate`: leave `${…}` as it is written. */
  readonly skipInterpolation?: boolean;
}

/** A place in a file, for errors found after loading. */
export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly sourceLine: string;
}

/** The project, or all errors; warnings either way. */
export type LoadResult =
  | {
      readonly ok: true;
      readonly project: Project;
      readonly warnings: readonly ComposeWarning[];
      /** Where the deepest existing part of a key path (`services.web.gpus`) was written. */
      readonly locate: (path: string) => Location | undefined;
    }
  | {
      readonly ok: false;
      readonly errors: readonly ComposeError[];
      readonly warnings: readonly ComposeWarning[];
    };

/** Loads a compose project; never throws for what the files contain. */
export function loadProject(input: LoadInput, files: ComposeFiles): LoadResult {
  void files;
  return {
    ok: false,
    errors: [
      { code: 'file', message: `no configuration file provided in ${input.cwd}: not found` },
    ],
    warnings: [],
  };
}
