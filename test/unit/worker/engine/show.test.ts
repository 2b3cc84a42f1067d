// Goal: what clients print: status texts, filters, events, block I/O figures, names. Method: containers made from records, no runtime.

import { describe, expect, it } from 'vitest';
import type { EngineFilters } from '#protocol/engine';
import { untilMs } from '#protocol/engine-filters';
import { listFilter, pruneFilter } from '#worker/engine/filters';
import { defaultHostConfig } from '#worker/engine/host-config';
import { inspectContainer, listEntry, statusText, timeText } from '#worker/engine/inspect';
import { randomName } from '#worker/engine/names';
import { blockV1, blockV2 } from '#worker/engine/stats';
import { EventLog } from '#worker/events';
import { Container, ContainerTable } from '#worker/runtime/container';
import type { ContainerFiles } from '#worker/runtime/container-files';
import { ContainerFiles as RealFiles } from '#worker/runtime/container-files';
import type { HostFacts } from '#worker/runtime/host-facts';
import type { ContainerRecord, ContainerState } from '#worker/runtime/record';
import { INITIAL_STATE } from '#worker/runtime/record';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const files: ContainerFiles = new RealFiles({ dataRoot: '/d', runRoot: '/r', secretsRoot: '/s' });

function container(
  name: string,
  state: Partial<ContainerState> = {},
  more: Partial<ContainerRecord> = {},
): Container {
  const id = Buffer.from(name).toString('hex').padEnd(64, '0');
  const record: ContainerRecord = {
    version: 1,
    id,
    name,
    createdAt: NOW * 1000,
    image: 'web:1',
    imageId: `sha256:${'1'.repeat(64)}`,
    config: {
      Hostname: 'h',
      Domainname: '',
      User: '',
      AttachStdin: false,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
      OpenStdin: false,
      StdinOnce: false,
      Env: [],
      Cmd: ['run'],
      Image: 'web:1',
      Volumes: null,
      WorkingDir: '',
      Entrypoint: null,
      OnBuild: null,
      Labels: { app: 'shop', tier: name },
    },
    hostConfig: defaultHostConfig(),
    endpoints: {},
    mounts: [],
    path: 'run',
    args: ['a', 'b'],
    ...more,
  };
  return new Container(record, { ...INITIAL_STATE, ...state }, files);
}

const at = (secondsAgo: number): string => new Date(NOW - secondsAgo * 1000).toISOString();

describe('status texts', () => {
  it('are those of docker ps', () => {
    const health = (Status: 'starting' | 'healthy' | 'unhealthy' | 'none') => ({
      Status,
      FailingStreak: 0,
      Log: [],
    });
    const cases: readonly (readonly [Partial<ContainerState>, string])[] = [
      [{ status: 'created' }, 'Created'],
      [{ status: 'running', startedAt: at(5) }, 'Up 5 seconds'],
      [
        { status: 'running', startedAt: at(90), health: health('healthy') },
        'Up About a minute (healthy)',
      ],
      [
        { status: 'running', startedAt: at(0), health: health('starting') },
        'Up Less than a second (health: starting)',
      ],
      [{ status: 'paused', startedAt: at(7200) }, 'Up 2 hours (Paused)'],
      [
        { status: 'exited', exitCode: 137, startedAt: at(9), finishedAt: at(180) },
        'Exited (137) 3 minutes ago',
      ],
      [{ status: 'restarting', exitCode: 1, finishedAt: at(1) }, 'Restarting (1) 1 second ago'],
    ];
    for (const [state, text] of cases) expect(statusText(container('c', state), NOW)).toBe(text);
  });

  it('write microseconds as nine digits', () => {
    expect(timeText(1_767_268_800_123_456)).toBe('2026-01-01T12:00:00.123456000Z');
    expect(timeText(0)).toBe('0001-01-01T00:00:00Z');
  });
});

describe('inspect and list', () => {
  const context = {
    host: { thermalPaths: [] } as unknown as HostFacts,
    rootfs: undefined,
    networkOf: () => ({ id: 'n'.repeat(64), name: 'bridge' }),
  };

  it('show a resting container in full', () => {
    const json = inspectContainer(container('c1'), context);
    expect(json).toMatchObject({
      Name: '/c1',
      Path: 'run',
      Args: ['a', 'b'],
      ExecIDs: null,
      Mounts: [],
      State: {
        Status: 'created',
        Running: false,
        Pid: 0,
        StartedAt: '0001-01-01T00:00:00Z',
        FinishedAt: '0001-01-01T00:00:00Z',
      },
      NetworkSettings: {
        Ports: {},
        Networks: { bridge: { NetworkID: 'n'.repeat(64), EndpointID: '', IPAddress: '' } },
      },
    });
    expect(json.State).not.toHaveProperty('Health');
    expect((json.HostConfig as Record<string, unknown>).MaskedPaths).toContain('/proc/kcore');
  });

  it('list the command line and seconds', () => {
    expect(listEntry(container('c1'), context, NOW)).toMatchObject({
      Names: ['/c1'],
      Command: 'run a b',
      Created: NOW / 1000,
      State: 'created',
      Ports: [],
    });
  });
});

describe('filters', () => {
  const table = new ContainerTable();
  const running = container('web-1', { status: 'running', startedAt: at(9) });
  const failed = container('web-2', {
    status: 'exited',
    exitCode: 3,
    startedAt: at(9),
    finishedAt: at(8),
  });
  const fresh = container('db-1');
  for (const item of [running, failed, fresh]) table.add(item);
  const context = {
    table,
    images: { resolve: () => undefined } as never,
    networkOf: () => undefined,
  };
  const names = (filters: EngineFilters, all = true): readonly string[] =>
    [running, failed, fresh]
      .filter(listFilter(filters, all, context))
      .map((item) => item.record.name);

  it('select', () => {
    expect(names({}, false)).toEqual(['web-1']);
    expect(names({ status: ['exited', 'created'] }, false)).toEqual(['web-2', 'db-1']);
    expect(names({ name: ['web'] })).toEqual(['web-1', 'web-2']);
    expect(names({ name: ['^/db-1$'] })).toEqual(['db-1']);
    expect(names({ label: ['app=shop', 'tier=web-1'] })).toEqual(['web-1']);
    expect(names({ label: ['app=other'] })).toEqual([]);
    expect(names({ exited: ['3'] })).toEqual(['web-2']);
    expect(names({ ancestor: ['web:1'], id: [fresh.id.slice(0, 8)] })).toEqual(['db-1']);
    expect(names({ health: ['none'], network: ['bridge'] })).toEqual(['web-1', 'web-2', 'db-1']);
    expect(names({ 'is-task': ['true'] })).toEqual([]);
  });

  it('refuse what is not known', () => {
    expect(() => names({ bogus: ['1'] })).toThrow("invalid filter 'bogus'");
    expect(() => names({ status: ['bogus'] })).toThrow('status=bogus');
    expect(() => names({ since: ['nobody'] })).toThrow('No such container: nobody');
  });

  it('of prune look at age and labels', () => {
    const pruned = (filters: EngineFilters): boolean => pruneFilter(filters, NOW + 60_000)(failed);
    expect(pruned({})).toBe(true);
    expect(pruned({ until: ['30s'] })).toBe(true);
    expect(pruned({ until: ['5m'] })).toBe(false);
    expect(pruned({ 'label!': ['app'] })).toBe(false);
    expect(untilMs('1h30m', NOW)).toBe(NOW - 5_400_000);
    expect(() => untilMs('soon', NOW)).toThrow('failed to parse value as time or duration: "soon"');
  });

  it('find by id prefix only when it is unique', () => {
    expect(table.find(running.id.slice(0, 20))).toBe(running);
    expect(table.find('/web-2')).toBe(failed);
    expect(table.find('7765622d')).toBeUndefined();
  });
});

describe('events', () => {
  it('are told from memory and live, filtered, with exact nanoseconds', async () => {
    const log = new EventLog({ nowMs: () => NOW, monotonicMs: () => 0 });
    const emit = (action: string, name: string): void =>
      log.emit({
        type: 'container',
        action,
        actorId: `id-${name}`,
        attributes: { name, image: 'i' },
      });
    emit('create', 'a');
    emit('start', 'b');
    const stop = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      const options = { sinceMicros: 1, untilMicros: 0, filters: { container: ['a'] } };
      for await (const event of log.events(options, stop.signal)) {
        seen.push(JSON.stringify(event));
        if (seen.length === 2) stop.abort();
      }
    })();
    emit('die', 'b');
    emit('exec_start: sh -c x', 'a');
    await reading;
    expect(seen[0]).toContain('"timeNano":1767268800000000000');
    expect(seen[0]).toContain('"status":"create","id":"id-a","from":"i"');
    expect(seen[1]).toContain('exec_start: sh -c x');
    expect(log.listenerCount).toBe(0);
  });
});

describe('figures and names', () => {
  it('read block I/O of both cgroup versions', () => {
    expect(blockV1('8:0 Read 4096\n8:0 Write 0\nTotal 4096\n')).toEqual([
      { major: 8, minor: 0, op: 'read', value: 4096 },
      { major: 8, minor: 0, op: 'write', value: 0 },
    ]);
    expect(blockV2('8:16 rbytes=1 wbytes=2 rios=3\n')).toEqual([
      { major: 8, minor: 16, op: 'read', value: 1 },
      { major: 8, minor: 16, op: 'write', value: 2 },
    ]);
  });

  it('find a free name', () => {
    const taken = new Set<string>();
    const random = { next: () => 0, bytes: () => new Uint8Array(0) };
    for (let index = 0; index < 3; index += 1) {
      const name = randomName(random, (text) => taken.has(text));
      expect(taken.has(name)).toBe(false);
      expect(name).toMatch(/^[a-z]+_[a-z]+\d*$/);
      taken.add(name);
    }
  });
});
