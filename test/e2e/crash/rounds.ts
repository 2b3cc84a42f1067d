// One round: something is under way, the daemon or the manager is killed at a random moment of it, started again, and everything is looked at. The
// randomness comes from one seed; a round is told by operation, number, victim and moment, so that it can be looked for again (the machine's own timing
// cannot be repeated).
import type { Prng } from '../../support/prng.ts';
import { until } from '../../support/test-node.ts';
import { CrashNode, type Victim } from './crash-node.ts';
import { Cut } from './engine-client.ts';
import { type Operation, UNDISTURBED } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { NodeRegistry } from './registry.ts';
import { difference, snapshot } from './snapshot.ts';
import { Brief, Ledger, PortProbe, Witnesses } from './witnesses.ts';

export interface Round {
  readonly operation: string;
  readonly round: number;
  /** What was killed, and when. */
  readonly how: string;
  readonly acknowledged: boolean;
  readonly wrong: readonly string[];
}

/** Longest time that something may take to go away by itself. */
const SETTLE_MS = 15_000;

/** A node with its witnesses, on which rounds are run. */
export class CrashBench implements AsyncDisposable {
  readonly node: CrashNode;
  readonly #prng: Prng;
  readonly #witnesses: Witnesses;
  readonly #ledger: Ledger;
  readonly #typicalMs = new Map<string, number>();
  #registry: NodeRegistry | undefined;
  #probe: PortProbe | undefined;
  #before: readonly string[] = [];
  #count = 0;

  private constructor(prng: Prng) {
    this.node = new CrashNode();
    this.#prng = prng;
    this.#witnesses = new Witnesses(this.node);
    this.#ledger = new Ledger(this.node);
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
    const init = await node.tswarm(['init', ...address]);
    if (init.code !== 0) throw new Error(`init: ${init.stderr}`);
    await node.importBusybox();
    await this.#witnesses.start();
    this.#registry = await NodeRegistry.start(node);
    this.#probe = new PortProbe(node);
    // Each once without a kill: what it takes, and what it leaves for good (empty folders, build caches).
    for (const operation of OPERATIONS) {
      await operation.prepare?.(node, 0);
      const started = performance.now();
      await operation.run(node, 0);
      this.#typicalMs.set(operation.name, performance.now() - started);
      const wrong = await operation.check(node, 0, UNDISTURBED);
      if (wrong.length > 0)
        throw new Error(`${operation.name} without a kill: ${wrong.join('; ')}`);
    }
    this.#before = this.#snapshot();
    await until(() => {
      const now = this.#snapshot();
      const same = difference(this.#before, now).length === 0;
      this.#before = now;
      return same;
    }, SETTLE_MS);
  }

  /** Kills at a random moment. Never throws for what is found: that is in `wrong`. */
  round(operation: Operation): Promise<Round> {
    const prng = this.#prng;
    const victim = pick(prng);
    const delayMs = Math.round(prng.next() * 1.1 * (this.#typicalMs.get(operation.name) ?? 100));
    const how = `${victim} after ${delayMs} ms`;
    return this.#round(operation, how, async (run) => {
      const running = run();
      await sleep(delayMs);
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
    const round = await this.#round(operation, `step ${step}`, async (run) => {
      await this.node.arm(step);
      await run();
      what = await this.node.disarm();
      if (what !== '') await this.node.start();
      return what;
    });
    return what !== '' || round.wrong.length > 0 ? round : undefined;
  }

  /** Kills at a random moment, then again before the `step`-th step of the start that follows. @returns undefined when the start has fewer */
  async recoveryRound(operation: Operation, step: number): Promise<Round | undefined> {
    const delayMs = Math.round(this.#prng.next() * (this.#typicalMs.get(operation.name) ?? 100));
    let what = '';
    const how = `daemon after ${delayMs} ms, then step ${step} of its start`;
    const round = await this.#round(operation, how, async (run) => {
      const running = run();
      await sleep(delayMs);
      await this.node.crash('both');
      await running;
      what = await this.node.startAndDie(step);
      if (what !== '') await this.node.start();
      return what;
    });
    return what !== '' || round.wrong.length > 0 ? round : undefined;
  }

  /** Whether another round can be had: the daemon runs and answers. */
  async isUsable(): Promise<boolean> {
    return this.node.pid > 0 && (await this.node.api.text('/_ping').catch(() => '')) === 'OK';
  }

  /** `crash` begins the operation, lets it happen and brings the daemon back; what it answers is told with the round. */
  async #round(
    operation: Operation,
    how: string,
    crash: (run: () => Promise<void>) => Promise<string>,
  ): Promise<Round> {
    const { node } = this;
    this.#count += 1;
    const round = this.#count;
    const brief = new Brief(node, round);
    let acknowledged = false;
    let failure: unknown;
    let about = { operation: operation.name, round, how };
    try {
      await operation.prepare?.(node, round);
      await brief.start(this.#prng.next() * 1200);
      const run = async (): Promise<void> => {
        try {
          await operation.run(node, round);
          acknowledged = true;
        } catch (error) {
          failure = error;
        }
        await this.#ledger.end();
      };
      this.#ledger.begin();
      const more = await crash(run);
      about = { ...about, how: `${how} ${more}`.trim() };
      if (failure !== undefined && !(failure instanceof Cut)) throw failure;
      await node.untilCluster();
      const wrong = await this.#look(operation, round, acknowledged, brief);
      return { ...about, acknowledged, wrong };
    } catch (error) {
      await this.#ledger.end();
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { ...about, acknowledged, wrong: [text] };
    }
  }

  async #look(
    operation: Operation,
    round: number,
    acknowledged: boolean,
    brief: Brief,
  ): Promise<string[]> {
    const wrong = await this.#witnesses.check();
    wrong.push(...(await this.#ledger.check()));
    wrong.push(...(await operation.check(this.node, round, { ...UNDISTURBED, acknowledged })));
    wrong.push(...(await brief.check()));
    wrong.push(...(await this.#witnesses.checkLogsCommand()));
    wrong.push(...(await this.#leftovers()));
    wrong.push(...this.#probeFailures());
    return wrong;
  }

  async #leftovers(): Promise<string[]> {
    let found: string[] = [];
    await until(() => {
      found = difference(this.#before, this.#snapshot());
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

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
