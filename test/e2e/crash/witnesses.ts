// What must not notice a crash, and looks for it: containers that write numbered lines without end, one that a restart policy brings back for ever, a
// published port that is asked all the time, short containers that end while nobody looks, and changes of the cluster that were acknowledged.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../support/test-node.ts';
import type { CrashNode } from './crash-node.ts';
import { Cut, type Json, Refused } from './engine-client.ts';

export const KEEP_PORT = 18080;
/** Lines at a time: a burst shows losses that a drip does not. */
const COUNTING =
  'i=0; while :; do for n in 1 2 3 4 5; do echo $i; i=$((i+1)); done; usleep 50000; done';

/** In the first 15 s its back-off lets it run so often. */
const PHOENIX_RUNS_MIN = 6;
const BACK_OFF_MAX_MS = 60_000;

const KEEP_PROJECT = `
services:
  counter:
    image: busybox:test
    stop_signal: KILL
    command: ["sh", "-c", "${COUNTING.replaceAll('$', '$$$$')}"]
  web:
    image: busybox:test
    stop_signal: KILL
    ports: ["${KEEP_PORT}:80"]
    command: ["sh", "-c", "mkdir /www; echo kept > /www/index.html; exec httpd -f -p 80 -h /www"]
`;

interface Watched {
  readonly id: string;
  readonly pid: number;
  readonly startedAt: string;
}

/** The long-lived ones. */
export class Witnesses {
  readonly #node: CrashNode;
  readonly #watched = new Map<string, Watched>();
  readonly #seen = new Map<string, { file: number; lines: number; rest: string; next: number }>();
  phoenixId = '';

  constructor(node: CrashNode) {
    this.#node = node;
  }

  async start(): Promise<void> {
    const { api } = this.#node;
    await createAndStart(this.#node, 'counter', { Cmd: ['sh', '-c', COUNTING] });
    this.phoenixId = await createAndStart(this.#node, 'phoenix', {
      Cmd: ['sh', '-c', 'echo run; usleep 150000; exit 9'],
      HostConfig: { RestartPolicy: { Name: 'always' }, NetworkMode: 'none' },
    });
    const cwd = this.#node.project('keep', { 'compose.yaml': KEEP_PROJECT });
    const up = await this.#node.tcompose(['up', '-d'], { cwd });
    if (up.code !== 0) throw new Error(`witnesses: ${up.stderr}`);
    for (const item of await api.list('/containers/json')) {
      const name = nameOf(item);
      if (name !== 'phoenix') this.#watched.set(name, await this.#look(String(item.Id)));
    }
    if (this.#watched.size !== 3) throw new Error(`watched: ${[...this.#watched.keys()]}`);
  }

  async #look(id: string): Promise<Watched> {
    const { State } = await this.#node.api.json('GET', `/containers/${id}/json`);
    const state = State as Json;
    return { id, pid: Number(state.Pid), startedAt: String(state.StartedAt) };
  }

  /** Same processes, no line lost or doubled, the policy still at work. @returns what is wrong */
  async check(): Promise<string[]> {
    const wrong: string[] = [];
    for (const [name, was] of this.#watched) {
      const now = await this.#look(was.id).catch((error: unknown) => String(error));
      if (JSON.stringify(now) !== JSON.stringify(was)) {
        wrong.push(`${name} was ${JSON.stringify(was)}, is ${JSON.stringify(now)}`);
      } else if (!existsSync(`/proc/${was.pid}`)) {
        wrong.push(`${name}: process ${was.pid} is gone`);
      }
      if (name.includes('counter')) wrong.push(...this.#checkLines(name, was.id));
    }
    const phoenix = await this.#node.api.json('GET', '/containers/phoenix/json');
    const { Status, StartedAt, ExitCode } = phoenix.State as Json;
    if (!['running', 'restarting'].includes(String(Status))) {
      wrong.push(`phoenix is ${Status}, started ${StartedAt}, exit ${ExitCode}`);
    }
    return wrong;
  }

  /** Reads on in the log where the last look ended. */
  #checkLines(name: string, id: string): string[] {
    const path = join(this.#node.dataRoot, 'containers', id, `${id}-json.log`);
    const seen = this.#seen.get(name) ?? { file: 0, lines: 0, rest: '', next: 0 };
    this.#seen.set(name, seen);
    const bytes = readFileSync(path).subarray(seen.file);
    seen.file += bytes.length;
    const lines = (seen.rest + bytes.toString('utf8')).split('\n');
    seen.rest = lines.pop() ?? '';
    if (lines.length === 0) return [`${name}: writes no more`];
    for (const line of lines) {
      const { log } = JSON.parse(line) as { log: string };
      if (log !== `${seen.next}\n`)
        return [`${name}: line ${JSON.stringify(log)} instead of ${seen.next}`];
      seen.next += 1;
    }
    return [];
  }

  /** What `logs` says must be what is in the file. */
  async checkLogsCommand(): Promise<string[]> {
    const { stdout } = await this.#node.docker(['logs', '--tail', '300', 'counter']);
    const numbers = stdout.trim().split('\n').map(Number);
    const [first = Number.NaN] = numbers;
    const isWhole = numbers.length === 300 && numbers.every((n, i) => n === first + i);
    return isWhole
      ? []
      : [`docker logs counter: ${numbers.length} lines from ${first}, not in order`];
  }

  /** Phoenix goes on being restarted: it has been again and again; `patient`: and comes once more within the longest back-off. */
  async checkPhoenixRises(patient: boolean): Promise<string[]> {
    const id = this.phoenixId;
    const path = join(this.#node.dataRoot, 'containers', id, `${id}-json.log`);
    const runs = (): number => readFileSync(path, 'utf8').split('run').length - 1;
    const before = runs();
    if (before < PHOENIX_RUNS_MIN) return [`phoenix has risen only ${before} times`];
    if (!patient) return [];
    try {
      await until(() => runs() > before, BACK_OFF_MAX_MS + 10_000);
      return [];
    } catch {
      return [`phoenix does not rise any more: ${before} runs`];
    }
  }
}

/** Asks the published port of `keep` all the time, in the node's network. */
export class PortProbe {
  readonly #child: ReturnType<typeof spawn>;
  readonly failures: string[] = [];
  answers = 0;

  constructor(node: CrashNode) {
    const args = [`--net=${node.netns}`, 'sh', '-c'];
    const ask = `curl -sS -m 2 http://127.0.0.1:${KEEP_PORT}/ 2>&1`;
    const loop = `while :; do answer=$(${ask}); echo "$(date +%T.%3N) $answer"; sleep 0.2; done`;
    this.#child = spawn('nsenter', [...args, loop], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.trim().split('\n')) {
        if (line.endsWith(' kept')) this.answers += 1;
        else this.failures.push(line);
      }
    });
  }

  async stop(): Promise<void> {
    // Somebody may have ended all of the tree.
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Changes of the cluster that go on during a crash: what was acknowledged must be there, what was not asked for must not. */
export class Ledger {
  readonly #node: CrashNode;
  readonly #acknowledged = new Set<string>();
  readonly #asked = new Set<string>();
  #count = 0;
  #writing: Promise<void> | undefined;
  #stopped = false;

  constructor(node: CrashNode) {
    this.#node = node;
  }

  begin(): void {
    this.#stopped = false;
    this.#writing = this.#write();
  }

  async end(): Promise<void> {
    this.#stopped = true;
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (!this.#stopped) {
      const name = `ledger-${this.#count++}`;
      this.#asked.add(name);
      try {
        await this.#node.api.json('POST', '/configs/create', { Name: name, Data: 'eA==' });
        this.#acknowledged.add(name);
      } catch (error) {
        if (!(error instanceof Cut || error instanceof Refused)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  }

  /** Compares, and removes all entries again. @returns what is wrong */
  async check(): Promise<string[]> {
    const configs = await this.#node.api.list('/configs');
    const found = new Map(
      configs
        .map((config) => [(config.Spec as { Name: string }).Name, String(config.ID)] as const)
        .filter(([name]) => name.startsWith('ledger-')),
    );
    const lost = [...this.#acknowledged].filter((name) => !found.has(name));
    const strange = [...found.keys()].filter((name) => !this.#asked.has(name));
    for (const id of found.values()) await this.#node.api.text(`/configs/${id}`, 'DELETE');
    this.#acknowledged.clear();
    this.#asked.clear();
    return [
      ...lost.map((name) => `acknowledged and lost: config ${name}`),
      ...strange.map((name) => `there, but never asked for: config ${name}`),
    ];
  }
}

/** Ends by itself at some time around a crash, with a last line and an exit code that somebody must still know afterwards. */
export class Brief {
  readonly #node: CrashNode;
  readonly #name: string;
  readonly #code: number;

  constructor(node: CrashNode, round: number) {
    this.#node = node;
    this.#name = `brief-${round}`;
    this.#code = 1 + (round % 100);
  }

  async start(lifeMs: number): Promise<void> {
    const script = `echo first; usleep ${Math.round(lifeMs * 1000)}; echo last; exit ${this.#code}`;
    await createAndStart(this.#node, this.#name, {
      Cmd: ['sh', '-c', script],
      HostConfig: { NetworkMode: 'none' },
    });
  }

  async check(): Promise<string[]> {
    const { api } = this.#node;
    const wrong: string[] = [];
    const path = `/containers/${this.#name}`;
    const { StatusCode } = await api.json('POST', `${path}/wait`);
    const { State } = await api.json('GET', `${path}/json`);
    const { Status, ExitCode, Error: reason } = State as Json;
    if (StatusCode !== this.#code || ExitCode !== this.#code || Status !== 'exited') {
      wrong.push(
        `${this.#name}: ${Status} with ${ExitCode}, wait said ${StatusCode}, not ${this.#code}; ${reason}`,
      );
    }
    const logs = await this.#node.docker(['logs', this.#name]);
    if (logs.stdout !== 'first\nlast\n') {
      wrong.push(`${this.#name}: logs ${JSON.stringify(logs.stdout)} ${logs.stderr}`);
    }
    await api.text(path, 'DELETE');
    return wrong;
  }
}

export async function createAndStart(node: CrashNode, name: string, body: Json): Promise<string> {
  const made = await node.api.json('POST', `/containers/create?name=${name}`, {
    Image: 'busybox:test',
    StopSignal: 'KILL',
    ...body,
  });
  await node.api.text(`/containers/${made.Id}/start`, 'POST');
  return String(made.Id);
}

export function nameOf(item: Json): string {
  return String((item.Names as string[])[0] ?? '').replace('/', '');
}
