// Reboots at random moments of an `up`: the host's kernel state, processes and run root are gone, the disk stays. What must come back does (restart
// policies, tasks with their secrets and ports), what must not does not, and volumes, images, logs, exit codes and acknowledged changes are as they were.
// Not tried here: a disk that loses what was not synced.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Prng } from '../../support/prng.ts';
import { until } from '../../support/test-node.ts';
import { CrashNode } from './crash-node.ts';
import type { Json } from './engine-client.ts';
import { OPERATIONS } from './operations.ts';
import { difference, snapshot } from './snapshot.ts';
import { createAndStart, KEEP_PORT, Ledger } from './witnesses.ts';

const BACK_MS = 30_000;
const SETTLE_MS = 15_000;

/** Writes to its log and to its volume; each run counts from 0. */
const COUNT = 'echo boot >> /data/boots; i=0; while :; do echo $i; i=$((i+1)); usleep 10000; done';

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

/** @returns what was wrong */
export async function runReboots(prng: Prng, count: number): Promise<readonly string[]> {
  const node = new CrashNode();
  const wrong: string[] = [];
  try {
    await setUp(node);
    const before = await settled(node);
    for (let round = 1; round <= count; round += 1) {
      const orderly = prng.chance(0.3);
      const delayMs = Math.round(prng.next() * 700);
      const found = await rebootOnce(node, { round, orderly, delayMs }, before);
      const about = `reboot ${round} (${orderly ? 'orderly' : 'power cut'} after ${delayMs} ms)`;
      wrong.push(...found.map((line) => `${about}: ${line}`));
    }
  } catch (error) {
    wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await node[Symbol.asyncDispose]();
  }
  return wrong;
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
  await operationUp.run(node, 0);
  await operationUp.check(node, 0, true);
  await halt(node);
}

/** Stopped by a person before every reboot. */
async function halt(node: CrashNode): Promise<void> {
  for (const name of ['halted', 'halted-always']) {
    await node.api.text(`/containers/${name}/stop`, 'POST');
  }
}

const operationUp = operation('up');

function operation(name: string) {
  const found = OPERATIONS.find((item) => item.name === name);
  if (!found) throw new Error(`no operation ${name}`);
  return found;
}

async function rebootOnce(
  node: CrashNode,
  about: { readonly round: number; readonly orderly: boolean; readonly delayMs: number },
  before: readonly string[],
): Promise<string[]> {
  const ledger = new Ledger(node);
  ledger.begin();
  const running = operationUp.run(node, about.round).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, about.delayMs));
  await node.reboot(about.orderly);
  await ledger.end();
  await running;
  const counted = boots(node);
  await node.start();
  await node.untilCluster();
  const wrong = await ledger.check();
  wrong.push(...(await checkContainers(node)));
  wrong.push(...(await checkProject(node)));
  wrong.push(...checkBoots(node, counted));
  // Its containers have no restart policy: it is `up` that brings them back.
  wrong.push(...(await operationUp.check(node, about.round, false)));
  await halt(node);
  const left = difference(before, await settled(node, before));
  return [...wrong, ...left];
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

/** Every run's lines from 0 on without a gap, the runs before the reboot included. */
async function checkLog(node: CrashNode, name: string): Promise<string[]> {
  const { Id } = await node.api.json('GET', `/containers/${name}/json`);
  const path = join(node.dataRoot, 'containers', String(Id), `${Id}-json.log`);
  const text = readFileSync(path, 'utf8');
  let next = 0;
  for (const line of text.slice(0, text.lastIndexOf('\n')).split('\n')) {
    let value: number;
    try {
      value = Number((JSON.parse(line) as { log: string }).log);
    } catch {
      return [`${name}: a torn line in the log: ${line}`];
    }
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
    await new Promise((resolve) => setTimeout(resolve, 200));
    const now = look();
    const same = difference(wanted ?? last, now).length === 0;
    last = now;
    return same;
  }, SETTLE_MS).catch(() => {});
  return last;
}
