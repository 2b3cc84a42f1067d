// The images that a task needs before its container is made: its own, those whose files it mounts, those of its pre_start hooks. An image that was made in the cluster is taken from
// a node (no registry has it), any other from its registry, with the credential that came with the task.
import type { RegistryAuth } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { Task } from '#protocol/generated/objects';
import { MountType } from '#protocol/generated/specs';
import { registryAuthId } from '#protocol/ids';
import { refreshAfterMs } from '#protocol/pull-policy';
import type { AssignedStore } from './assigned-store.ts';
import type { ImageExchange } from './image-share/image-exchange.ts';
import type { ImageRecord, ImageStore, PullPolicy } from './images/types.ts';

export class TaskImages {
  readonly #images: ImageStore;
  readonly #exchange: Pick<ImageExchange, 'ensure'>;
  readonly #store: Pick<AssignedStore, 'data'>;

  constructor(deps: {
    readonly images: ImageStore;
    readonly exchange: Pick<ImageExchange, 'ensure'>;
    readonly store: Pick<AssignedStore, 'data'>;
  }) {
    this.#images = deps.images;
    this.#exchange = deps.exchange;
    this.#store = deps.store;
  }

  /** Gets all of them. @returns its own */
  async ensure(task: Task, signal: AbortSignal): Promise<ImageRecord> {
    const own = await this.#own(task, signal);
    await this.#mounted(task, signal);
    for (const { image } of task.spec?.containerSpec?.preStart ?? []) {
      if (image !== '') await this.#other(task, image, signal);
    }
    return own;
  }

  /** One that is here, by id or reference. @throws not_found */
  find(idOrRef: string): ImageRecord {
    const image = this.#images.resolve(idOrRef);
    if (image) return image;
    throw new TswarmError('not_found', `No such image: ${idOrRef}`);
  }

  async #own(task: Task, signal: AbortSignal): Promise<ImageRecord> {
    const { image: ref = '', imageId = '', pullPolicy = '' } = task.spec?.containerSpec ?? {};
    if (imageId !== '') return this.#exchange.ensure(imageId, ref, signal);
    const age = refreshAfterMs(pullPolicy);
    const here =
      pullPolicyOf(pullPolicy) === 'always' || age !== undefined
        ? undefined
        : this.#images.resolve(ref);
    if (here) return here;
    return this.#images.ensure(ref, {
      ...this.#options(task, signal),
      ...(age === undefined ? {} : { refreshAfterMs: age }),
    });
  }

  /** Images whose files are mounted; they come as its own does. */
  async #mounted(task: Task, signal: AbortSignal): Promise<void> {
    const { mounts = [] } = task.spec?.containerSpec ?? {};
    for (const { source, imageOptions } of mounts.filter((it) => it.type === MountType.IMAGE)) {
      const { imageId: id = '' } = imageOptions ?? {};
      await (id ? this.#exchange.ensure(id, source, signal) : this.#other(task, source, signal));
    }
  }

  #other(task: Task, ref: string, signal: AbortSignal): Promise<ImageRecord> {
    return this.#images.ensure(ref, this.#options(task, signal));
  }

  #options(
    task: Task,
    signal: AbortSignal,
  ): { readonly policy: PullPolicy; readonly signal: AbortSignal; readonly auth?: RegistryAuth } {
    const auth = this.#registryAuth(task);
    const policy = pullPolicyOf(task.spec?.containerSpec?.pullPolicy ?? '');
    return { policy, signal, ...(auth ? { auth } : {}) };
  }

  /** What the service was given for its registry; it came with the task, as secrets do. */
  #registryAuth(task: Task): RegistryAuth | undefined {
    const data = this.#store.data(registryAuthId(task.serviceId));
    return data && (JSON.parse(new TextDecoder().decode(data)) as RegistryAuth);
  }
}

function pullPolicyOf(text: string): PullPolicy {
  return text === 'always' || text === 'never' ? text : 'missing';
}
