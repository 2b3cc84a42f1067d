// Members in processes of their own, on fixed loopback ports, to be killed and started again.

import { type ChildProcess, fork } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { RaftNodeSettings } from '#manager/host/raft/options';
import type { RaftPeer, RaftStartMode, RaftStatus } from '#manager/host/raft/raft-node';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { type TestCa, testCa } from '#test/unit/manager/support/pki';
import type { FromMember, MemberCall } from './member-program.ts';
import { until } from './raft-group.ts';

const PROGRAM = new URL('./member-program.ts', import.meta.url).pathname;

export class CallError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface Waiting {
  readonly resolve: (texts: readonly string[]) => void;
  readonly reject: (error: CallError) => void;
}

/** One process, as long as it lives. */
export class MemberProcess {
  readonly raftId: number;
  readonly child: ChildProcess;
  status: RaftStatus | null = null;
  isGone = false;
  readonly exited: Promise<number | null>;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  constructor(raftId: number, settings: Partial<RaftNodeSettings>) {
    this.raftId = raftId;
    this.child = fork(PROGRAM, [JSON.stringify(settings)], {
      execArgv: ['--conditions=source', '--no-memory-protection-keys'],
    });
    this.child.on('message', (message: FromMember) => {
      if (message.type === 'status') this.status = message.status;
      else this.#answer(message);
    });
    this.exited = new Promise((resolve) => {
      this.child.on('exit', (code) => {
        this.isGone = true;
        for (const { reject } of this.#waiting.values()) {
          reject(new CallError('gone', 'the process has ended'));
        }
        this.#waiting.clear();
        resolve(code);
      });
    });
    this.child.on('error', () => {});
  }

  #answer({ id, code, message, texts }: Extract<FromMember, { type: 'answer' }>): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (code === null) waiting?.resolve(texts);
    else waiting?.reject(new CallError(code, message));
  }

  call(call: MemberCall): Promise<readonly string[]> {
    if (this.isGone || !this.child.connected) {
      return Promise.reject(new CallError('gone', 'the process has ended'));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.child.send({ id, call }, (error) => {
        if (error !== null && this.#waiting.delete(id)) {
          reject(new CallError('gone', 'the process has ended'));
        }
      });
    });
  }
}

export class ProcessGroup {
  readonly members = new Map<number, MemberProcess>();
  readonly #folder: string;
  readonly #settings: Partial<RaftNodeSettings>;
  readonly #ca: TestCa = testCa();
  readonly #ports = new Map<number, number>();

  constructor(folder: string, settings: Partial<RaftNodeSettings> = {}) {
    this.#folder = folder;
    this.#settings = settings;
  }

  static async of(
    count: number,
    folder: string,
    settings: Partial<RaftNodeSettings> = {},
  ): Promise<ProcessGroup> {
    const group = new ProcessGroup(folder, settings);
    for (let id = 1; id <= count; id++) group.#ports.set(id, await freePort());
    await group.start(1, 'bootstrap');
    for (let id = 2; id <= count; id++) {
      await group.start(id, 'join');
      await group.atLeader({ kind: 'addLearner', raftId: id });
      await group.atLeader({ kind: 'promote', raftId: id });
    }
    return group;
  }

  async start(raftId: number, startMode: RaftStartMode): Promise<MemberProcess> {
    const member = new MemberProcess(raftId, {
      ...this.#settings,
      startMode,
      raftId,
      clusterId: 'cluster1',
      dataDir: join(this.#folder, `m${raftId}`),
      listenAddress: `127.0.0.1:${this.#ports.get(raftId)}`,
    });
    this.members.set(raftId, member);
    await until(() => member.status !== null || member.isGone, 'the member has started');
    if (member.isGone) throw new CallError('gone', 'it ended while it started');
    const nodeId = `node${raftId}`;
    const { certificate, key, caCert } = this.#ca.identity(nodeId, CERTIFICATE_ROLE.manager);
    await member.call({ kind: 'identity', identity: { certificate, key, roots: [caCert] } });
    await member.call({ kind: 'peers', peers: this.#peers(raftId) });
    return member;
  }

  #peers(own: number): RaftPeer[] {
    return [...this.#ports]
      .filter(([raftId]) => raftId !== own)
      .map(([raftId, port]) => ({ raftId, nodeId: `node${raftId}`, addr: `127.0.0.1:${port}` }));
  }

  /** Who is known to lead in the highest term. */
  leader(): MemberProcess | null {
    const leaders = [...this.members.values()].filter(
      ({ isGone, status }) => !isGone && status?.role === 'leader',
    );
    leaders.sort((a, b) => (b.status?.term ?? 0) - (a.status?.term ?? 0));
    return leaders[0] ?? null;
  }

  async leads(): Promise<MemberProcess> {
    await until(() => this.leader() !== null, 'somebody leads');
    return this.leader() as MemberProcess;
  }

  async atLeader(call: MemberCall): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const leader = await this.leads();
      try {
        await leader.call(call);
        return;
      } catch (error) {
        if (attempt > 500) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async kill(raftId: number): Promise<void> {
    const member = this.members.get(raftId);
    member?.child.kill('SIGKILL');
    await member?.exited;
  }

  async close(): Promise<void> {
    await Promise.all([...this.members.keys()].map((id) => this.kill(id)));
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
