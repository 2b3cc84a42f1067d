// Goal: a secret's and a config's bytes reach the nodes that have a task which needs them, and no
// other; they are taken away when the task is gone. Method: a real manager, two nodes whose every
// received message is kept.
import { afterEach, expect, it } from 'vitest';
import {
  CreateObjectRequest,
  ObjectKind,
  SpecUnion,
  UpdateObjectRequest,
} from '#protocol/generated/control';
import {
  type AssignmentChange,
  AssignmentsMessage,
  DispatcherService,
  TaskStatusUpdate,
  UpdateTaskStatusRequest,
} from '#protocol/generated/dispatcher';
import { NodeDescription, TaskState, TaskStatus } from '#protocol/generated/objects';
import {
  ConfigReference,
  ConfigSpec,
  Placement,
  SecretReference,
  SecretSpec,
  ServiceSpec,
} from '#protocol/generated/specs';
import { clientOf } from '#protocol/transport/grpc';
import { ManagerGroup, type ManagerNode } from '../../support/manager-group.ts';
import { template } from '../../unit/manager/support/objects.ts';

const group = new ManagerGroup();
afterEach(() => group.close());
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 15_000 });

const SECRET = 'the-secret-bytes';
const CONFIG = 'the-config-bytes';

/** A node in session: what it was told, as bytes and as what it holds now. */
async function listen(node: ManagerNode, at: ManagerNode) {
  const dispatcher = clientOf(DispatcherService, node.channel(node.worker(), at.controlAddress));
  const received: string[] = [];
  const held = new Map<string, AssignmentChange['assignment']>();
  const opened = Promise.withResolvers<string>();
  const session = (async () => {
    const description = NodeDescription.create({
      hostname: node.name,
      platform: { architecture: 'x86_64', os: 'linux' },
    });
    for await (const message of dispatcher.session({ description, sessionId: '', protocol: 1 })) {
      opened.resolve(message.sessionId);
    }
  })();
  session.catch(opened.reject);
  const sessionId = await opened.promise;
  const listening = (async () => {
    for await (const message of dispatcher.assignments({ sessionId })) {
      received.push(Buffer.from(AssignmentsMessage.encode(message)).toString('latin1'));
      for (const { assignment, action } of message.changes) {
        for (const [kind, object] of Object.entries(assignment ?? {})) {
          if (object === undefined) continue;
          const { id } = object as { id?: string };
          if (action === 0) held.set(`${kind}/${id}`, assignment);
          else held.delete(`${kind}/${id}`);
        }
      }
    }
  })();
  listening.catch(() => undefined);
  const beats = setInterval(() => {
    dispatcher.heartbeat({ sessionId }).catch(() => undefined);
  }, 1000);
  return {
    sessionId,
    dispatcher,
    close: () => clearInterval(beats),
    holds: (kind: string) => [...held.keys()].filter((key) => key.startsWith(`${kind}/`)).length,
    everSaw: (text: string) => received.some((message) => message.includes(text)),
    report: (state: TaskState) =>
      dispatcher.updateTaskStatus(
        UpdateTaskStatusRequest.create({
          sessionId,
          updates: [...held.values()].flatMap((assignment) =>
            assignment?.task
              ? TaskStatusUpdate.create({
                  taskId: assignment.task.id,
                  status: TaskStatus.create({ state }),
                })
              : [],
          ),
        }),
      ),
  };
}

it('secrets and configs reach the nodes that need them, while they do', async () => {
  const [manager] = (await group.create(1)) as [ManagerNode];
  const { control } = manager;
  const { joinTokenWorker } = await control.clusterStatus({});
  const [a, b] = [group.add(), group.add()];
  for (const node of [a, b]) await node.joinNode(joinTokenWorker, manager);
  const [onA, onB] = [await listen(a, manager), await listen(b, manager)];
  const create = (spec: Partial<SpecUnion>) =>
    control.createObject(CreateObjectRequest.create({ spec: SpecUnion.create(spec) }));
  const secret = await create({
    secret: SecretSpec.create({ name: 'pw', data: Buffer.from(SECRET) }),
  });
  await create({ config: ConfigSpec.create({ name: 'site', data: Buffer.from(CONFIG) }) });
  const specOn = (node: ManagerNode): ServiceSpec =>
    ServiceSpec.create({
      name: 'web',
      taskTemplate: template(
        { placement: Placement.create({ constraints: [`node.id==${node.nodeId}`] }) },
        {
          secrets: [SecretReference.create({ secretName: 'pw' })],
          configs: [ConfigReference.create({ configName: 'site' })],
        },
      ),
    });
  const { object } = await create({ service: specOn(a) });
  await eventually(() => [onA.holds('task'), onA.holds('secret'), onA.holds('config')]).toEqual([
    1, 1, 1,
  ]);
  expect([onA.everSaw(SECRET), onA.everSaw(CONFIG)]).toEqual([true, true]);
  expect([onB.everSaw(SECRET), onB.everSaw(CONFIG), onB.everSaw('"pw"')]).toEqual([
    false,
    false,
    false,
  ]);
  // An administrator sees a secret's name, never its bytes; a node cannot listen in another's name.
  expect(secret.object?.secret?.spec?.data.length).toBe(0);
  const foreign = async () => {
    for await (const _ of onB.dispatcher.assignments({ sessionId: onA.sessionId })) break;
  };
  await expect(foreign()).rejects.toMatchObject({ code: 'not_found' });
  await onA.report(TaskState.RUNNING);

  const service = object?.service;
  await control.updateObject(
    UpdateObjectRequest.create({
      kind: ObjectKind.SERVICE,
      id: service?.id ?? '',
      version: service?.meta?.version?.index ?? 0,
      spec: SpecUnion.create({ service: specOn(b) }),
    }),
  );
  await eventually(() => {
    void onA.report(TaskState.SHUTDOWN).catch(() => undefined);
    return [onB.holds('secret'), onB.holds('config')];
  }).toEqual([1, 1]);
  expect(onB.everSaw(SECRET)).toBe(true);
  await eventually(() => [onA.holds('secret'), onA.holds('config')]).toEqual([0, 0]);
  onA.close();
  onB.close();
});
