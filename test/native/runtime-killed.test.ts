// A command of tswarm-runtime that is killed at any moment: what it did can be gone on with or taken away, and nothing is left behind.
// Method: real containers; SIGKILL after times that reach over the whole command; needs root.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Sandbox } from './runtime-bundle.ts';
import {
  errorOf,
  leftovers as leftoversIn,
  type StateJson,
  stateOf as stateIn,
  until,
} from './runtime-state.ts';

let box: Sandbox;
beforeAll(() => {
  box = new Sandbox();
});
afterAll(() => box.dispose());

const stateOf = (id: string): StateJson => stateIn(box, id);
const leftovers = (id: string): string[] => leftoversIn(box, id);

describe('a create that is killed', () => {
  it('at any moment can be deleted with --force, and leaves no process', async () => {
    for (let attempt = 0; attempt < 60; attempt++) {
      const id = box.id();
      const bundle = box.bundle(id, ['/bin/sleep', '1000']);
      const child = spawn(box.binary, ['--root', box.root, 'create', '--bundle', bundle, id], {
        stdio: 'ignore',
      });
      const ended = new Promise((done) => child.on('exit', done));
      await new Promise((done) => setTimeout(done, (attempt % 12) * 0.7));
      child.kill('SIGKILL');
      await ended;
      expect(box.run(['delete', '--force', id]).code).toBe(0);
      await until(
        () => leftovers(id).every((what) => !what.startsWith('process')),
        `processes of ${id}`,
      );
      expect(leftovers(id)).toEqual([]);
      rmSync(bundle, { recursive: true, force: true });
    }
  });
});

describe('a start, exec or delete that is killed', () => {
  const killAfter = async (args: string[], delayMs: number): Promise<void> => {
    const child = spawn(box.binary, ['--root', box.root, ...args], { stdio: 'ignore' });
    const ended = new Promise((done) => child.on('exit', done));
    await new Promise((done) => setTimeout(done, delayMs));
    child.kill('SIGKILL');
    await ended;
  };

  it('start: the container is created or running, and can be started if it is not', async () => {
    for (let attempt = 0; attempt < 40; attempt++) {
      const id = box.id();
      const bundle = box.bundle(id, ['/bin/sleep', '1000']);
      expect(box.run(['create', '--bundle', bundle, id]).code).toBe(0);
      await killAfter(['start', id], (attempt % 10) * 0.4);
      const { status } = stateOf(id);
      expect(['created', 'running']).toContain(status);
      if (status === 'created') {
        // it may have been let go in the same moment
        const again = box.run(['start', id]);
        if (again.code !== 0) expect(errorOf(again.stderr).code).toBe('bad_state');
      }
      await until(() => stateOf(id).status === 'running', 'it runs');
      expect(box.run(['delete', '--force', id]).code).toBe(0);
      expect(leftovers(id)).toEqual([]);
      rmSync(bundle, { recursive: true, force: true });
    }
  });

  it('exec: the container goes on and nothing half-started stays', async () => {
    const id = box.id();
    box.bundle(id, ['/bin/sleep', '1000']);
    expect(box.run(['run', '--detach', '--bundle', join(box.dir, id), id]).code).toBe(0);
    for (let attempt = 0; attempt < 60; attempt++)
      await killAfter(['exec', id, '/bin/true'], (attempt % 12) * 0.5);
    expect(stateOf(id).status).toBe('running');
    expect(box.run(['exec', id, '/bin/echo', 'fine']).stdout).toBe('fine\n');
    await until(
      () => JSON.parse(box.run(['ps', '-f', 'json', id]).stdout).length === 1,
      'one process',
    );
    expect(box.run(['delete', '--force', id]).code).toBe(0);
    expect(leftovers(id)).toEqual([]);
  });

  it('delete: done again, it ends with nothing left', async () => {
    for (let attempt = 0; attempt < 40; attempt++) {
      const id = box.id();
      const bundle = box.bundle(id, ['/bin/sleep', '1000']);
      expect(box.run(['run', '--detach', '--bundle', bundle, id]).code).toBe(0);
      await killAfter(['delete', '--force', id], (attempt % 10) * 0.4);
      expect(box.run(['delete', '--force', id])).toMatchObject({ code: 0, stderr: '' });
      expect(leftovers(id)).toEqual([]);
      rmSync(bundle, { recursive: true, force: true });
    }
  });
});
