// One real node with a cluster of its own for tests of `tcompose`: projects in folders of their own, and what their containers have become.
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Result, ROOT, TestNode } from './test-node.ts';

/** How a service begins in the files of these tests: the image that every node has, and no time lost when it is stopped. */
export const SERVICE = 'image: "busybox:test", stop_grace_period: 100ms';

/** The program itself, for tests that need it at a terminal or while it runs. */
export const TCOMPOSE: string = join(ROOT, 'dist/cli/tcompose/main.js');

/** A project whose services use what most flags are about; its names are the project's, `flags`. */
export const FLAGS_FILE = `
services:
  web:
    image: busybox:test
    stop_grace_period: 100ms
    environment: {A: "\${FOO:-bar}"}
    command: ["sh", "-c", "echo up; mkdir -p /www; exec httpd -f -p 80 -h /www"]
    ports: ["18180:80", "18181:81/udp"]
    depends_on: [store]
  store:
    image: busybox:test
    stop_grace_period: 30s
    command: ["sh", "-c", "trap '' TERM; trap 'exit 9' USR1; for i in 1 2 3; do echo line $$i; done; while :; do sleep 1; done"]
    volumes: ["data:/data"]
  dbg:
    image: busybox:test
    profiles: [debug]
    command: sleep 1000
volumes: {data: {}}
`;

/** What is looked at of `docker inspect`. */
export interface InspectedState {
  readonly State: { readonly StartedAt: string; readonly Status: string };
}

/** `tcompose` in the folder of one project. */
export type Tcompose = (...args: string[]) => Promise<Result>;

export class ComposeNode extends TestNode {
  /** With a cluster that listens on `port`, and busybox. */
  async up(port: number): Promise<void> {
    await this.start();
    const flags = ['--listen-addr', `127.0.0.1:${port}`, '--advertise-addr', '127.0.0.1'];
    expect((await this.tswarm(['init', ...flags])).stderr).toBe('');
    await this.importBusybox();
  }

  /** A project of its own and tcompose in its folder. */
  projectOf(name: string, files: Readonly<Record<string, string>>): Tcompose {
    const cwd = this.project(name, files);
    return (...args) => this.tcompose(args, { cwd });
  }

  /** What `docker ps` says of the project's containers, stopped ones too: a line each, sorted. */
  async containers(project: string, format = '{{.Names}}'): Promise<string[]> {
    const filter = `label=com.docker.compose.project=${project}`;
    const list = await this.docker(['ps', '-a', '--filter', filter, '--format', format]);
    return list.stdout.trim().split('\n').filter(Boolean).sort();
  }

  /** A field of `docker inspect`. */
  async inspect(name: string, format: string): Promise<string> {
    return (await this.docker(['inspect', '-f', format, name])).stdout.trim();
  }
}
