// Goal: what containers have on the cluster's networks and what the managers know become the same, whoever was away; a place is never given up while its
// interface is being made. Method: managers and network by hand.
import { beforeEach, describe, expect, it } from 'vitest';
import {
  AssignmentAction,
  AssignmentsMessage,
  AssignmentsType,
} from '#protocol/generated/dispatcher';
import { NetworkAttachment, Task, TaskState, type TaskStatus } from '#protocol/generated/objects';
import { NetworkAttachmentSpec, TaskSpec } from '#protocol/generated/specs';
import { NodePlaces } from '#worker/cluster-places';
import type { AttachmentRequest, PlaceSeeker } from '#worker/network/types';

const WISH: AttachmentRequest = { networkId: 'open', addresses: [], aliases: [], gwPriority: 0 };
const SEEKER: PlaceSeeker = { containerId: 'c1', hostname: 'h', names: ['box', 'c1'] };

type Place = PlaceSeeker & { readonly attachment: AttachmentRequest };

let held: Place[];
let said: string[];
let asked: Task[];
let isMember: boolean;
let places: NodePlaces;

beforeEach(() => {
  held = [];
  said = [];
  asked = [];
  isMember = true;
  const session = {
    attachNetwork: async ({ container }: { container: NetworkAttachmentSpec | undefined }) => {
      const task = attachment(`t${asked.length + 1}`, container?.containerId ?? '');
      asked.push(task);
      return task;
    },
    report: (taskId: string, { state }: TaskStatus): void => {
      said.push(`${taskId} ${state === TaskState.RUNNING ? 'runs' : 'is over'}`);
    },
  };
  const network = {
    places: () => held,
    renamePlace: async (from: string, to: string) => {
      held = held.map((place) =>
        place.attachment.attachmentId === from
          ? { ...place, attachment: { ...place.attachment, attachmentId: to } }
          : place,
      );
    },
  };
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  places = new NodePlaces({
    clock: { nowMs: () => 0, monotonicMs: () => performance.now() },
    log,
    isMember: async () => isMember,
    network: () => network,
    session: () => session,
  });
});

function attachment(id: string, containerId: string): Task {
  const networkAttachments = [
    NetworkAttachment.create({ networkId: 'net1', addresses: ['10.0.0.7/24'] }),
  ];
  const networkAttachmentSpec = NetworkAttachmentSpec.create({ containerId });
  return Task.create({ id, networkAttachments, spec: TaskSpec.create({ networkAttachmentSpec }) });
}

function assign(type: AssignmentsType, ...tasks: Task[]): void {
  const changes = tasks.map((task) => ({
    assignment: { task } as never,
    action: AssignmentAction.UPDATE,
  }));
  places.assigned(AssignmentsMessage.create({ type, changes }));
}
const all = (...tasks: Task[]): void => assign(AssignmentsType.COMPLETE, ...tasks);
const more = (...tasks: Task[]): void => assign(AssignmentsType.INCREMENTAL, ...tasks);

/** What the network does with a place once the interface is there. */
function take(attached: AttachmentRequest): void {
  held.push({ ...SEEKER, attachment: attached });
  places.attached(attached.attachmentId ?? '', SEEKER.containerId);
}

async function asksFor(count: number): Promise<void> {
  await expect.poll(() => asked.length).toBe(count);
}

describe('a container', () => {
  it('gets its place when the task is assigned, which is not given up meanwhile', async () => {
    all();
    const acquired = places.acquire(SEEKER, WISH);
    await asksFor(1);
    more(...asked);
    const place = await acquired;
    expect(place).toMatchObject({
      networkId: 'net1',
      addresses: ['10.0.0.7/24'],
      attachmentId: 't1',
    });
    // The interface is being made.
    more(attachment('another', 'gone'));
    expect(said).toEqual(['another is over']);
    take(place);
    more(attachment('third', 'gone'));
    expect(said).toEqual(['another is over', 't1 runs', 'third is over']);
  });

  it('waits for the managers', async () => {
    const acquired = places.acquire(SEEKER, WISH);
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toEqual([]);
    all();
    await asksFor(1);
    more(...asked);
    await expect(acquired).resolves.toMatchObject({ attachmentId: 't1' });
  });

  it('of a node in no cluster finds no such network, at once', async () => {
    isMember = false;
    await expect(places.acquire(SEEKER, WISH)).rejects.toThrow('network open not found');
  });
});

describe('after a restart', () => {
  it('containers that are there are said to run, those that are gone to be over', () => {
    held.push({ ...SEEKER, attachment: { ...WISH, networkId: 'net1', attachmentId: 't1' } });
    all(attachment('t1', 'c1'), attachment('t2', 'c2'));
    expect(said.sort()).toEqual(['t1 runs', 't2 is over']);
  });

  it('a place that the managers do not know is asked for again, with its address', async () => {
    held.push({
      ...SEEKER,
      attachment: { ...WISH, networkId: 'net1', addresses: ['10.0.0.7/24'], attachmentId: 'old' },
    });
    all();
    await asksFor(1);
    more(...asked);
    await expect.poll(() => said).toEqual(['t1 runs']);
    expect(held[0]?.attachment.attachmentId).toBe('t1');
  });
});
