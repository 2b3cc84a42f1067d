// Goal: what containers could leave behind is found and taken away by `tswarm doctor --repair`, and nothing else is touched. Method: one node with a container that runs; one
// thing of each kind is planted under an id that no container has.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { type Result, TestNode } from '../support/test-node.ts';

const LOST_ID = 'ab'.repeat(32);

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
});

afterAll(async () => {
  spawnSync('umount', ['-l', join(node.runRoot, 'c', LOST_ID, 'mnt')]);
  await node[Symbol.asyncDispose]();
});

const doctor = (...flags: string[]): Promise<Result> => node.tswarm(['doctor', ...flags]);

interface Report {
  readonly findings: readonly { readonly Check: string; readonly Faults: readonly string[] }[];
  readonly faults: readonly string[];
}

/** Plants one left-over of each kind. @returns the process, the control group and the interface */
function plant(): { readonly pid: number; readonly cgroup: string; readonly link: string } {
  const tag = readFileSync(join(node.dataRoot, 'node-tag'), 'utf8').trim();
  const mount = join(node.runRoot, 'c', LOST_ID, 'mnt');
  mkdirSync(mount, { recursive: true });
  expect(spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', mount]).status).toBe(0);
  mkdirSync(join(node.dataRoot, 'containers', LOST_ID));
  writeFileSync(join(node.runRoot, 'network/netns', LOST_ID), '');
  const hierarchy = existsSync('/sys/fs/cgroup/cgroup.controllers')
    ? '/sys/fs/cgroup'
    : '/sys/fs/cgroup/pids';
  const cgroup = join(hierarchy, `tswarm-${tag}`, LOST_ID);
  mkdirSync(cgroup, { recursive: true });
  const { pid = 0 } = spawn('sleep', ['1000'], { stdio: 'ignore' });
  writeFileSync(join(cgroup, 'cgroup.procs'), String(pid));
  const link = `t${tag}left`;
  const made = ['ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', `t${tag}lef2`];
  expect(spawnSync('nsenter', [`--net=${node.netns}`, ...made]).status).toBe(0);
  return { pid, cgroup, link };
}

const hasProcess = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');

describe('doctor', () => {
  it('finds nothing on a node that is well, in a cluster or in none', async () => {
    const none = await doctor();
    expect([none.code, none.stdout]).toEqual([0, expect.stringMatching(/cluster +ok +in none/)]);
    expect(
      (await node.docker(['run', '-d', '--name', 'stays', 'busybox:test', 'sleep', '1000'])).code,
    ).toBe(0);
    const well = await doctor();
    expect([well.code, well.stdout]).toEqual([0, expect.stringMatching(/left-overs +ok +none/)]);
  });

  flagTest('tswarm doctor', ['--repair', '--json'], 'takes away what is planted', async () => {
    const { pid, cgroup, link } = plant();
    const found = await doctor('--json');
    expect(found.code).toBe(1);
    const report = JSON.parse(found.stdout) as Report;
    const kinds = report.faults.map((fault) => fault.split(' ')[0]);
    for (const kind of ['folder', 'mount', 'cgroup', 'interface', 'namespace']) {
      expect(kinds, found.stdout).toContain(kind);
    }
    expect(report.faults.at(-1)).toContain('tswarm doctor --repair');
    // Looking has changed nothing.
    expect([existsSync(cgroup), hasProcess(pid)]).toEqual([true, true]);

    const repaired = await doctor('--repair');
    expect([repaired.code, repaired.stdout]).toEqual([
      0,
      expect.stringMatching(/left-overs +ok +\d+ taken away/),
    ]);
    expect([existsSync(cgroup), hasProcess(pid)]).toEqual([false, false]);
    expect(existsSync(join(node.runRoot, 'c', LOST_ID))).toBe(false);
    const links = await node.inside('ip', ['-br', 'link']);
    expect(links.stdout).not.toContain(link);
    const stays = await node.docker(['inspect', '-f', '{{.State.Status}}', 'stays']);
    expect(stays.stdout).toBe('running\n');
  });
});
