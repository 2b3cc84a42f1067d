// How long a daemon takes to come back to its containers: kill -9, start, until it answers and shows all of them running, beside the same without containers.
// Run as root: node --conditions=source test/bench/adoption.ts [containers] [rounds]
import { performance } from 'node:perf_hooks';
import { TestNode, until } from '../support/test-node.ts';

const [containers = 50, rounds = 5] = process.argv.slice(2).map(Number);

async function comeBack(node: TestNode, expected: number): Promise<number> {
  await node.stop('SIGKILL');
  const started = performance.now();
  await node.start();
  await until(async () => {
    const list = JSON.parse((await node.curl('/containers/json')).stdout) as unknown[];
    return list.length === expected;
  }, 60_000);
  return performance.now() - started;
}

async function measure(node: TestNode, expected: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await comeBack(node, expected));
  return times.sort((a, b) => a - b)[rounds >> 1] ?? Number.NaN;
}

await using node = new TestNode();
await node.start();
await node.importBusybox();
const without = await measure(node, 0);
for (let n = 0; n < containers; n++) {
  await node.docker(['run', '-d', '--network', 'none', 'busybox:test', 'sleep', '1000']);
}
const withThem = await measure(node, containers);
process.stdout.write(
  `start of the daemon: ${without.toFixed(0)} ms without containers, ${withThem.toFixed(0)} ms with ${containers}: ` +
    `${((withThem - without) / containers).toFixed(1)} ms per container (median of ${rounds})\n`,
);
