// The network of one node as a program, to be run in a network namespace of a test's own. One JSON request a line on stdin: a method of NetworkManager
// (or of its service) and its arguments; one answer a line on stdout: {"id","value"} or {"id","error":{code,message}}.
import { createInterface } from 'node:readline';
import { createLog, nodeClock, nodeRandom } from '#protocol/transport/node-world';
import type { NodeNetworks } from '#worker/network/network-manager';
import { createNetworkService } from '#worker/network/network-service';
import type { NetworkContainers, NetworkService } from '#worker/network/types';

const NO_CONTAINERS: NetworkContainers = {
  resolve: (id) => ({ id, name: id.slice(0, 12), running: true }),
  setAttachment: async () => {},
  removeAttachment: async () => {},
  reattached: () => {},
  usersOf: () => [],
};

/** Added to the monotonic clock, so that tests need not wait for what is seldom. */
let skippedMs = 0;

async function call(service: NetworkService, method: string, args: unknown[]): Promise<unknown> {
  const targets: Record<string, unknown>[] = [
    service.manager as unknown as Record<string, unknown>,
    service.api as unknown as Record<string, unknown>,
  ];
  if (method === 'skipTime') {
    skippedMs += Number(args[0]);
    return;
  }
  if (method === 'removeAll') return service.removeAll();
  if (method === 'mesh') return service.mesh();
  if (method === 'renewMeshKey') return service.renewMeshKey();
  if (method === 'setMeshPort') return service.setMeshPort(Number(args[0]));
  if (method === 'attachMany') {
    const manager = service.manager as NodeNetworks;
    const started = performance.now();
    const results = await Promise.allSettled(
      (args as Parameters<NodeNetworks['attach']>[]).map((one) => manager.attach(...one)),
    );
    return {
      ms: performance.now() - started,
      results: results.map((r) => (r.status === 'fulfilled' ? r.value : String(r.reason))),
    };
  }
  // Most tests are about one host.
  if (method === 'setState') args = [{ peers: [], ...(args[0] as object) }];
  if (method === 'restore') args = [args[0], { peers: [], ...(args[1] as object) }];
  const [kind, name = ''] = method.split('.');
  const target = kind === 'api' ? targets[1] : targets[0];
  const found = target?.[name === '' ? method : name];
  if (typeof found !== 'function') throw new Error(`no method ${method}`);
  return (found as (...list: unknown[]) => unknown).apply(target, args);
}

const [dataDir = '', runDir = '', nativeDir = '', nodeTag = ''] = process.argv.slice(2);
const service = await createNetworkService(
  { dataDir, runDir, nativeDir, nodeTag, meshPort: 0, meshAddress: '' },
  {
    clock: { ...nodeClock, monotonicMs: () => nodeClock.monotonicMs() + skippedMs },
    random: nodeRandom,
    log: createLog({ level: 'info', format: 'text' }),
    events: { emit: () => {} },
    containers: NO_CONTAINERS,
  },
);
process.stdout.write(`${JSON.stringify({ id: 0 })}\n`);
for await (const line of createInterface(process.stdin)) {
  const { id, method, args } = JSON.parse(line) as { id: number; method: string; args: unknown[] };
  call(service, method, args).then(
    (value) => process.stdout.write(`${JSON.stringify({ id, value })}\n`),
    (error: Error & { code?: string }) =>
      process.stdout.write(
        `${JSON.stringify({ id, error: { code: error.code, message: error.message } })}\n`,
      ),
  );
}
await service.stop();
process.exit(0);
