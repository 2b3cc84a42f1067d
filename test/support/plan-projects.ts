// Projects of the tests of `tcompose plan` and `diff`: a folder with a compose file that a test changes, and what a plan says of the containers.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result, TestNode } from './test-node.ts';

export const WEB = 'image: "busybox:test", stop_grace_period: 100ms, command: sleep 1000';

export interface Project {
  readonly cwd: string;
  run(...args: readonly string[]): Promise<Result>;
  /** Another content of compose.yaml. */
  write(text: string): void;
}

export function projectOf(node: TestNode, name: string, text: string): Project {
  const cwd = node.project(name, { 'compose.yaml': text });
  return {
    cwd,
    run: (...args) => node.tcompose(args, { cwd }),
    write: (changed) => writeFileSync(join(cwd, 'compose.yaml'), changed),
  };
}

/** What a plan says of the containers: `start web.1`. */
export async function planned(project: Project, ...flags: readonly string[]): Promise<string[]> {
  const { stdout } = await project.run('plan', '--format', 'json', ...flags);
  const { tasks } = JSON.parse(stdout) as {
    tasks: readonly { action: string; service: string; slot: number }[];
  };
  return tasks.map(({ action, service, slot }) => `${action} ${service.split('_')[1]}.${slot}`);
}
