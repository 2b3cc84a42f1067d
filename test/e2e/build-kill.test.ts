// A worker that is killed in the middle of a build. Goal: the next one takes everything of it away
// (process, mounts, folders), keeps the cached steps and builds on. Needs root.
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BUILD_DEFAULTS, outputOf } from '../support/builds.ts';
import { streamOf, tarOf } from '../support/image-tar.ts';
import { linesOf } from '../support/images.ts';
import { eventually, WorkerNode } from '../support/worker-node.ts';

it('leaves nothing but the cache', async () => {
  const folder = mkdtempSync('/run/tsw-test-');
  const child = spawn(
    process.execPath,
    ['--conditions=source', join(import.meta.dirname, '../support/build-child.ts'), folder],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
      if (output.includes('\nnow\n')) child.kill('SIGKILL');
    });
    child.once('close', () => resolve());
  });
  expect(output).toContain('\nnow\n');
  const node = new WorkerNode(folder);
  try {
    await node.start();
    const folders = ['images/rootfs', 'build/steps', 'build/contexts', 'build/views'];
    await eventually(async () => {
      const left = folders.map((name) => readdir(join(folder, 'data', name)).catch(() => []));
      return (await Promise.all(left)).flat().length === 0;
    });
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    expect(mounts.split('\n').filter((line) => line.includes(`${folder}/data`))).toEqual([]);
    expect(await sleepers()).toEqual([]);
    const dockerfile = 'FROM bb:1\nRUN echo cached > /cached\nCOPY f /f\nRUN cat /cached /f\n';
    const context = streamOf(await tarOf({ Dockerfile: dockerfile, f: 'F' }));
    const options = { ...BUILD_DEFAULTS, networkMode: 'none' };
    const lines = await linesOf(
      node.engine.images.build(context, options, new AbortController().signal),
    );
    expect(outputOf(lines).match(/Using cache/g)).toHaveLength(2);
    expect(outputOf(lines)).toContain('cached\nF');
  } finally {
    await node.destroy();
  }

  /** Processes of the step that still run. */
  async function sleepers(): Promise<string[]> {
    const found: string[] = [];
    for (const pid of await readdir('/proc')) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (line.includes(folder) && pid !== String(process.pid)) found.push(line);
    }
    return found.filter((line) => line.includes('tswarm-shim'));
  }
});
