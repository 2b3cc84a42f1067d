// The requests to tswarm-net (native/PROTOCOL.md) and the events that it sends by itself. Owns the process: started with the first request; when it has
// died it is started again with the next one, and `onLost` says that events may be missed.
import { TswarmError } from '#protocol/errors';
import type { Log } from '#protocol/world';
import { type HelperEvent, JsonLineProcess } from '../json-line-process.ts';
import type { HelperInterface } from './attachment.ts';
import { FLOWS_PER_REQUEST, HELPER_TIMEOUT_MS, LINKS_PER_REQUEST } from './limits.ts';
import { RULE_END, RULE_MESH } from './mesh/addresses.ts';
import type { RoutingItem } from './mesh/routing.ts';
import type { DeviceChange } from './mesh/wireguard.ts';
import type { RuleNames } from './ruleset.ts';
import type { StaleFlow } from './stale-flows.ts';
import type { InterfaceStats } from './types.ts';

/** What somebody else changed of ours. */
export type ChangedPart = 'rules' | 'links' | 'routes' | 'forwarding' | 'firewall';

export interface NetHelperListener {
  onChanged(part: ChangedPart): void;
  /** Addresses or default routes of the host are others. */
  onHostChanged(): void;
  /** A process of `watchProcess` has ended. */
  onEnded(pid: number): void;
  /** The helper died; what it was watching must be asked for again. */
  onLost(): void;
}

/** What there is of the mesh in the kernel. */
export interface MeshInspection {
  readonly links: readonly { readonly name: string; readonly up: boolean; readonly mtu: number }[];
  readonly routes: readonly {
    readonly to: string;
    readonly length: number;
    readonly link: string;
    readonly table: number;
    readonly via?: string;
    /** Ours, through an interface that is not. */
    readonly direct?: boolean;
  }[];
  readonly rules: readonly {
    readonly family: 4 | 6;
    readonly priority: number;
    readonly mark: number;
    readonly mask: number;
    readonly table: number;
    readonly goto: number;
    readonly length: number;
    readonly to?: string;
  }[];
}

/** An interface of the mesh. */
export interface MeshLink {
  readonly name: string;
  readonly mtu: number;
  readonly addresses: readonly string[];
  /** Absent: it is there, somebody else has made it. */
  readonly make?: {
    readonly kind: 'wireguard' | 'vxlan';
    readonly mac?: string;
    readonly vxlan?: { readonly id: number; readonly port: number; readonly local: string };
  };
}

/** The way to an address. */
export interface Path {
  readonly link: string;
  readonly mtuBytes: number;
  /** Next hop; '' = the address is on the link itself. */
  readonly gateway: string;
}

/** What there is of ours in the kernel. */
export interface Inspection {
  readonly links: readonly { readonly name: string; readonly up: boolean }[];
  readonly routes: readonly { readonly to: string; readonly link: string }[];
  readonly forwarding: { readonly v4: boolean; readonly v6: boolean };
}

interface Interfaces {
  readonly netns: string;
  /** Address of the resolver, that the host's ends get. */
  readonly dns: string;
  readonly interfaces: readonly HelperInterface[];
}

/** As tswarm-net answers `path-mtu`; one of another version leaves something out. */
interface PathAnswer {
  readonly mtus?: readonly (number | null)[];
  readonly links?: readonly (string | null)[];
  readonly gateways?: readonly string[];
}

export class NetHelper {
  readonly #process: JsonLineProcess;
  readonly #program: string;

  constructor(nativeDir: string, listener: NetHelperListener, log: Log) {
    this.#program = `${nativeDir}/tswarm-net`;
    this.#process = new JsonLineProcess({
      program: this.#program,
      args: [],
      timeoutMs: HELPER_TIMEOUT_MS,
      onEvent: (event) => deliver(event, listener),
      onLost: (error) => {
        log.warn('network helper ended', { error: error.message });
        listener.onLost();
      },
    });
  }

  /** Makes a namespace at `netns` with its interfaces. Nothing stays when it fails. */
  async attach(
    request: Interfaces & { readonly sysctls: Readonly<Record<string, string>> },
  ): Promise<void> {
    await this.#process.demand({ op: 'attach', ...request });
  }

  /** Adds interfaces to a namespace. */
  async connect(request: Interfaces): Promise<void> {
    await this.#process.demand({ op: 'connect', ...request });
  }

  /** Makes anew what is missing of these interfaces. */
  async repair(request: Interfaces): Promise<void> {
    await this.#process.demand({ op: 'repair', ...request });
  }

  async setDefaultRoutes(netns: string, itf: HelperInterface): Promise<void> {
    await this.#process.demand({ op: 'default-routes', netns, interfaces: [itf] });
  }

  /** Lets a namespace go; its interfaces (`links`: their host ends) go with it, soon after. */
  async detach(netns: string, links: readonly string[]): Promise<void> {
    await this.#process.demand({ op: 'detach', netns, links });
  }

  /** Deletes interfaces at once; absent ones are no error. */
  async deleteLinks(links: readonly string[]): Promise<void> {
    for (let at = 0; at < links.length; at += LINKS_PER_REQUEST) {
      await this.#process.demand({
        op: 'delete',
        links: links.slice(at, at + LINKS_PER_REQUEST),
      });
    }
  }

  async nft(script: string): Promise<void> {
    await this.#process.demand({ op: 'nft', script });
  }

  /** What nft prints for a command, with handles. @throws TswarmError when it has nothing to print */
  async nftList(command: string): Promise<string> {
    const answer = await this.#process.demand({ op: 'nft-list', script: command });
    return String(answer.output);
  }

  async forgetFlows(gone: readonly string[], udp: readonly StaleFlow[]): Promise<void> {
    await this.#process.demand({ op: 'conntrack', gone, udp });
  }

  /** TCP connections that nobody has answered. */
  async forgetUnanswered(flows: readonly StaleFlow[]): Promise<void> {
    for (let at = 0; at < flows.length; at += FLOWS_PER_REQUEST) {
      const unanswered = flows.slice(at, at + FLOWS_PER_REQUEST);
      await this.#process.demand({ op: 'conntrack', unanswered });
    }
  }

  async sysctl(values: Readonly<Record<string, string>>): Promise<void> {
    await this.#process.demand({ op: 'sysctl', values });
  }

  async inspect(linkPrefix: string): Promise<Inspection> {
    const answer = await this.#process.demand({ op: 'inspect', links: linkPrefix });
    return answer as unknown as Inspection;
  }

  /** Makes (or takes as it is) an interface of the mesh and sets it up. @throws TswarmError not_supported when the kernel does not know the kind */
  async meshLink({ name, mtu, addresses, make }: MeshLink): Promise<void> {
    await this.#process.demand({
      op: 'link',
      ...(make ? { make: { name, mtu, ...make } } : {}),
      set: { name, mtu, addresses },
    });
  }

  /** Only makes it, down. False when it was there. */
  async makeLink(name: string, kind: 'wireguard', mtu: number): Promise<boolean> {
    const answer = await this.#process.demand({ op: 'link', make: { name, kind, mtu } });
    return answer.made === true;
  }

  /** Removals first; adding what is there and removing what is not are no errors. */
  async routing(add: readonly RoutingItem[], remove: readonly RoutingItem[]): Promise<void> {
    await this.#process.demand({ op: 'routing', add, remove });
  }

  async inspectMesh(
    links: string,
    rules: { readonly min: number; readonly max: number },
  ): Promise<MeshInspection> {
    const answer = await this.#process.demand({
      op: 'inspect-mesh',
      links,
      ruleMin: rules.min,
      ruleMax: rules.max,
    });
    return answer as unknown as MeshInspection;
  }

  async wireguardGet(link: string): Promise<Readonly<Record<string, unknown>>> {
    return this.#process.demand({ op: 'wireguard-get', link });
  }

  async wireguardSet(link: string, change: DeviceChange): Promise<void> {
    await this.#process.demand({ op: 'wireguard-set', link, ...change });
  }

  /** How the kernel would send to these addresses; undefined = not at all. */
  async paths(to: readonly string[]): Promise<readonly (Path | undefined)[]> {
    const answer = await this.#process.demand({ op: 'path-mtu', to });
    const { mtus, links, gateways } = answer as unknown as PathAnswer;
    if (!mtus || !links || !gateways) throw otherVersion(this.#program, 'path-mtu');
    return links.map((link, index) => {
      const mtuBytes = mtus[index];
      return link === null || typeof mtuBytes !== 'number'
        ? undefined
        : { link, mtuBytes, gateway: gateways[index] ?? '' };
    });
  }

  /** Counters of these interfaces, undefined for those that are not there. */
  async counters(links: readonly string[]): Promise<readonly (InterfaceStats | undefined)[]> {
    const answer = await this.#process.demand({ op: 'counters', links });
    return (answer.counters as readonly (InterfaceStats | null)[]).map((item) => item ?? undefined);
  }

  /** From now on `onChanged` is told. */
  async watch(names: RuleNames): Promise<void> {
    await this.#process.demand({
      op: 'watch',
      table: names.table,
      links: names.links,
      mesh: names.mesh.prefix,
      ruleMin: RULE_MESH,
      ruleMax: RULE_END,
    });
  }

  /** `onEnded` is told about this process (one at a time). @throws TswarmError when there is no such process */
  async watchProcess(pid: number, startTime: number): Promise<void> {
    await this.#process.demand({ op: 'watch-process', pid, startTime });
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}

function otherVersion(program: string, op: string): TswarmError {
  return new TswarmError('internal', `${program} answers ${op} as another version than this node`, {
    hint: 'Install the programs and the daemon of one release, then restart the daemon.',
  });
}

function deliver(event: HelperEvent, listener: NetHelperListener): void {
  if (event.event === 'changed') {
    if (event.what === 'addresses') listener.onHostChanged();
    else listener.onChanged(event.what as ChangedPart);
  }
  if (event.event === 'ended') listener.onEnded(event.pid as number);
}
