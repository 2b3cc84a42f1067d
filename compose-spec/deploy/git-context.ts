// Build contexts that are git repositories, in the forms that docker build knows: `https://HOST/PATH.git`, `git://`, `ssh://`, `git@HOST:PATH`, `github.com/PATH`, each with `#REF` or
// `#REF:FOLDER` behind it. What a reference means is said here; who builds fetches it.

/** Where the files of a context come from. */
export interface GitContext {
  readonly url: string;
  /** Branch, tag or commit; '' = the repository's own. */
  readonly ref: string;
  /** Folder of the repository; '' = all of it. */
  readonly folder: string;
}

/** The repository that a context names; `undefined` when it names none. */
export function gitContext(reference: string): GitContext | undefined {
  const [, address = '', ref = '', folder = ''] =
    /^([^#]*)(?:#([^:]*)(?::(.*))?)?$/s.exec(reference) ?? [];
  const isGit =
    /^(git|ssh):\/\/|^git@/.test(address) ||
    address.startsWith('github.com/') ||
    /^(https?|file):\/\/.*\.git\/?$/.test(address);
  if (!isGit) return undefined;
  const url = address.startsWith('github.com/') ? `https://${address}` : address;
  return { url, ref, folder };
}
