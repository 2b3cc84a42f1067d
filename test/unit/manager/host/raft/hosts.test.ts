// Goal: three hosts with asynchronous disks never lose what was acknowledged, and agree, through
// power cuts and message loss; a failed write ends the host before anything that depends on it goes
// out. Method: test/support/raft-host/host-cluster.ts, random events from a seed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Prng } from '#test/support/prng';
import { HostCluster, type HostMember } from '#test/support/raft-host/host-cluster';

const RUNS = Number(process.env.TSWARM_TEST_RUNS ?? 25);
const STEPS = 6_000;
const folder = mkdtempSync(join(tmpdir(), 'tswarm-raft-hosts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('hosts', () => {
  it('keep what was acknowledged through crashes', { timeout: 300_000 }, () => {
    let acknowledged = 0;
    for (let seed = 1; seed <= RUNS; seed++) {
      const prng = new Prng(seed);
      const cluster = new HostCluster(prng, folder);
      const drop = prng.chance(0.5) ? 0.1 : 0;
      for (let step = 0; step < STEPS; step++) {
        cluster.step(drop);
        const member = cluster.members[prng.below(3)] as HostMember;
        if (member.host !== null && prng.chance(0.001)) cluster.crash(member);
        else if (member.host === null && prng.chance(0.01)) cluster.boot(member);
      }
      cluster.settle(200);
      const [first, ...others] = cluster.members.map(({ texts }) => texts);
      for (const other of others) expect(other, `seed ${seed}`).toEqual(first);
      expect(new Set(first).size, `seed ${seed}: applied twice`).toBe(first?.length);
      const missing = cluster.acknowledged.filter((text) => !first?.includes(text));
      expect(missing, `seed ${seed}`).toEqual([]);
      acknowledged += cluster.acknowledged.length;
    }
    expect(acknowledged).toBeGreaterThan(RUNS * 20);
  });

  it('a failed write is fatal, and nothing that depends on it is sent', () => {
    const cluster = new HostCluster(new Prng(1), folder);
    cluster.settle(100);
    const leader = cluster.members.find(({ host }) => host?.status().role === 'leader');
    const follower = cluster.members.find((member) => member !== leader) as HostMember;
    follower.disk.failNext(new Error('EIO'));
    const before = follower.host?.status().lastIndex ?? 0;
    for (let i = 0; i < 3_000 && follower.fatal === null; i++) cluster.step(0);
    expect(follower.fatal?.message).toContain('EIO');
    const match = leader?.host?.status().members.find(({ raftId }) => raftId === follower.id);
    expect(match?.matchIndex).toBeLessThanOrEqual(before);
  });
});
