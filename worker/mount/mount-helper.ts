// The worker's hand for mount(2): one long-lived `tswarm-mount` process, spoken to in JSON lines
// (native/PROTOCOL.md). Owns that process: started with the first request, started again when it
// has died (its mounts stay), ended by `stop`. Refuses to decide anything or to keep a list of
// mounts: the kernel's is the truth. Requests run one after another, in call order.
import { TswarmError } from '#protocol/errors';
import { type HelperError, JsonLineProcess } from '../json-line-process.ts';

/**
 * A mount takes well under a millisecond; only an unmount that must write back to a slow disk comes
 * near this.
 */
const REQUEST_TIMEOUT_MS = 120_000;

export interface OverlayMount {
  /** Absolute, topmost layer first. */
  readonly lower: readonly string[];
  /** Absent: the mount is read-only. */
  readonly upper?: string;
  /** Empty folder on the file system of `upper`; needed with it. */
  readonly work?: string;
  readonly target: string;
  /** No sync of the upper layer, ever: for what is thrown away after a crash. */
  readonly volatile?: boolean;
}

export interface BindMount {
  readonly source: string;
  readonly target: string;
  readonly readonly?: boolean;
  /** Also what is mounted below the source. */
  readonly recursive?: boolean;
}

export interface TmpfsMount {
  readonly target: string;
  readonly sizeBytes?: number;
  /** e.g. 0o700. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly noexec?: boolean;
}

const ENOSPC = 28;

export class MountHelper {
  readonly #process: JsonLineProcess;

  /**
   * `nativeDir`: folder of the native programs. `oldCalls`: mount(2) even where newer calls exist
   * (tests).
   */
  constructor(options: { readonly nativeDir: string; readonly oldCalls?: boolean }) {
    this.#process = new JsonLineProcess({
      program: `${options.nativeDir}/tswarm-mount`,
      args: options.oldCalls === true ? ['serve', '--old-calls'] : ['serve'],
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
  }

  /** @throws TswarmError `internal`, `no_space`, `unavailable` (the helper died: ask again) */
  async overlay(mount: OverlayMount): Promise<void> {
    await this.#demand({ op: 'overlay', ...mount });
  }

  async bind(mount: BindMount): Promise<void> {
    await this.#demand({ op: 'bind', ...mount });
  }

  async tmpfs(mount: TmpfsMount): Promise<void> {
    const { sizeBytes, ...rest } = mount;
    await this.#demand({ op: 'tmpfs', ...rest, size: sizeBytes });
  }

  /** False when nothing was mounted there. `lazy` detaches at once, also while files are open. */
  async unmount(target: string, options: { readonly lazy?: boolean } = {}): Promise<boolean> {
    const answer = await this.#process.ask({ op: 'umount', target, lazy: options.lazy === true });
    if (answer.ok) return true;
    if (answer.error?.code === 'not_mounted') return false;
    throw errorOf(answer.error);
  }

  /** Ends the process after the requests under way. Mounts stay. */
  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async #demand(request: Readonly<Record<string, unknown>>): Promise<void> {
    const answer = await this.#process.ask(request);
    if (!answer.ok) throw errorOf(answer.error);
  }
}

function errorOf(error: HelperError | undefined): TswarmError {
  const message = error?.message ?? 'tswarm-mount failed without a reason';
  return new TswarmError(error?.errno === ENOSPC ? 'no_space' : 'internal', message);
}
