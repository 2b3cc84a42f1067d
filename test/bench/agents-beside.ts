// Simulated agents for a benchmark of a real node: a process of their own in the node's network namespace, so that what they cost is not counted as the node's.
import { spawn } from 'node:child_process';
import type { TestNode } from '../support/test-node.ts';

/** `address`: of the node's manager. Resolves when all have joined. @returns ends them */
export async function joinAgents(
  node: TestNode,
  address: string,
  count: number,
): Promise<() => void> {
  const joined = await node.tswarm(['join-token', '-q', 'worker']);
  if (joined.code !== 0) throw new Error(joined.stderr);
  const script = new URL('dashboard-agents.ts', import.meta.url).pathname;
  const args = ['--conditions=source', script, address, joined.stdout.trim(), String(count)];
  const child = spawn('nsenter', [`--net=${node.netns}`, process.execPath, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the agents ended: ${code}`)));
  });
  return () => void child.kill();
}
