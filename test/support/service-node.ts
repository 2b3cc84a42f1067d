// One real node with a cluster of its own for tests of `tswarm service`: the command, and what it made of a service and its container.
import { expect } from 'vitest';
import { TestNode } from './test-node.ts';

export const SLEEP: readonly string[] = ['busybox:test', 'sleep', '1000'];

export interface Inspected {
  readonly Spec: object;
  readonly UpdateStatus?: { readonly State: string };
}

export class ServiceNode extends TestNode {
  /** With a cluster that listens on `port`, resources to ask for, and busybox. */
  async up(port: number): Promise<void> {
    await this.start(['--generic-resources', 'GPU=g1,GPU=g2,SSD=3']);
    const flags = ['--listen-addr', `127.0.0.1:${port}`, '--advertise-addr', '127.0.0.1'];
    expect((await this.tswarm(['init', ...flags])).stderr).toBe('');
    await this.importBusybox();
  }

  service(...args: string[]): ReturnType<TestNode['tswarm']> {
    return this.tswarm(['service', ...args], { timeoutMs: 60_000 });
  }

  async inspect(name: string): Promise<Inspected> {
    const out = await this.service('inspect', name);
    return (JSON.parse(out.stdout) as [Inspected])[0];
  }

  /** Runs a command in the service's container. */
  async insideService(name: string, ...command: string[]): Promise<string> {
    const result = await this.docker(['exec', await this.#containerOf(name), ...command]);
    return result.stdout.trim();
  }

  /** `docker inspect` of the service's container. */
  async container(name: string): Promise<object> {
    const out = await this.docker(['inspect', await this.#containerOf(name)]);
    return (JSON.parse(out.stdout) as [object])[0];
  }

  async #containerOf(name: string): Promise<string> {
    const label = `label=com.docker.swarm.service.name=${name}`;
    const ids = await this.docker(['ps', '-q', '--filter', label]);
    return ids.stdout.split('\n')[0] ?? '';
  }
}
