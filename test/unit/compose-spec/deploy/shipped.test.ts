// Goal: a container never finds an empty folder where the file says a folder of the project: on several nodes its content goes along, or the mount is refused with the ways out. Method: plans
// with one and with several nodes over folders in memory.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type PlanOptions, planDeploy } from '#compose-spec/deploy/plan-deploy';
import type { Nodes, Tree } from '#compose-spec/deploy/shipped';
import { type Mount, MountType } from '#protocol/generated/specs';
import { load } from '../memory-files.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const NODES: Nodes = { here: 'm1', all: ['m1', 'w1'] };

const TREES: Readonly<Record<string, Tree>> = {
  '/p/html': {
    kind: 'folder',
    files: [
      { path: 'index.html', data: bytes('hi'), mode: 0o644 },
      { path: 'bin/run', data: bytes('run'), mode: 0o755 },
    ],
  },
  '/p/app.conf': { kind: 'file', file: { path: '', data: bytes('conf'), mode: 0o600 } },
  '/p/empty': { kind: 'folder', files: [{ path: 'e', data: bytes(''), mode: 0o644 }] },
  '/p/sock': { kind: 'unfit', why: 'is neither a file nor a folder' },
  '/p/big': {
    kind: 'folder',
    files: [{ path: 'a', data: new Uint8Array(600 * 1024), mode: 0o644 }],
  },
};

function plan(service: string, over: Partial<PlanOptions> = {}) {
  const loaded = load(`services: {web: {image: a, ${service}}}`);
  if (!loaded.ok) throw new Error(loaded.errors.map(({ message }) => message).join('\n'));
  return planDeploy(loaded.project, {
    sha256Hex: (data) => createHash('sha256').update(data).digest('hex'),
    readFile: () => undefined,
    readTree: (path) => TREES[path] ?? { kind: 'missing' },
    version: '1',
    locate: loaded.locate,
    nodes: NODES,
    ...over,
  });
}

function planned(service: string, over: Partial<PlanOptions> = {}) {
  const result = plan(service, over);
  if (!result.ok) throw new Error(result.errors.map(({ message }) => message).join('\n'));
  const container = result.stack.services[0]?.taskTemplate?.containerSpec;
  return {
    mounts: container?.mounts ?? [],
    files: (container?.configs ?? []).map(({ configName, file }) => ({
      at: file?.name,
      mode: file?.mode,
      text: textOf(result.stack.configs.find(({ name }) => name === configName)?.data),
    })),
    notices: result.notices.map(({ message }) => message),
  };
}

function textOf(data: Uint8Array | undefined): string {
  return new TextDecoder().decode(data);
}

function refusal(service: string): { message: string; hint: string } {
  const result = plan(service);
  if (result.ok) throw new Error('it was not refused');
  const [{ message = '', hint = '' } = {}] = result.errors;
  return { message, hint };
}

const kinds = (mounts: readonly Mount[]) =>
  mounts.map(({ type, source, target }) => [type, source, target]);

describe('on several nodes', () => {
  it('a folder that is only read goes along with its files and their modes', () => {
    const { mounts, files, notices } = planned('volumes: ["./html:/www:ro"]');
    expect(kinds(mounts)).toEqual([[MountType.TMPFS, '', '/www']]);
    expect(files).toEqual([
      { at: '/www/index.html', mode: 0o644, text: 'hi' },
      { at: '/www/bin/run', mode: 0o755, text: 'run' },
    ]);
    expect(notices).toEqual([]);
  });

  it('a single file goes along, with a notice where it could be written', () => {
    const { mounts, files, notices } = planned('volumes: ["./app.conf:/etc/app.conf"]');
    expect(mounts).toEqual([]);
    expect(files).toEqual([{ at: '/etc/app.conf', mode: 0o600, text: 'conf' }]);
    expect(notices).toHaveLength(1);
  });

  it('a changed file makes another container', () => {
    const hash = (text: string) => {
      const file = { path: '', data: bytes(text), mode: 0o644 };
      const result = plan('volumes: ["./app.conf:/c:ro"]', {
        readTree: () => ({ kind: 'file', file }),
      });
      return (
        result.ok && result.stack.services[0]?.taskTemplate?.containerSpec?.configs[0]?.configName
      );
    };
    expect(hash('one')).not.toBe(hash('two'));
    expect(hash('one')).toBe(hash('one'));
  });

  it.each([
    ['"./html:/www"', './html is a folder that the containers may write to'],
    ['"./gone:/www:ro"', './gone does not exist'],
    ['"./sock:/www:ro"', './sock is neither a file nor a folder'],
    ['"./empty:/www:ro"', './empty holds an empty file (e)'],
    ['"./big:/www:ro"', './big holds more than'],
  ])('%s is refused with the nodes and three ways out', (volume, expected) => {
    const { message, hint } = refusal(`volumes: [${volume}]`);
    expect(message).toContain(`services.web.volumes.0: ${expected}`);
    expect(message).toContain('containers may run on m1, w1');
    expect(hint).toMatch(/`:ro`.*named volume.*node\.hostname == m1/);
  });

  it('a service that says its node keeps its mounts, and no folder is made up', () => {
    const { mounts } = planned(
      'volumes: ["./html:/www"], deploy: {placement: {constraints: ["node.hostname == m1"]}}',
    );
    expect(kinds(mounts)).toEqual([[MountType.BIND, '/p/html', '/www']]);
    expect(mounts[0]?.bindOptions?.createMountpoint).toBe(false);
  });

  it('paths outside of the project are those of each node, and no folder is made up', () => {
    const { mounts } = planned('volumes: ["/srv/data:/data"]');
    expect(kinds(mounts)).toEqual([[MountType.BIND, '/srv/data', '/data']]);
    expect(mounts[0]?.bindOptions?.createMountpoint).toBe(false);
  });
});

it('on one node everything is mounted as it is written', () => {
  const loaded = load('services: {web: {image: a, volumes: ["./html:/www"]}}');
  if (!loaded.ok) throw new Error('does not load');
  const result = planDeploy(loaded.project, {
    sha256Hex: () => '0'.repeat(64),
    readFile: () => undefined,
    version: '1',
  });
  const [service] = result.ok ? result.stack.services : [];
  const [mount] = service?.taskTemplate?.containerSpec?.mounts ?? [];
  expect(mount?.bindOptions?.createMountpoint).toBe(true);
});
