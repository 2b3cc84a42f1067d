// A real manager in a process of its own, for end-to-end tests of the worker: created once, killed and started again on the same folder and port.
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import type { Client as Channel } from '@grpc/grpc-js';
import { generateKey } from '#manager/host/node-crypto';
import type { ObjectUnion } from '#protocol/generated/control';
import {
  ControlService,
  CreateObjectRequest,
  ObjectKind,
  RemoveObjectRequest,
  ServiceActionRequest,
  SpecUnion,
  UpdateObjectRequest,
} from '#protocol/generated/control';
import type { Task } from '#protocol/generated/objects';
import type { FromManager, ManagerReady, ToManager } from '#protocol/manager-ipc';
import { clientOf, connectChannel } from '#protocol/transport/grpc';
import type { WorkerMembership } from '#worker/worker';
import { makeCsr } from '../unit/manager/support/csr.ts';
import { objectsAt } from './manager-group.ts';

const MAIN = new URL('../../manager/main.ts', import.meta.url).pathname;

export class ManagerProcess {
  readonly #folder: string;
  readonly #adminKey = generateKey();
  readonly #workerKey = generateKey();
  #child: ChildProcess | undefined;
  #channel: Channel | undefined;
  #ready: ManagerReady | undefined;
  #port = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async start(): Promise<void> {
    const known = this.#ready;
    const csrs = {
      workerCsr: makeCsr(this.#workerKey.signer),
      adminCsr: makeCsr(this.#adminKey.signer),
    };
    const request: ToManager = known
      ? { type: 'start', ...csrs }
      : { type: 'bootstrap', ...csrs, hostname: 'host1', addressPools: [], subnetSize: 0 };
    const child = fork(
      MAIN,
      ['--data', this.#folder, '--listen', `127.0.0.1:${this.#port}`, '--log-level', 'error'],
      { execArgv: ['--conditions=source'] },
    );
    this.#child = child;
    const answer = await new Promise<FromManager>((resolve, reject) => {
      child.once('message', (message) => resolve(message as FromManager));
      child.once('exit', (code) => reject(new Error(`manager ended: ${code}`)));
      child.send(request);
    });
    if (answer.type !== 'ready') throw new Error(JSON.stringify(answer));
    this.#ready = answer;
    this.#port = Number(answer.controlAddress.split(':').at(-1));
    this.#channel?.close();
    this.#channel = connectChannel(
      answer.controlAddress,
      { caCert: answer.caCert, certificate: answer.adminCertificate, key: this.#adminKey.pem },
      'swarm-manager',
    );
  }

  get ready(): ManagerReady {
    if (!this.#ready) throw new Error('the manager was not started');
    return this.#ready;
  }

  membership(): WorkerMembership {
    const { nodeId, clusterId, caCert, workerCertificate, controlAddress } = this.ready;
    return {
      nodeId,
      clusterId,
      identity: { caCert, certificate: workerCertificate, key: this.#workerKey.pem },
      managers: [controlAddress],
    };
  }

  async create(spec: Partial<SpecUnion>): Promise<ObjectUnion> {
    const request = CreateObjectRequest.create({ spec: SpecUnion.create(spec) });
    const { object } = await clientOf(ControlService, this.#open()).createObject(request);
    if (!object) throw new Error('no object');
    return object;
  }

  async update(
    kind: ObjectKind,
    id: string,
    version: number,
    spec: Partial<SpecUnion>,
  ): Promise<void> {
    await clientOf(ControlService, this.#open()).updateObject(
      UpdateObjectRequest.create({ kind, id, version, spec: SpecUnion.create(spec) }),
    );
  }

  async remove(kind: ObjectKind, id: string): Promise<void> {
    await clientOf(ControlService, this.#open()).removeObject(
      RemoveObjectRequest.create({ kind, id }),
    );
  }

  async action(request: Partial<ServiceActionRequest>): Promise<void> {
    await clientOf(ControlService, this.#open()).serviceAction(
      ServiceActionRequest.create(request),
    );
  }

  /** The tasks as they are now. */
  async tasks(): Promise<readonly Task[]> {
    const control = clientOf(ControlService, this.#open());
    return (await objectsAt(control, ObjectKind.TASK)).flatMap(({ task }) => task ?? []);
  }

  #open(): Channel {
    if (!this.#channel) throw new Error('the manager was not started');
    return this.#channel;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    await new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill(signal);
    });
  }

  async stop(): Promise<void> {
    this.#channel?.close();
    await this.kill('SIGTERM');
  }
}
