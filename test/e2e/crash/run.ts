// npm run crash -- [--kills N] [--seed N] [--only create,pull,…] [--reboots N]: many kills inside every operation, then reboots; a line for each round
// that found something, a table at the end, exit code 1 when anything was found. Needs root, docker (the client) and docker-registry.
import { appendFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Prng } from '../../support/prng.ts';
import { OPERATIONS } from './operations.ts';
import { runReboots } from './reboots.ts';
import { CrashBench } from './rounds.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    reboots: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    'keep-log': { type: 'string', default: '' },
    'stop-at-first': { type: 'boolean', default: false },
  },
});

const kills = Number(values.kills);
const prng = new Prng(Number(values.seed));
const only = values.only === '' ? [] : values.only.split(',');
const chosen = OPERATIONS.filter(({ name }) => only.length === 0 || only.includes(name));
const found = new Map<string, number>();
const cut = new Map<string, number>();
let bad = 0;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

if (chosen.length > 0 && kills > 0) {
  const bench = await CrashBench.start(prng);
  let stop = false;
  process.on('SIGINT', () => {
    stop = true;
  });
  try {
    for (let i = 0; i < kills && !stop; i++) {
      for (const operation of chosen) {
        if (stop) break;
        const round = await bench.round(operation);
        if (!round.acknowledged) cut.set(operation.name, (cut.get(operation.name) ?? 0) + 1);
        const { wrong, ...about } = round;
        if (wrong.length === 0) continue;
        bad += 1;
        found.set(operation.name, (found.get(operation.name) ?? 0) + 1);
        say(`${JSON.stringify(about)}\n  ${wrong.join('\n  ')}`);
        if (values['keep-log'] !== '') {
          writeFileSync(values['keep-log'], bench.node.log(200_000));
          appendFileSync(values['keep-log'], `\n${JSON.stringify(round, null, 1)}\n`);
        }
        if (values['stop-at-first']) stop = true;
      }
    }
    for (const line of await bench.finish(true)) {
      bad += 1;
      say(line);
    }
  } finally {
    await bench[Symbol.asyncDispose]();
  }
  for (const { name } of chosen) {
    say(
      `${name}: ${kills} kills, ${cut.get(name) ?? 0} cut it short, ${found.get(name) ?? 0} wrong`,
    );
  }
}

if (only.length === 0 || only.includes('reboot')) {
  const reboots = Number(values.reboots);
  const wrong = await runReboots(prng, reboots);
  bad += wrong.length;
  for (const line of wrong) say(line);
  say(`reboot: ${reboots} reboots, ${wrong.length} wrong`);
}

process.exitCode = bad === 0 ? 0 : 1;
