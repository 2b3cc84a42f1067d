// Reboots while everything is under way: every operation is begun so that the host goes down at a random moment inside it. The host's kernel state,
// processes and run root are gone; the disk stays, or (power cut, on a disk of its own) loses what was not synced since the round began. What must come
// back does (restart policies, tasks with their secrets and ports), what must not does not, and volumes, images, logs, exit codes and acknowledged
// changes are as they were.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Prng } from '../../support/prng.ts';
import { until } from '../../support/test-node.ts';
import { CrashNode } from './crash-node.ts';
import { Cut, type Json, Refused } from './engine-client.ts';
import { OPERATIONS } from './operations.ts';
import { NodeRegistry } from './registry.ts';
import { difference, snapshot } from './snapshot.ts';
import { commonMoment, sleep, summary, Together } from './together.ts';
import { createAndStart, KEEP_PORT, Ledger } from './witnesses.ts';

const BACK_MS = 30_000;
const SETTLE_MS = 15_000;

/** Writes to its log and to its volume; each run counts from 0. */
const COUNT = 'echo boot >> /data/boots; i=0; while :; do echo $i; i=$((i+1)); usleep 100000; done';

const PROJECT = `
services:
  web:
    image: busybox:test
    stop_signal: KILL
    restart: always
    ports: ["${KEEP_PORT}:80"]
    secrets: [word]
    volumes: ["site:/www"]
    command: ["sh", "-c", "cp /run/secrets/word /www/index.html; exec httpd -f -p 80 -h /www"]
  counter:
    image: busybox:test
    stop_signal: KILL
    restart: unless-stopped
    volumes: ["counted:/data"]
    command: ["sh", "-c", "${COUNT.replaceAll('$', '$$$$')}"]
volumes: {site: {}, counted: {}}
secrets: {word: {file: ./word.txt}}
`;

/** Restart policy, and how it stands after a reboot. */
const CONTAINERS: Readonly<Record<string, readonly [policy: string, after: string]>> = {
  always: ['always', 'running'],
  unless: ['unless-stopped', 'running'],
  failing: ['on-failure', 'running'],
  // As Docker has it: `always` comes back at the next start of the host, `unless-stopped` does not.
  'halted-always': ['always', 'running'],
  halted: ['unless-stopped', 'exited'],
  once: ['no', 'exited'],
};

export interface Reboot {
  readonly how: string;
  /** Operation → how far it was, and what its caller was told. */
  readonly inside: Readonly<Record<string, string>>;
  readonly wrong: readonly string[];
}

const INTERRUPTED = OPERATIONS.filter(({ name }) => name !== 'idle');
const ORDERLY_SHARE = 0.2;

/** A node that is rebooted again and again. */
export class RebootBench implements AsyncDisposable {
  readonly node: CrashNode;
  readonly #prng: Prng;
  readonly #ledger: Ledger;
  readonly #together: Together;
  #registry: NodeRegistry | undefined;
  #before: readonly string[] = [];
  #round = 0;

  private constructor(prng: Prng, ownDisk: boolean) {
    this.node = new CrashNode({ ownDisk });
    this.#prng = prng;
    this.#ledger = new Ledger(this.node);
    this.#together = new Together(this.node, INTERRUPTED);
  }

  static async start(prng: Prng, ownDisk: boolean): Promise<RebootBench> {
    const bench = new RebootBench(prng, ownDisk);
    try {
      await bench.#setUp();
      return bench;
    } catch (error) {
      await bench[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #setUp(): Promise<void> {
    const { node } = this;
    await setUp(node);
    this.#registry = await NodeRegistry.start(node);
    await this.#together.learn();
    await halt(node);
    this.#before = await settled(node);
  }

  /** Never throws for what is found: that is in `wrong`. */
  async round(): Promise<Reboot> {
    this.#round += 1;
    const orderly = this.#prng.chance(ORDERLY_SHARE);
    const diskLost = !orderly && this.node.canLoseData;
    const kind = orderly ? 'orderly' : diskLost ? 'power cut' : 'at once';
    const how = `reboot ${this.#round}, ${kind}`;
    const inside: Record<string, string> = {};
    try {
      return { how, inside, wrong: await this.#reboot(inside, orderly, diskLost) };
    } catch (error) {
      await this.#ledger.end();
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { how, inside, wrong: [text] };
    }
  }

  async #reboot(
    inside: Record<string, string>,
    orderly: boolean,
    diskLost: boolean,
  ): Promise<string[]> {
    const { node } = this;
    const round = this.#round;
    for (const operation of INTERRUPTED) await operation.prepare?.(node, round);
    node.syncDisk();
    this.#ledger.begin();
    const moments = this.#together.moments(this.#prng, INTERRUPTED);
    const running = this.#together.run(round, moments);
    await sleep(commonMoment(moments));
    await node.reboot(orderly);
    const ended = await running;
    await this.#ledger.end();
    Object.assign(inside, summary(ended));
    const counted = boots(node);
    await node.start();
    await this.#registry?.run();
    await node.untilCluster();
    const wrong = await this.#ledger.check();
    wrong.push(...(await checkContainers(node)));
    wrong.push(...(await checkProject(node)));
    wrong.push(...checkBoots(node, counted));
    for (const [{ name }, { error }] of ended) {
      // An orderly stop may also refuse.
      const isCut = error instanceof Cut || (orderly && error instanceof Refused);
      if (error !== undefined && !isCut) wrong.push(`${name}: ${String(error)}`);
    }
    wrong.push(...(await this.#together.check(round, ended, { rebooted: true, diskLost })));
    await halt(node);
    const now = await settled(node, this.#before);
    const left = difference(this.#before, now);
    // Told once, not in every round from here on.
    this.#before = now;
    return [...wrong, ...left];
  }

  /** Whether another round can be had. */
  async isUsable(): Promise<boolean> {
    return this.node.pid > 0 && (await this.node.api.text('/_ping').catch(() => '')) === 'OK';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#registry?.stop();
    await this.node[Symbol.asyncDispose]();
  }
}

async function setUp(node: CrashNode): Promise<void> {
  await node.start();
  const address = ['--listen-addr', '127.0.0.1:23771', '--advertise-addr', '127.0.0.1'];
  const init = await node.tswarm(['init', ...address]);
  if (init.code !== 0) throw new Error(`init: ${init.stderr}`);
  await node.importBusybox();
  for (const [name, [policy]] of Object.entries(CONTAINERS)) {
    await createAndStart(node, name, {
      Cmd: ['sh', '-c', COUNT],
      HostConfig: { RestartPolicy: { Name: policy }, Binds: [`${name}:/data`] },
    });
  }
  await createAndStart(node, 'done', { Cmd: ['sh', '-c', 'echo done; exit 7'] });
  await node.api.json('POST', '/containers/done/wait');
  const cwd = node.project('keep', { 'compose.yaml': PROJECT, 'word.txt': 'swordfish\n' });
  const up = await node.tcompose(['up', '-d'], { cwd });
  if (up.code !== 0) throw new Error(`up: ${up.stderr}`);
}

/** Stopped by a person before every reboot. */
async function halt(node: CrashNode): Promise<void> {
  for (const name of ['halted', 'halted-always']) {
    await node.api.text(`/containers/${name}/stop`, 'POST');
  }
}

async function checkContainers(node: CrashNode): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, [, after]] of Object.entries(CONTAINERS)) {
    const state = async (): Promise<Json> =>
      (await node.api.json('GET', `/containers/${name}/json`)).State as Json;
    await until(async () => (await state()).Status === after, BACK_MS).catch(() => {});
    const { Status, ExitCode, Error: reason } = await state();
    if (Status !== after) wrong.push(`${name} is ${Status} (${ExitCode}, ${reason})`);
    wrong.push(...(await checkLog(node, name)));
  }
  const { State } = await node.api.json('GET', '/containers/done/json');
  if ((State as Json).ExitCode !== 7) wrong.push(`done: ${JSON.stringify(State)}`);
  const once = await node.api.json('GET', '/containers/once/json');
  await node.api.text('/containers/once/start', 'POST');
  if ((once.State as Json).ExitCode === 0) wrong.push('once: its end by the reboot counts as good');
  return wrong;
}

/** Every run's lines from 0 on without a gap, the runs before the reboot included. On stderr its shell tells of signals. */
async function checkLog(node: CrashNode, name: string): Promise<string[]> {
  const { Id } = await node.api.json('GET', `/containers/${name}/json`);
  const path = join(node.dataRoot, 'containers', String(Id), `${Id}-json.log`);
  const text = readFileSync(path, 'utf8');
  let next = 0;
  for (const line of text.slice(0, text.lastIndexOf('\n')).split('\n')) {
    let record: { readonly log: string; readonly stream: string };
    try {
      record = JSON.parse(line) as typeof record;
    } catch {
      return [`${name}: a torn line in the log: ${line}`];
    }
    if (record.stream === 'stderr') continue;
    const value = Number(record.log);
    if (value !== next && value !== 0) return [`${name}: log has ${value} instead of ${next}`];
    next = value + 1;
  }
  return [];
}

async function checkProject(node: CrashNode): Promise<string[]> {
  let seen = '';
  const ask = async (): Promise<boolean> => {
    const url = `http://127.0.0.1:${KEEP_PORT}/`;
    seen = (await node.inside('curl', ['-sS', '-m', '2', url])).stdout;
    return seen === 'swordfish\n';
  };
  await until(ask, BACK_MS).catch(() => {});
  const wrong = seen === 'swordfish\n' ? [] : [`port of keep: ${JSON.stringify(seen)}`];
  const list = await node.api.list('/containers/json');
  const names = list.map((item) => String((item.Names as string[])[0]));
  for (const name of ['/keep-web-1', '/keep-counter-1']) {
    if (!names.includes(name)) wrong.push(`${name} does not run: ${names.join(' ')}`);
  }
  return wrong;
}

/** What is in the volumes: how often each container has begun. */
function boots(node: CrashNode): ReadonlyMap<string, number> {
  const names = [...Object.keys(CONTAINERS), 'keep_counted'];
  return new Map(
    names.map((name) => {
      const path = join(node.dataRoot, 'volumes', name, '_data/boots');
      return [name, readFileSync(path, 'utf8').split('\n').length - 1] as const;
    }),
  );
}

function checkBoots(node: CrashNode, before: ReadonlyMap<string, number>): string[] {
  return [...boots(node)].flatMap(([name, count]) => {
    const was = before.get(name) ?? 0;
    const expected = name === 'halted' ? was : was + 1;
    return count === expected ? [] : [`${name} has begun ${count - was} times since the reboot`];
  });
}

/** A snapshot that does not change any more; addresses and names of interfaces may be others than before the reboot. */
async function settled(node: CrashNode, wanted?: readonly string[]): Promise<string[]> {
  const look = (): string[] =>
    snapshot(node).map((line) =>
      line
        .replace(/\d+\.\d+\.\d+\.\d+(\/\d+)?/g, 'IP')
        .replace(new RegExp(`\\bt${node.tag}\\w+`, 'g'), 'LINK'),
    );
  let last = look();
  await until(async () => {
    await sleep(200);
    const now = look();
    const same = difference(wanted ?? last, now).length === 0;
    last = now;
    return same;
  }, SETTLE_MS).catch(() => {});
  return last;
}
