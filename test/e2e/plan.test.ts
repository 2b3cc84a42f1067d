// `tcompose plan`, `diff` and `up --plan` on one real node: a plan says what `up` then does, changes nothing, and a saved one is carried out exactly or not at all.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { planned, projectOf, WEB } from '../support/plan-projects.ts';
import { TestNode } from '../support/test-node.ts';

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

async function containers(name: string): Promise<string[]> {
  const filter = `label=com.docker.compose.project=${name}`;
  const list = await node.docker(['ps', '-aq', '--no-trunc', '--filter', filter]);
  return list.stdout.trim().split('\n').filter(Boolean).sort();
}

describe('tcompose plan', () => {
  it('without a cluster says that there is none, and creates none', async () => {
    const project = projectOf(node, 'none', `services: {web: {${WEB}}}`);
    const { stdout, code } = await project.run('plan');
    expect(stdout).toContain('this host is in no cluster yet');
    expect(stdout).toContain('+ service web');
    expect(code).toBe(0);
    expect((await node.tswarm(['info'])).stdout).toContain('Cluster: inactive\n');
    const init = ['init', '--listen-addr', '127.0.0.1:23797', '--advertise-addr', '127.0.0.1'];
    await node.tswarm(init);
  });

  flagTest('tcompose plan', ['--format', '--detailed-exitcode'], 'of one project', async () => {
    const project = projectOf(node, 'life', `services: {web: {${WEB}}}`);
    const fresh = await project.run('plan', '--detailed-exitcode');
    expect(fresh.stdout).toContain(
      'Plan: 2 to add, 0 to change, 0 to remove. Containers: 1 starts.',
    );
    expect(fresh.code).toBe(2);
    expect(await containers('life')).toEqual([]);
    await project.run('up', '-d');
    const before = await containers('life');
    const same = await project.run('plan', '--detailed-exitcode');
    expect(same.stdout).toContain('No changes: the cluster is as the files say.');
    expect(same.code).toBe(0);
    project.write(`services: {web: {${WEB}, environment: {A: "1"}}}`);
    const changed = await project.run('plan');
    expect(changed.stdout).toMatch(
      /~ service web +1 is replaced; stop-first\n +\+ environment\.A +1\n/,
    );
    expect(changed.stdout).toContain('At risk');
    expect(changed.code).toBe(0);
    expect(await planned(project)).toEqual(['replace web.1']);
    expect(await containers('life')).toEqual(before);
    expect((await project.run('plan', '--format', 'yaml')).stderr).toContain(
      'must be text or json',
    );
  });
});

describe('a saved plan', () => {
  flagTest('tcompose plan', ['--out'], 'is carried out exactly', async () => {
    const project = projectOf(node, 'saved', `services: {web: {${WEB}}}`);
    const made = await project.run('plan', '--out', 'shop.plan');
    expect(made.stdout).toContain('tcompose up --plan shop.plan');
    expect(statSync(join(project.cwd, 'shop.plan')).mode & 0o777).toBe(0o600);
    const up = await project.run('up', '-d', '--plan', 'shop.plan');
    expect(up.stderr).toContain('Container saved-web-1  Started');
    expect(up.code).toBe(0);
    expect(await containers('saved')).toHaveLength(1);
  });

  flagTest('tcompose up', ['--plan'], 'is refused when anything has changed', async () => {
    const project = projectOf(node, 'moved', `services: {web: {${WEB}}}`);
    await project.run('plan', '-o', 'a.plan');
    project.write(`services: {web: {${WEB}, hostname: other}}`);
    const files = await project.run('up', '-d', '--plan', 'a.plan');
    expect(files.stderr).toContain('have changed since the plan was made: service moved_web');
    expect(files.code).toBe(1);
    expect(await containers('moved')).toEqual([]);
    await project.run('plan', '-o', 'b.plan');
    await project.run('up', '-d');
    const there = await containers('moved');
    const cluster = await project.run('up', '-d', '--plan', 'b.plan');
    expect(cluster.stderr).toContain('project moved has changed since the plan was made');
    expect(await containers('moved')).toEqual(there);
    const flags = await project.run('up', '--plan', 'b.plan', '--scale', 'web=2');
    expect(flags.stderr).toContain('--plan cannot be combined with');
    expect((await project.run('-p', 'x', 'up', '--plan', 'b.plan')).stderr).toContain(
      '--plan cannot',
    );
    writeFileSync(join(project.cwd, 'c.plan'), '{"format":"other"}');
    expect((await project.run('up', '--plan', 'c.plan')).stderr).toContain('not a plan');
  });

  it('holds no secret', async () => {
    const project = projectOf(
      node,
      'discreet',
      `services: {web: {${WEB}, secrets: [pw]}}\nsecrets: {pw: {file: pw.txt}}`,
    );
    writeFileSync(join(project.cwd, 'pw.txt'), 'correct horse battery');
    await project.run('plan', '-o', 'a.plan');
    const saved = readFileSync(join(project.cwd, 'a.plan'), 'utf8');
    expect(saved).not.toContain('correct horse');
    expect(saved).not.toContain(Buffer.from('correct horse battery').toString('base64'));
  });
});

describe('a dry run', () => {
  flagTest('tcompose', ['--dry-run'], 'plans, or is refused, and does nothing', async () => {
    const project = projectOf(node, 'dry', `services: {web: {${WEB}}}`);
    const up = await project.run('--dry-run', 'up', '-d', '--scale', 'web=2');
    expect(up.stdout).toContain('Containers: 2 start.');
    expect(up.code).toBe(0);
    expect((await project.run('--dry-run', 'create')).stdout).toContain('+ service web');
    expect((await project.run('--dry-run', 'scale', 'web=3')).stdout).toContain('3 start');
    expect(await containers('dry')).toEqual([]);
    const attach = await project.run('--dry-run', 'attach', 'web');
    expect(attach.stderr).toContain('--dry-run: "attach" cannot be tried out');
    expect(attach.code).toBe(1);
    expect((await project.run('--dry-run', 'config', '--services')).stdout).toBe('web\n');
  });
});

describe('tcompose check', () => {
  flagTest(
    'tcompose check',
    ['--target', '--format', '--detailed-exitcode'],
    'says what other tools would drop, without a daemon',
    async () => {
      const project = projectOf(
        node,
        'check',
        `services: {web: {${WEB}, privileged: true, pid: host}}`,
      );
      const all = await project.run('check');
      expect(all.stdout).toMatch(/compose\.yaml:1 +services\.web\.privileged +· +warns +· +·/);
      expect(all.stdout).toContain('tswarm: does everything in these files');
      expect(all.code).toBe(0);
      const one = await project.run('check', '--target', 'kompose', '--detailed-exitcode');
      expect(one.stdout).toContain('kompose: ignores 1 without a word');
      expect(one.stdout).not.toContain('privileged');
      expect(one.code).toBe(2);
      const json = await project.run('check', '--target', 'compose', '--format', 'json');
      expect(JSON.parse(json.stdout)).toMatchObject({
        targets: ['compose'],
        peers: [],
        deploys: true,
      });
      expect((await project.run('check', '--target', 'nomad')).stderr).toContain('must be compose');
      project.write(`services: {web: {${WEB}, isolation: hyperv}}`);
      const refused = await project.run('check');
      expect(refused.stdout).toMatch(/services\.web\.isolation +refused/);
      expect(refused.code).toBe(1);
    },
  );
});
