// One round: one operation or several are under way, the daemon or the manager is killed at a random moment of them, or right before a chosen step, started
// again, and everything is looked at. The randomness comes from one seed; a round is told by operations, number, victim and moments, so that it can be
// looked for again (the machine's own timing cannot be repeated).
import type { Prng } from '../../support/prng.ts';
import { until } from '../../support/test-node.ts';
import { CrashNode, type Victim } from './crash-node.ts';
import { Cut } from './engine-client.ts';
import { type Operation, UNDISTURBED } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { NodeRegistry } from './registry.ts';
import { difference, snapshot } from './snapshot.ts';
import { commonMoment, type Ended, sleep, summary, Together } from './together.ts';
import { Brief, Ledger, PortProbe, Witnesses } from './witnesses.ts';

export interface Round {
  readonly round: number;
  /** What was killed, and when. */
  readonly how: string;
  /** Operation → how far it was, and what its caller was told. */
  readonly inside: Readonly<Record<string, string>>;
  /** What belongs to an operation begins with its name. */
  readonly wrong: readonly string[];
}

type Moments = ReadonlyMap<Operation, number>;

/** Longest time that something may take to go away by itself. */
const SETTLE_MS = 60_000;
const LOOK_AGAIN_MS = 250;

/** A node with its witnesses, on which rounds are run. */
export class CrashBench implements AsyncDisposable {
  readonly node: CrashNode;
  readonly #prng: Prng;
  readonly #witnesses: Witnesses;
  readonly #ledger: Ledger;
  readonly #together: Together;
  #registry: NodeRegistry | undefined;
  #probe: PortProbe | undefined;
  #before: readonly string[] = [];
  #count = 0;

  private constructor(prng: Prng) {
    this.node = new CrashNode();
    this.#prng = prng;
    this.#witnesses = new Witnesses(this.node);
    this.#ledger = new Ledger(this.node);
    this.#together = new Together(this.node, OPERATIONS);
  }

  static async start(prng: Prng): Promise<CrashBench> {
    const bench = new CrashBench(prng);
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
    await node.start();
    const address = ['--listen-addr', '127.0.0.1:23771', '--advertise-addr', '127.0.0.1'];
    // A machine that has much else to do must not look dead to its own cluster: its tasks would be replaced.
    const init = await node.tswarm(['init', ...address, '--dispatcher-heartbeat', '60s']);
    if (init.code !== 0) throw new Error(`init: ${init.stderr}`);
    await node.importBusybox();
    await this.#witnesses.start();
    this.#registry = await NodeRegistry.start(node);
    this.#probe = new PortProbe(node);
    // Each once without a kill: what it takes, and what it leaves for good (empty folders, build caches).
    await this.#together.learn();
    this.#before = this.#snapshot();
    await until(() => {
      const now = this.#snapshot();
      const same = difference(this.#before, now).length === 0;
      this.#before = now;
      return same;
    }, SETTLE_MS);
  }

  /** Kills at a random moment of each of the operations, which run at once. Never throws for what is found: that is in `wrong`. */
  round(operations: readonly Operation[]): Promise<Round> {
    const prng = this.#prng;
    const victim = pick(prng);
    const moments = this.#together.moments(prng, operations);
    return this.#round(moments, victim, async (run) => {
      const running = run();
      await sleep(commonMoment(moments));
      await this.node.crash(victim);
      await running;
      if (victim === 'manager') return '';
      if (prng.chance(0.25)) await sleep(prng.next() * 1500);
      const step = 1 + prng.below(80);
      const again = prng.chance(0.2) ? await this.node.startAndDie(step) : '';
      if (this.node.pid === 0) await this.node.start();
      return again === '' ? '' : `and again while it started: ${again}`;
    });
  }

  /** Kills the daemon right before its `step`-th step in the operation. @returns undefined when the operation has fewer */
  async stepRound(operation: Operation, step: number): Promise<Round | undefined> {
    let what = '';
    const round = await this.#round(new Map([[operation, 0]]), `step ${step}`, async (run) => {
      await this.node.arm(step);
      await run();
      what = await this.node.disarm();
      if (what !== '') await this.node.start();
      return what;
    });
    return what !== '' || round.wrong.length > 0 ? round : undefined;
  }

  /** Kills inside the operations, then again before the `step`-th step of the start that follows. @returns undefined when the start has fewer */
  async recoveryRound(operations: readonly Operation[], step: number): Promise<Round | undefined> {
    let what = '';
    const moments = this.#together.moments(this.#prng, operations);
    const round = await this.#round(
      moments,
      `both, then step ${step} of the start`,
      async (run) => {
        const running = run();
        await sleep(commonMoment(moments));
        await this.node.crash('both');
        await running;
        what = await this.node.startAndDie(step);
        if (what !== '') await this.node.start();
        return what;
      },
    );
    return what !== '' || round.wrong.length > 0 ? round : undefined;
  }

  /** Whether another round can be had: the daemon runs and answers. */
  async isUsable(): Promise<boolean> {
    return this.node.pid > 0 && (await this.node.api.text('/_ping').catch(() => '')) === 'OK';
  }

  /** `crash` begins the operations, lets it happen and brings the daemon back; what it answers is told with the round. */
  async #round(
    moments: Moments,
    how: string,
    crash: (run: () => Promise<void>) => Promise<string>,
  ): Promise<Round> {
    const { node } = this;
    this.#count += 1;
    const round = this.#count;
    const brief = new Brief(node, round);
    let ended: ReadonlyMap<Operation, Ended> = new Map();
    let about = { round, how, inside: {} };
    try {
      for (const operation of moments.keys()) await operation.prepare?.(node, round);
      await brief.start(this.#prng.next() * 1200);
      this.#ledger.begin();
      const more = await crash(async () => {
        ended = await this.#together.run(round, moments);
        await this.#ledger.end();
      });
      about = { round, how: `${how} ${more}`.trim(), inside: summary(ended) };
      await node.untilCluster();
      return { ...about, wrong: await this.#look(round, ended, brief) };
    } catch (error) {
      await this.#ledger.end();
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { ...about, wrong: [text] };
    }
  }

  async #look(
    round: number,
    ended: ReadonlyMap<Operation, Ended>,
    brief: Brief,
  ): Promise<string[]> {
    const wrong = await this.#witnesses.check();
    wrong.push(...(await this.#ledger.check()));
    for (const [{ name }, { error }] of ended) {
      if (error !== undefined && !(error instanceof Cut)) wrong.push(`${name}: ${String(error)}`);
    }
    wrong.push(...(await this.#together.check(round, ended, UNDISTURBED)));
    wrong.push(...(await brief.check()));
    wrong.push(...(await this.#witnesses.checkLogsCommand()));
    wrong.push(...(await this.#leftovers()));
    wrong.push(...this.#probeFailures());
    return wrong;
  }

  async #leftovers(): Promise<string[]> {
    let found: string[] = [];
    await until(async () => {
      found = difference(this.#before, this.#snapshot());
      // A look takes a while itself.
      if (found.length > 0) await sleep(LOOK_AGAIN_MS);
      return found.length === 0;
    }, SETTLE_MS).catch(() => {});
    // Told once, not in every round from here on.
    if (found.length > 0) this.#before = this.#snapshot();
    return found;
  }

  /** Without phoenix, whose shim, namespace and cgroup are there in one moment and not in the next. */
  #snapshot(): string[] {
    const { phoenixId } = this.#witnesses;
    return snapshot(this.node).filter((line) => !line.includes(phoenixId));
  }

  #probeFailures(): string[] {
    const failures = this.#probe?.failures.splice(0) ?? [];
    return failures.map((line) => `port of keep: ${line}`);
  }

  /** What can only be seen in the end. `patient`: waits for the longest back-off. */
  async finish(patient: boolean): Promise<string[]> {
    const answers = this.#probe?.answers ?? 0;
    return [
      ...(await this.#witnesses.checkPhoenixRises(patient)),
      ...(answers > 0 ? [] : ['the port of keep never answered']),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#probe?.stop();
    await this.#registry?.stop();
    await this.node[Symbol.asyncDispose]();
  }
}

function pick(prng: Prng): Victim {
  const number = prng.next();
  return number < 0.55 ? 'daemon' : number < 0.75 ? 'manager' : 'both';
}
