// Files in memory for tests of the loader: path → text. Folders are what the paths imply.

import type { ComposeFiles } from '#compose-spec/load/files';
import { type LoadInput, type LoadResult, loadProject } from '#compose-spec/load/load-project';
import type { Project } from '#compose-spec/load/project';

/** The files given, by absolute path. */
export function memoryFiles(texts: Readonly<Record<string, string>>): ComposeFiles {
  const isDirectory = (path: string): boolean =>
    Object.keys(texts).some((name) => name.startsWith(`${path.replace(/\/$/, '')}/`));
  return {
    read: (path) => texts[path],
    isFile: (path) => texts[path] !== undefined,
    isDirectory,
    realpath: (path) => (texts[path] !== undefined || isDirectory(path) ? path : undefined),
  };
}

/** Loads `/p/compose.yaml` with this text, or the files given, from folder `/p`. */
export function load(
  source: string | Readonly<Record<string, string>>,
  input: Partial<LoadInput> = {},
): LoadResult {
  const texts = typeof source === 'string' ? { '/p/compose.yaml': source } : source;
  return loadProject({ cwd: '/p', environment: { HOME: '/root' }, ...input }, memoryFiles(texts));
}

/** As {@link load}, for files that are right. */
export function project(
  source: string | Readonly<Record<string, string>>,
  input: Partial<LoadInput> = {},
): Project {
  const result = load(source, input);
  if (!result.ok) throw new Error(result.errors.map((error) => error.message).join('\n'));
  return result.project;
}

/** The messages of all errors. */
export function errorsOf(
  source: string | Readonly<Record<string, string>>,
  input: Partial<LoadInput> = {},
): string[] {
  const result = load(source, input);
  return result.ok ? [] : result.errors.map((error) => error.message);
}
