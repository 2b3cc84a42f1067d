// The node's network as the worker knows it: makes its folders, loads the networks of this node alone, and puts manager and API together.
import type { EngineJson, LocalNetworkEngine } from '#protocol/engine';
import { makeFolder } from '../files.ts';
import { LocalNetworkApi } from './local-network-api.ts';
import { LocalNetworks } from './local-networks.ts';
import { NodeNetworks } from './network-manager.ts';
import type { NetworkDeps, NetworkOptions, NetworkService } from './types.ts';

/** A network that is ready for its first container; nothing is in the kernel yet that a container would need. */
export async function createNetworkService(
  options: NetworkOptions,
  deps: NetworkDeps,
): Promise<NetworkService> {
  await makeFolder(options.dataDir);
  await makeFolder(`${options.runDir}/netns`);
  await makeFolder(`${options.runDir}/containers`);
  // The responder has given up its rights when it reads its data again.
  await makeFolder(`${options.runDir}/names`, 0o755);
  const local = new LocalNetworks(`${options.dataDir}/networks.json`, deps.clock, deps.random);
  await local.load();
  const manager = new NodeNetworks(options, deps, local);
  await manager.prepare();
  const api: LocalNetworkEngine = new LocalNetworkApi(local, manager, deps);
  return {
    manager,
    api,
    mesh: () => manager.meshDescription(),
    renewMeshKey: () => manager.renewMeshKey(),
    setMeshPort: (port) => manager.setMeshPort(port),
    check: () => manager.checkNetwork(),
    left: () => manager.sweeper.left(),
    sweep: () => manager.sweeper.sweep(),
    info: async (): Promise<EngineJson> => ({ Network: ['bridge', 'host', 'none', 'overlay'] }),
    stop: () => manager.stop(),
    rest: async () => {
      await manager.rest();
      await manager.forgetMeshKey();
    },
    removeAll: () => manager.removeAll(),
  };
}
