// What one case of the comparison of builders is: a context, a Dockerfile, the flags of the build, and where peers are known to give something else, why.
// Cases whose features no peer of this machine has say themselves what must come of them (`expect`), by Docker's reference.

/** dockerd 20.10's BuildKit and classic builders, and buildah 1.28. */
export type PeerName = 'buildkit' | 'classic' | 'buildah';

export const PEERS: readonly PeerName[] = ['buildkit', 'classic', 'buildah'];

export interface BuildCase {
  readonly name: string;
  readonly dockerfile: string;
  /** Of the context, beside the Dockerfile; a name that ends with `/` is a folder. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly modes?: Readonly<Record<string, number>>;
  /** Symbolic links of the context. */
  readonly links?: Readonly<Record<string, string>>;
  /** Hard links of the context: name → file that is there. */
  readonly hardLinks?: Readonly<Record<string, string>>;
  /** Flags as `docker build` knows them. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A Dockerfile that is built first, as `before:1`. */
  readonly before?: string;
  readonly expect?: Expectation;
  /** A peer that gives something else, or cannot do it, and why ours stays as it is. */
  readonly differs?: Readonly<Partial<Record<PeerName, string>>>;
}

export interface Expectation {
  /** Paths as in a result's tree; undefined = must not be there. Others are not looked at. */
  readonly tree?: Readonly<Record<string, string | undefined>>;
  /** Fields of the image's configuration. Others are not looked at. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The build fails, and its message matches. */
  readonly fails?: RegExp;
}

/** Lines of a Dockerfile. */
export function lines(...text: readonly string[]): string {
  return `${text.join('\n')}\n`;
}
