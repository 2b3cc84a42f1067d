// Every flag of `tcompose plan` and `diff` on one real node: it means what it means with `up`.
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { flagTest } from '../../support/flag-tests.ts';
import { planned, projectOf, WEB } from '../../support/plan-projects.ts';
import { TestNode } from '../../support/test-node.ts';

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.tswarm(['init', '--listen-addr', '127.0.0.1:23798', '--advertise-addr', '127.0.0.1']);
  await node.importBusybox();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

describe('tcompose plan', () => {
  flagTest(
    'tcompose plan',
    ['--scale', '--force-recreate', '--no-recreate', '--no-deps', '--remove-orphans'],
    'means what it means with up',
    async () => {
      const project = projectOf(
        node,
        'as-up',
        `services: {web: {${WEB}, depends_on: [db]}, db: {${WEB}}, old: {${WEB}}}`,
      );
      await project.run('up', '-d');
      project.write(
        `services: {web: {${WEB}, hostname: new, depends_on: [db]}, db: {${WEB}, hostname: new}}`,
      );
      expect(await planned(project, '--scale', 'web=2')).toEqual([
        'replace db.1',
        'keep old.1',
        'replace web.1',
        'start web.2',
      ]);
      expect(await planned(project, '--no-recreate')).toEqual([
        'keep db.1',
        'keep old.1',
        'keep web.1',
      ]);
      expect(await planned(project, '--no-deps', 'web')).toEqual([
        'keep db.1',
        'keep old.1',
        'replace web.1',
      ]);
      expect(await planned(project, '--remove-orphans')).toContain('stop old.1');
      await project.run('up', '-d');
      expect(await planned(project, '--force-recreate')).toContain('replace web.1');
      expect(await planned(project)).toContain('keep web.1');
    },
  );

  flagTest(
    'tcompose plan',
    ['--build', '--no-build', '--pull'],
    'says what is not known before images are there',
    async () => {
      const project = projectOf(node, 'images', `services: {web: {${WEB}, build: .}}`);
      await project.run('up', '-d');
      const built = await project.run('plan', '--build');
      expect(built.stdout).toContain('(known after the build)');
      expect((await project.run('plan', '--no-build')).stdout).toContain('No changes');
      project.write(`services: {web: {${WEB}}}`);
      const pulled = await project.run('plan', '--pull', 'always');
      expect(pulled.stdout).toContain('(known after the pull)');
      expect((await project.run('plan', '--pull', 'soon')).stderr).toContain('must be always');
    },
  );
});

describe('tcompose diff', () => {
  flagTest(
    'tcompose diff',
    ['--detailed-exitcode', '--format', '--scale', '--remove-orphans', '--no-recreate'],
    'shows fields of the cluster and of the files',
    async () => {
      const project = projectOf(node, 'diff', `services: {web: {${WEB}}, old: {${WEB}}}`);
      await project.run('up', '-d');
      const same = await project.run('diff', '--detailed-exitcode');
      expect(same).toMatchObject({ code: 0, stdout: '' });
      await node.tswarm(['service', 'update', '--env-add', 'BY=hand', 'diff_web']);
      project.write(`services: {web: {${WEB}, hostname: h}}`);
      const other = await project.run('diff', '--detailed-exitcode');
      expect(other.stdout).toBe('  services.web:\n-   environment.BY: hand\n+   hostname: h\n');
      expect(other.code).toBe(2);
      const pruned = await project.run('diff', '--remove-orphans');
      expect(pruned.stdout).toContain('- services.old\n');
      expect(pruned.code).toBe(0);
      expect((await project.run('diff', '--scale', 'web=3')).stdout).toContain(
        'deploy.replicas: 3',
      );
      expect((await project.run('diff', '--no-recreate')).stdout).toBe('');
      const { changes } = JSON.parse((await project.run('diff', '--format', 'json')).stdout) as {
        changes: readonly { name: string; fields: readonly unknown[] }[];
      };
      expect(changes.find(({ name }) => name === 'diff_web')?.fields).toContainEqual({
        field: 'hostname',
        after: 'h',
      });
    },
  );

  flagTest(
    'tcompose diff',
    ['--build', '--no-build', '--pull', '--force-recreate', '--no-deps'],
    'takes what up takes',
    async () => {
      const project = projectOf(
        node,
        'diff-up',
        `services: {web: {${WEB}, depends_on: [db]}, db: {${WEB}}}`,
      );
      await project.run('up', '-d');
      project.write(
        `services: {web: {${WEB}, build: ., depends_on: [db]}, db: {${WEB}, hostname: h}}`,
      );
      expect((await project.run('diff', '--no-deps', 'web')).stdout).toBe('');
      expect((await project.run('diff', '--build', 'web')).stdout).toContain(
        'known after the build',
      );
      expect((await project.run('diff', '--no-build')).stdout).toContain('hostname: h');
      expect((await project.run('diff', '--pull', 'always', 'db')).stdout).toContain('the pull');
      const forced = await project.run('diff', '--force-recreate', '--no-deps', 'web');
      expect(forced.stdout).toContain('forced updates: 1');
    },
  );
});
