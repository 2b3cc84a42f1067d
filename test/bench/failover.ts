// How long a cluster of three real managers does without a leader, as clients of the two others see it: after kill -9 of the leader, and when the leader is stopped in
// order. The longest time without an acknowledged change, over several rounds, and changes whose outcome their clients did not learn.
//   npm run bench:failover -- [ROUNDS [stop]]
import { Lab } from '../support/cluster-lab/lab.ts';
import { type Progress, RegisterClients } from '../support/register-clients.ts';

const MANAGERS = ['m1', 'm2', 'm3'];
const CLIENTS = 4;
const SETTLE_MS = 4_000;

const rounds = Number(process.argv[2] ?? 5);
const HOWS = process.argv[3] === 'stop' ? (['stop'] as const) : (['kill', 'stop'] as const);
await using lab = new Lab(`bench-${process.pid}`);
await lab.up({ managers: 3, workers: 0, progress: (line) => process.stderr.write(`${line}\n`) });
let prefix = 0;
for (const how of HOWS) {
  const gapsMs: number[] = [];
  let unknown = 0;
  for (let round = 0; round < rounds; round++) {
    const result = await oneRound(how);
    gapsMs.push(result.gapMs);
    unknown += result.unknown;
  }
  gapsMs.sort((a, b) => a - b);
  const text = gapsMs.map((ms) => ms.toFixed(0)).join(' ');
  const what = how === 'kill' ? 'kill -9 of the leader' : 'leader stopped in order';
  process.stdout.write(`${what}: longest pause in ms: ${text}; changes that failed: ${unknown}\n`);
}

async function oneRound(how: 'kill' | 'stop'): Promise<Progress> {
  const leader = await leaderName();
  const others = MANAGERS.filter((name) => name !== leader);
  const sockets = others.map((name) => lab.paths(name).socket);
  prefix += 1;
  const clients = new RegisterClients(sockets, CLIENTS, `bench-${prefix}`);
  await clients.prepare();
  clients.start(CLIENTS);
  await sleep(SETTLE_MS);
  if (how === 'kill') await lab.kill(leader);
  else await lab.stop(leader);
  await sleep(SETTLE_MS);
  const progress = await clients.stop();
  await lab.start(leader);
  await sleep(SETTLE_MS);
  return progress;
}

async function leaderName(): Promise<string> {
  for (;;) {
    for (const name of MANAGERS) {
      const result = await lab.tswarm(name, ['info']);
      if (result.stdout.includes('yes (leader)')) return name;
    }
    await sleep(200);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
