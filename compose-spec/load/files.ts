// The window through which compose files come in. The loader is pure: whoever calls it (the CLI, a
// test, the conformance script) hands over an object of this shape. All paths are absolute POSIX
// paths. A method never throws for a path that is absent; it may throw for one that cannot be read
// (permission, I/O error), and the loader turns that into an error of the file that asked for it.

/** Read access to the files that a compose project may name. */
export interface ComposeFiles {
  /** Text of the file decoded as UTF-8; `undefined` when nothing is there or it is a directory. */
  read(path: string): string | undefined;
  /** Whether a directory (after symbolic links) is at `path`. */
  isDirectory(path: string): boolean;
  /** Whether anything but a directory (after symbolic links) is at `path`. */
  isFile(path: string): boolean;
  /** `path` with all symbolic links resolved; `undefined` when it does not exist. */
  realpath(path: string): string | undefined;
}
