// A git repository as a build context: fetched with the user's own git, so that its credentials and settings count, into a folder that lives as long as the build. Only the commit that is
// asked for comes, without history where the server can do that, with its submodules. What is in the repository is not trusted: a folder of it must not lead outside.
import { execFile } from 'node:child_process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GitContext, gitContext } from '#compose-spec/deploy/git-context';
import { TswarmError } from '#protocol/errors';

/** A folder with the files, and how to be rid of it. */
export interface Checkout {
  readonly folder: string;
  remove(): Promise<void>;
}

/** The repositories of one build. */
export class Checkouts {
  readonly #all: Checkout[] = [];

  /** The folder of a repository's files, for a context that is one; any other context as it is. `fetching` is told before it is fetched. */
  async local(
    context: string,
    options: { readonly signal?: AbortSignal; fetching?(url: string): void } = {},
  ): Promise<string> {
    const repository = gitContext(context);
    if (!repository) return context;
    options.fetching?.(shownUrl(repository.url));
    const checkout = await checkOut(repository, options.signal);
    this.#all.push(checkout);
    return checkout.folder;
  }

  /** With the end of the build. */
  async remove(): Promise<void> {
    for (const checkout of this.#all.splice(0)) await checkout.remove();
  }
}

/** @throws TswarmError with git's own words */
export async function checkOut(context: GitContext, signal?: AbortSignal): Promise<Checkout> {
  const root = await mkdtemp(join(tmpdir(), 'tcompose-git-'));
  const remove = (): Promise<void> => rm(root, { recursive: true, force: true });
  const git = (...args: string[]): Promise<void> => runGit(root, args, context.url, signal);
  try {
    await git('init', '--quiet');
    const wanted = context.ref === '' ? 'HEAD' : context.ref;
    const fetch = (...how: string[]): Promise<void> =>
      git('fetch', '--quiet', ...how, '--', context.url, wanted);
    // Servers that only hand out files know no depth.
    await fetch('--depth', '1').catch(() => fetch());
    await git('checkout', '--quiet', '--detach', 'FETCH_HEAD');
    await git('submodule', '--quiet', 'update', '--init', '--recursive', '--depth', '1');
    const folder = await folderIn(root, context);
    await rm(join(root, '.git'), { recursive: true, force: true });
    return { folder, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Without a password. */
export function shownUrl(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}

async function folderIn(root: string, { url, folder }: GitContext): Promise<string> {
  const top = await realpath(root);
  const path = await realpath(join(root, folder)).catch(() => undefined);
  if (path !== undefined && (path === top || path.startsWith(`${top}/`))) return path;
  throw new TswarmError('not_found', `${shownUrl(url)} has no folder ${folder}`);
}

/** Longest part of git's output that is shown. */
const SHOWN_CHARACTERS = 2_000;

function runGit(
  cwd: string,
  args: readonly string[],
  url: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Nobody is asked for a password in the middle of a build.
  const env = { ...process.env, GIT_TERMINAL_PROMPT: '0' };
  return new Promise((resolve, reject) => {
    const options = { cwd, env, ...(signal ? { signal } : {}) };
    execFile('git', args, options, (error, _stdout, stderr) => {
      if (!error) {
        resolve();
        return;
      }
      if (signal?.aborted) {
        reject(new TswarmError('cancelled', 'interrupted'));
        return;
      }
      const isMissing = error.code === 'ENOENT';
      const reason = isMissing ? 'git is not installed' : stderr.trim().slice(0, SHOWN_CHARACTERS);
      const why = reason || error.message;
      const message = `build context ${shownUrl(url)} cannot be fetched: ${why}`;
      reject(new TswarmError('failed_precondition', message));
    });
  });
}
