// The other nodes of the cluster, as far as their containers can be reached from here, and on which of them a container is. A name is looked for on this
// node first, then in what the cluster knows of its tasks, and only then on all nodes; `name@node` says it outright.

import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import { type Node, NodeState } from '#protocol/generated/objects';
import { containerNameOf } from '#protocol/ids';
import type { ObjectCache } from '../cache/object-cache.ts';
import type { Context } from '../context.ts';
import { REACH_LIST_MS } from '../limits.ts';
import { callNode, callNodeJson, type NodeAnswer, type NodeCall } from './node-http.ts';

export interface OtherNode {
  readonly id: string;
  readonly hostname: string;
}

/** Where a container is. */
export interface Place {
  /** Undefined: on this node. */
  readonly node: OtherNode | undefined;
  /** As that node knows it. */
  readonly name: string;
}

/** Answers of all nodes that answered, and of which there were none. */
export interface Gathered<T> {
  readonly answers: readonly { readonly node: OtherNode; readonly answer: T }[];
  readonly missing: readonly { readonly node: OtherNode; readonly reason: string }[];
}

export class OtherNodes {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Nodes that live; none while this one commands no cluster. */
  list(): OtherNode[] {
    const cache = this.#cache();
    if (!cache) return [];
    const { nodeId } = this.#context.node.state();
    const out: OtherNode[] = [];
    for (const node of cache.all('node')) {
      if (node.id !== nodeId && node.status?.state === NodeState.READY) out.push(named(node));
    }
    return out;
  }

  /** Nodes that are not asked, and may have something. */
  down(): OtherNode[] {
    const { nodeId } = this.#context.node.state();
    return [...(this.#cache()?.all('node') ?? [])]
      .filter((node) => node.id !== nodeId && node.status?.state !== NodeState.READY)
      .map(named);
  }

  /** @throws TswarmError unavailable */
  call(node: OtherNode, call: NodeCall): Promise<NodeAnswer> {
    return callNode(this.dial(node), call);
  }

  /** Asks all of them at once, each for a limited time. */
  async gather<T>(call: Omit<NodeCall, 'signal'>, signal: AbortSignal): Promise<Gathered<T>> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(REACH_LIST_MS)]);
    const nodes = this.list();
    const settled = await Promise.allSettled(
      nodes.map((node) => callNodeJson(this.dial(node), { ...call, signal: limit })),
    );
    const answers: { node: OtherNode; answer: T }[] = [];
    const missing: { node: OtherNode; reason: string }[] = [];
    for (const [i, result] of settled.entries()) {
      const node = nodes[i] as OtherNode;
      if (result.status === 'fulfilled') answers.push({ node, answer: result.value as T });
      else if (!hasCode(result.reason, 'not_found')) {
        missing.push({ node, reason: messageOf(result.reason) });
      }
    }
    const asked = new Set(nodes.map(({ id }) => id));
    for (const node of this.down()) {
      if (!asked.has(node.id)) missing.push({ node, reason: 'the node is down' });
    }
    return { answers, missing };
  }

  /** @throws TswarmError conflict when it is on several nodes, not_found for an unknown node after `@` */
  async find(idOrName: string, signal: AbortSignal): Promise<Place> {
    const at = idOrName.lastIndexOf('@');
    if (at > 0) return this.#explicit(idOrName.slice(0, at), idOrName.slice(at + 1));
    const here: Place = { node: undefined, name: idOrName };
    const others = this.list();
    if (others.length === 0 || (await this.#isHere(idOrName))) return here;
    const known = this.#fromTasks(idOrName, others);
    if (known) return known;
    const target = `/containers/${encodeURIComponent(idOrName)}/json`;
    const { answers, missing } = await this.gather({ method: 'GET', target }, signal);
    const [first, second] = answers;
    if (first && second)
      throw onSeveral(
        idOrName,
        answers.map(({ node }) => node),
      );
    if (first) return { node: first.node, name: idOrName };
    if (missing.length === 0) return here;
    const silent = missing.map(({ node }) => node.hostname).join(', ');
    throw new TswarmError('not_found', `No such container: ${idOrName} (no answer from ${silent})`);
  }

  #cache(): ObjectCache | undefined {
    const session = this.#context.node.session();
    return session?.cache.isReady ? session.cache : undefined;
  }

  /** A connection to a node's docker.sock. @throws TswarmError unavailable */
  dial(node: OtherNode): ReturnType<NonNullable<ReturnType<Context['node']['session']>>['dial']> {
    const session = this.#context.node.session();
    if (session) return session.dial(node.id);
    throw new TswarmError('unavailable', `node ${node.hostname} cannot be reached from here`);
  }

  #explicit(name: string, wanted: string): Place {
    const cache = this.#cache();
    const found = [...(cache?.all('node') ?? [])].filter(
      (node) => node.id === wanted || named(node).hostname === wanted,
    );
    const [node, another] = found;
    if (!node) throw new TswarmError('not_found', `${name}@${wanted}: no such node`);
    if (another)
      throw onSeveral(
        name,
        found.map((each) => ({ ...named(each), hostname: each.id })),
      );
    const isHere = node.id === this.#context.node.state().nodeId;
    return { node: isHere ? undefined : named(node), name };
  }

  async #isHere(idOrName: string): Promise<boolean> {
    try {
      await this.#context.engine.containers.inspect(idOrName, { size: false });
      return true;
    } catch (error) {
      if (hasCode(error, 'not_found')) return false;
      throw error;
    }
  }

  /** Undefined also when that is ambiguous: then the nodes are asked. */
  #fromTasks(idOrName: string, others: readonly OtherNode[]): Place | undefined {
    const places = new Map<string, Place>();
    for (const task of this.#cache()?.all('task') ?? []) {
      const id = task.status?.containerStatus?.containerId ?? '';
      if (id === '' || !(id.startsWith(idOrName) || containerNameOf(task) === idOrName)) continue;
      const node = others.find((other) => other.id === task.nodeId);
      if (node) places.set(id, { node, name: id });
    }
    const [place, another] = [...places.values()];
    return another ? undefined : place;
  }
}

function named(node: Node): OtherNode {
  return { id: node.id, hostname: node.description?.hostname || node.id };
}

function onSeveral(name: string, nodes: readonly OtherNode[]): TswarmError {
  const choices = nodes.map(({ hostname }) => `${name}@${hostname}`).join(', ');
  return new TswarmError('conflict', `${name} is on several nodes`, {
    hint: `Say which one is meant: ${choices}.`,
  });
}
