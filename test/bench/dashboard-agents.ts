// Simulated agents beside a real node (started by agents-beside.ts): joins so many to the manager at an address, and stays until its input ends. Runs in the network namespace of the node.
import { hostname } from 'node:os';
import { hasCode } from '#protocol/errors';
import { DispatcherService } from '#protocol/generated/dispatcher';
import { NodeAvailability } from '#protocol/generated/specs';
import { clientOf, connectChannel } from '#protocol/transport/grpc';
import { joinCluster } from '#worker/identity/join';
import { newCounters, SimulatedAgent } from '../support/simulated-agent.ts';

const [address = '', token = '', count = ''] = process.argv.slice(2);
const AT_ONCE = 5;
const AGAIN_MS = 500;
const counters = newCounters();

/** A manager takes so many new members of one address at a time, and no more. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!hasCode(error, 'resource_exhausted')) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

async function join(index: number): Promise<void> {
  const name = `${hostname()}-agent${String(index).padStart(3, '0')}`;
  const request = { address, token, hostname: name, availability: NodeAvailability.ACTIVE };
  const { identity } = await patiently(() => joinCluster(request));
  const channel = connectChannel(address, identity, 'swarm-manager');
  await new SimulatedAgent(clientOf(DispatcherService, channel), name, counters).start();
}

for (let from = 0; from < Number(count); from += AT_ONCE) {
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => join(from + i)));
}
process.stdout.write('joined\n');
process.stdin.on('end', () => process.exit(0)).resume();
