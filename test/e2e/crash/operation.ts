// What an operation inside which the node is killed consists of, and small things that several of them need.
import type { CrashNode } from './crash-node.ts';
import { type Json, Refused } from './engine-client.ts';
import { createAndStart, nameOf } from './witnesses.ts';

/** What became of an operation. */
export interface Outcome {
  /** The daemon said that it was done. */
  readonly acknowledged: boolean;
  /** The host went down: no process of before can run, and what no policy brings back has ended. */
  readonly rebooted: boolean;
  /** The disk may have lost what containers wrote without syncing. */
  readonly diskLost: boolean;
}

export interface Operation {
  readonly name: string;
  prepare?(node: CrashNode, round: number): Promise<void>;
  /** @throws Cut when it was cut short; anything else is a failure */
  run(node: CrashNode, round: number): Promise<void>;
  /** What was acknowledged is there, what was not is there completely or not at all; in the end nothing is left. @returns what is wrong */
  check(node: CrashNode, round: number, outcome: Outcome): Promise<string[]>;
}

/** How it is when nothing was killed. */
export const UNDISTURBED: Outcome = { acknowledged: true, rebooted: false, diskLost: false };

export async function findContainer(node: CrashNode, name: string): Promise<Json | undefined> {
  return (await node.api.list('/containers/json?all=1')).find((item) => nameOf(item) === name);
}

export async function stateOf(node: CrashNode, name: string): Promise<Json> {
  return (await node.api.json('GET', `/containers/${name}/json`)).State as Json;
}

export async function hasImage(node: CrashNode, ref: string): Promise<boolean> {
  try {
    await node.api.json('GET', `/images/${ref}/json`);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return false;
    throw error;
  }
}

export async function runToEnd(
  node: CrashNode,
  name: string,
  Image: string,
  Cmd?: readonly string[],
): Promise<{ code: number; output: string }> {
  const HostConfig = { NetworkMode: 'none' };
  const body = { Image, HostConfig, ...(Cmd ? { Cmd } : {}) };
  await createAndStart(node, name, body);
  const { StatusCode } = await node.api.json('POST', `/containers/${name}/wait`);
  const { stdout, stderr } = await node.docker(['logs', name]);
  await node.api.text(`/containers/${name}`, 'DELETE');
  return { code: Number(StatusCode), output: stdout + stderr };
}
