// Goal: what the simulator claims to prove, it runs: in 200 seeds at least 90 percent of the lines of
// Raft, WAL, store, authority and dispatcher. Method: coverage.ts in a process of its own, because V8
// must count from the loading of the modules on.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

describe('the simulator', () => {
  it('runs the lines that it is about', { timeout: 1_800_000 }, () => {
    const script = join(import.meta.dirname, 'coverage.ts');
    const result = spawnSync(process.execPath, ['--conditions=source', script], {
      encoding: 'utf8',
    });
    expect(result.status, result.stdout + result.stderr).toBe(0);
    expect(result.stdout.match(/lines run/g)).toHaveLength(5);
  });
});
