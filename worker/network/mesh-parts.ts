// The parts of the mesh put together for one node: which program makes the tunnel, where its key and memory lie, how often its peers are looked at.
import { HostWatch } from './host-watch.ts';
import {
  HANDSHAKE_FIRST_MS,
  HANDSHAKE_STALE_MS,
  MESH_LOOK_PERIOD_MS,
  RELAY_HUSH_MS,
  WIREGUARD_GO,
} from './limits.ts';
import type { MeshNames } from './mesh/addresses.ts';
import { KernelDevice } from './mesh/kernel-device.ts';
import { Mesh } from './mesh/mesh.ts';
import { MeshWatch } from './mesh/mesh-watch.ts';
import { probe } from './mesh/probe.ts';
import { RelayFinder } from './mesh/relay-finder.ts';
import { UserspaceDevice } from './mesh/userspace-device.ts';
import type { NetHelper } from './net-helper.ts';
import { hushScript, type RuleNames, unhushScript } from './ruleset.ts';
import type { NetworkDeps, NetworkOptions } from './types.ts';

/** The mesh of this node, with its key, memory and port in the node's folders. */
export function meshOf(
  { dataDir, runDir, nativeDir, meshPort }: NetworkOptions,
  names: MeshNames,
  helper: NetHelper,
  { clock, log }: NetworkDeps,
  replanned: () => void,
): Mesh {
  return new Mesh(
    {
      names,
      keyFile: `${dataDir}/mesh-key`,
      memoryFile: `${runDir}/mesh.json`,
      portFile: `${dataDir}/mesh-port`,
      port: meshPort,
    },
    {
      helper,
      kernel: new KernelDevice(helper, names.tunnel),
      userspace: new UserspaceDevice({
        link: names.tunnel,
        programs: [`${nativeDir}/wireguard-go`, ...WIREGUARD_GO],
        pidFile: `${runDir}/mesh.pid`,
        logFile: `${runDir}/mesh.log`,
      }),
      clock,
      log,
      probe: (addresses) => probe(`${nativeDir}/tswarm-net`, 0, addresses),
      replanned,
    },
  );
}

/** Looks whether the nodes of the mesh answer; what changes is in the log, and told. */
export function meshWatchOf(
  mesh: Mesh,
  names: RuleNames,
  helper: NetHelper,
  { nativeDir }: NetworkOptions,
  { clock, log, meshChanged }: NetworkDeps,
): MeshWatch {
  return new MeshWatch(
    {
      device: () => mesh.device(),
      plan: () => mesh.plan,
      followPaths: () => mesh.followPaths(),
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      periodMs: MESH_LOOK_PERIOD_MS,
      relays: new RelayFinder({
        probe: (addresses) => probe(`${nativeDir}/tswarm-net`, 0, addresses),
        hush: (address) => helper.nft(hushScript(names, address, RELAY_HUSH_MS)),
        unhush: () => helper.nft(unhushScript(names)),
        log,
      }),
      changed: (faults) => {
        for (const fault of faults) log.warn('mesh', { fault });
        if (faults.length === 0) log.info('all nodes of the mesh answer');
        meshChanged?.();
      },
    },
    { firstMs: HANDSHAKE_FIRST_MS, staleMs: HANDSHAKE_STALE_MS },
  );
}

/** Follows this host to its new addresses: other nodes hear from there, rules and managers follow. */
export function hostWatchOf(
  mesh: Mesh,
  { log, meshChanged, hostChanged }: NetworkDeps,
  addresses: () => readonly string[],
  rulesChange: () => void,
): HostWatch {
  return new HostWatch({
    addresses,
    moved: (now) => {
      log.info('this host has other addresses', { now: now.join(' ') });
      // What fails in the mesh is logged and tried again there.
      void mesh.hostMoved().then(() => {
        rulesChange();
        meshChanged?.();
      });
    },
    looked: () => {
      void mesh.followPaths();
      hostChanged?.();
    },
  });
}
