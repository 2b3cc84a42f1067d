// Containers of `docker run` on networks of the cluster. A manager makes a task for each such attachment and assigns it to this node; here is what asks
// for it, waits for it, and says what has become of it: RUNNING while the interface is there, COMPLETE afterwards, upon which the manager forgets it.
// Level-triggered: after each assignment the tasks are compared with what containers have, so that nothing stays after a crash of either side. A place
// that the managers do not know (an older backup was restored) is asked for again with its addresses.
import { isAttachment } from '#protocol/attachments';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import type { AssignmentsMessage, AttachNetworkRequest } from '#protocol/generated/dispatcher';
import { AssignmentAction, AssignmentsType } from '#protocol/generated/dispatcher';
import { ContainerStatus, type Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import { NetworkAttachmentConfig, NetworkAttachmentSpec } from '#protocol/generated/specs';
import type { Clock, Log } from '#protocol/world';
import { PLACE_WAIT_MS } from './limits.ts';
import type {
  AttachmentRequest,
  ClusterPlaces,
  NetworkManager,
  PlaceSeeker,
} from './network/types.ts';

type Manager = Pick<NetworkManager, 'places' | 'renamePlace'>;

/** The way to the managers. */
export interface PlacesSession {
  attachNetwork(request: Omit<AttachNetworkRequest, 'sessionId'>): Promise<Task>;
  report(taskId: string, status: TaskStatus): void;
}

export interface NodePlacesDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Whether this node is, or is about to be, in a cluster. */
  isMember(): Promise<boolean>;
  network(): Manager | undefined;
  session(): PlacesSession | undefined;
}

export class NodePlaces implements ClusterPlaces {
  readonly #deps: NodePlacesDeps;
  /** Attachments as they are assigned to this node. */
  readonly #assigned: Map<string, Task> = new Map();
  /** The managers have said in this session what they know. */
  #isComplete = false;
  /** Containers that are about to get a place: what is assigned for them is no left-over. */
  readonly #seeking: Map<string, number> = new Map();
  /** Tasks whose interface is being made. */
  readonly #placing: Set<string> = new Set();
  /** What was said in this session of a task, so that it is not said again for every change. */
  readonly #said: Map<string, TaskState> = new Map();
  readonly #renewing: Set<string> = new Set();
  readonly #waiting: Set<() => void> = new Set();

  constructor(deps: NodePlacesDeps) {
    this.#deps = deps;
  }

  async acquire(seeker: PlaceSeeker, attachment: AttachmentRequest): Promise<AttachmentRequest> {
    const { networkId } = attachment;
    if (!(await this.#deps.isMember())) {
      throw new TswarmError('not_found', `network ${networkId} not found`);
    }
    const { containerId } = seeker;
    this.#seeking.set(containerId, (this.#seeking.get(containerId) ?? 0) + 1);
    try {
      const untilMs = this.#deps.clock.monotonicMs() + PLACE_WAIT_MS;
      const task = await this.#ask(seeker, attachment, untilMs);
      // The network comes with the task: without it the interface cannot be made.
      await this.#until(
        () => this.#assigned.has(task.id),
        untilMs,
        () => {
          this.release(task.id);
          return unreachable(networkId, 'the place was not assigned');
        },
      );
      this.#placing.add(task.id);
      return placed(attachment, task);
    } finally {
      const left = (this.#seeking.get(containerId) ?? 1) - 1;
      if (left > 0) this.#seeking.set(containerId, left);
      else this.#seeking.delete(containerId);
    }
  }

  attached(attachmentId: string, containerId: string): void {
    this.#report(attachmentId, TaskState.RUNNING, containerId);
  }

  release(attachmentId: string): void {
    this.#report(attachmentId, TaskState.COMPLETE, '');
  }

  /** A session began or ended. */
  connected(connected: boolean): void {
    if (!connected) this.#isComplete = false;
    this.#wake();
  }

  /** The node has left its cluster. */
  forget(): void {
    this.#assigned.clear();
    this.#isComplete = false;
  }

  assigned(message: AssignmentsMessage): void {
    const isWhole = message.type === AssignmentsType.COMPLETE;
    if (isWhole) {
      this.#assigned.clear();
      this.#said.clear();
    }
    let isChanged = isWhole;
    for (const { assignment, action } of message.changes) {
      const task = assignment?.task;
      if (!task) continue;
      if (action === AssignmentAction.REMOVE) {
        isChanged = this.#assigned.delete(task.id) || isChanged;
        this.#said.delete(task.id);
      } else if (isAttachment(task)) {
        this.#assigned.set(task.id, task);
        isChanged = true;
      }
    }
    if (isWhole) this.#isComplete = true;
    if (!isChanged) return;
    this.#wake();
    this.#compare();
  }

  /** Makes the managers' picture that of this node. */
  #compare(): void {
    const places = this.#deps.network()?.places() ?? [];
    const held = new Map(places.map((place) => [place.attachment.attachmentId ?? '', place]));
    for (const task of this.#assigned.values()) {
      const containerId = held.get(task.id)?.containerId;
      if (this.#placing.has(task.id)) continue;
      const known = this.#said.get(task.id) ?? task.status?.state ?? TaskState.NEW;
      if (containerId !== undefined) {
        if (known < TaskState.RUNNING) this.attached(task.id, containerId);
      } else if (!this.#seeking.has(task.spec?.networkAttachmentSpec?.containerId ?? '')) {
        if (known < TaskState.COMPLETE) this.release(task.id);
      }
    }
    for (const [attachmentId, place] of held) {
      if (!this.#assigned.has(attachmentId)) void this.#renew(attachmentId, place);
    }
  }

  async #renew(
    attachmentId: string,
    place: PlaceSeeker & { readonly attachment: AttachmentRequest },
  ): Promise<void> {
    const network = this.#deps.network();
    if (!this.#isComplete || this.#renewing.has(attachmentId) || !network) return;
    if (this.#seeking.has(place.containerId)) return;
    this.#renewing.add(attachmentId);
    try {
      const next = await this.acquire(place, place.attachment);
      const id = next.attachmentId ?? '';
      await network.renamePlace(attachmentId, id);
      const isThere = network.places().some(({ attachment }) => attachment.attachmentId === id);
      if (isThere) this.attached(id, place.containerId);
      else this.release(id);
    } catch (error) {
      const { containerId, attachment } = place;
      this.#deps.log.warn('the managers do not know a container on a network', {
        container: containerId,
        network: attachment.networkId,
        reason: messageOf(error),
      });
    } finally {
      this.#renewing.delete(attachmentId);
    }
  }

  async #ask(seeker: PlaceSeeker, attachment: AttachmentRequest, untilMs: number): Promise<Task> {
    const { addresses, networkId } = attachment;
    const [containerName = '', ...otherNames] = seeker.names;
    const network = NetworkAttachmentConfig.create({
      target: networkId,
      aliases: [...new Set([...attachment.aliases, ...otherNames])],
      ipv4Address: bareOf(addresses.find((address) => !address.includes(':'))),
      ipv6Address: bareOf(addresses.find((address) => address.includes(':'))),
    });
    const { containerId, hostname } = seeker;
    const container = NetworkAttachmentSpec.create({ containerId, containerName, hostname });
    for (;;) {
      await this.#until(
        () => this.#isComplete,
        untilMs,
        () => unreachable(networkId, 'no manager is in reach'),
      );
      const session = this.#deps.session();
      if (!session) throw unreachable(networkId, 'the node is leaving its cluster');
      try {
        return await session.attachNetwork({ network, container });
      } catch (error) {
        // A change of leader; without a session it is waited for above.
        const isPassing = hasCode(error, 'no_leader') || hasCode(error, 'unavailable');
        if (!isPassing || this.#deps.clock.monotonicMs() > untilMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #report(taskId: string, state: TaskState, containerId: string): void {
    this.#placing.delete(taskId);
    this.#said.set(taskId, state);
    const status = TaskStatus.create({
      timestamp: Math.floor(this.#deps.clock.nowMs() * 1000),
      state,
      message: state === TaskState.RUNNING ? 'attached' : 'detached',
      containerStatus: ContainerStatus.create({ containerId }),
    });
    this.#deps.session()?.report(taskId, status);
  }

  async #until(done: () => boolean, untilMs: number, late: () => TswarmError): Promise<void> {
    if (done()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (done()) resolve();
    };
    const leftMs = Math.max(0, untilMs - this.#deps.clock.monotonicMs());
    const timer = setTimeout(() => reject(late()), leftMs);
    this.#waiting.add(look);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
  }

  #wake(): void {
    for (const look of this.#waiting) look();
  }
}

/** Pause before another manager is asked. */
const RETRY_MS = 200;

function placed(attachment: AttachmentRequest, task: Task): AttachmentRequest {
  const [given] = task.networkAttachments;
  return {
    ...attachment,
    networkId: given?.networkId ?? attachment.networkId,
    addresses: given?.addresses ?? [],
    attachmentId: task.id,
  };
}

function bareOf(address: string | undefined): string {
  return address?.split('/')[0] ?? '';
}

function unreachable(networkId: string, reason: string): TswarmError {
  return new TswarmError('unavailable', `Could not attach to network ${networkId}: ${reason}`, {
    retryable: true,
    hint: 'Look with: tswarm node ls',
  });
}
