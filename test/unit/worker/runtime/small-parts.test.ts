// Goal: the small pure parts of the runtime: frames, signals, health rules, image merge, hosts file, log settings, network requests, restart policy.
import { describe, expect, it } from 'vitest';
import { PortProtocol, PublishMode } from '#protocol/generated/specs';
import { comesBackAfterReboot, decideRestart } from '#worker/agent/restart-policy';
import { networkContainers } from '#worker/container-views';
import { parseHostConfig } from '#worker/engine/host-config';
import type { ContainerTable } from '#worker/runtime/container';
import { splitDevice } from '#worker/runtime/devices';
import { hostsFile } from '#worker/runtime/etc-files';
import {
  afterProbe,
  healthCheckOf,
  probeDelayMs,
  STARTING_HEALTH,
} from '#worker/runtime/health-config';
import { cgroupV1Mounts } from '#worker/runtime/host-facts';
import { logSettings } from '#worker/runtime/log-config';
import type { RequestedConfig } from '#worker/runtime/merge-image';
import { mergeImageConfig } from '#worker/runtime/merge-image';
import { nativeError } from '#worker/runtime/native-call';
import { attachRequestOf } from '#worker/runtime/network-request';
import type { ContainerRecord, HealthRecord } from '#worker/runtime/record';
import { refuseSubpaths } from '#worker/runtime/runtimes';
import {
  encodeFrame,
  encodeJsonFrame,
  FRAME,
  FrameDecoder,
  frameJson,
} from '#worker/runtime/shim-frames';
import { createError } from '#worker/runtime/shim-spawn';
import { signalNumber } from '#worker/runtime/signals';

const CONFIG: RequestedConfig = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: [],
  Cmd: null,
  Image: 'i',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: {},
};

describe('frames of the shim', () => {
  it('come out as they went in, however the bytes are cut', () => {
    const bytes = [
      encodeJsonFrame(FRAME.answer, { ok: true, pid: 7 }),
      encodeFrame(FRAME.stdout, new Uint8Array([1, 2, 3])),
      encodeFrame(FRAME.stderr, new Uint8Array(0)),
      encodeFrame(FRAME.stdout, new Uint8Array(70_000).fill(9)),
    ];
    const all = Buffer.concat(bytes);
    for (const step of [1, 7, 8, 4096, all.length]) {
      const decoder = new FrameDecoder();
      const frames = [];
      for (let at = 0; at < all.length; at += step) {
        for (const frame of decoder.push(all.subarray(at, at + step))) {
          frames.push({ type: frame.type, payload: frame.payload.slice() });
        }
      }
      expect(frames.map((frame) => [frame.type, frame.payload.length])).toEqual([
        [0x52, 19],
        [1, 3],
        [2, 0],
        [1, 70_000],
      ]);
      const [first] = frames;
      expect(first && frameJson(first)).toEqual({ ok: true, pid: 7 });
    }
  });

  it('refuse a length beyond the protocol’s', () => {
    const bytes = new Uint8Array([1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]);
    expect(() => new FrameDecoder().push(bytes)).toThrow('beyond the limit');
  });
});

describe('signals', () => {
  it('are known by name and number', () => {
    expect(
      ['TERM', 'SIGTERM', 'sigterm', '15', 'KILL', 'RTMIN+3', 'RTMAX', 'WINCH'].map(signalNumber),
    ).toEqual([15, 15, 15, 15, 9, 37, 64, 28]);
    for (const wrong of ['', 'NOPE', '0', '65', 'RTMIN+99']) {
      expect(() => signalNumber(wrong)).toThrow('Invalid signal');
    }
  });
});

describe('health checks', () => {
  const check = healthCheckOf({
    ...CONFIG,
    Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 2e9, Retries: 2, StartPeriod: 5e9 },
  });
  if (!check) throw new Error('no check');
  const probe = (ExitCode: number) => ({ Start: '', End: '', ExitCode, Output: '' });

  it('have Docker’s defaults', () => {
    expect(healthCheckOf({ ...CONFIG, Healthcheck: { Test: ['CMD', 'x'] } })).toEqual({
      command: ['x'],
      intervalMs: 30_000,
      timeoutMs: 30_000,
      retries: 3,
      startPeriodMs: 0,
      startIntervalMs: 5_000,
    });
    expect(check.command).toEqual(['/bin/sh', '-c', 'true']);
    expect(healthCheckOf({ ...CONFIG, Healthcheck: { Test: ['NONE'] } })).toBeUndefined();
    expect(healthCheckOf(CONFIG)).toBeUndefined();
  });

  it('do not count failures of the start period, then need `retries` in a row', () => {
    let health: HealthRecord = STARTING_HEALTH;
    health = afterProbe(health, probe(1), check, 1_000);
    health = afterProbe(health, probe(1), check, 4_999);
    expect(health).toMatchObject({ Status: 'starting', FailingStreak: 0 });
    health = afterProbe(health, probe(1), check, 5_001);
    expect(health.Status).toBe('starting');
    health = afterProbe(health, probe(1), check, 7_000);
    expect(health.Status).toBe('unhealthy');
    health = afterProbe(health, probe(0), check, 9_000);
    expect(health).toMatchObject({ Status: 'healthy', FailingStreak: 0 });
    health = afterProbe(health, probe(1), check, 9_500);
    expect(health.Status).toBe('healthy');
    expect(health.Log).toHaveLength(5);
  });

  it('probe early while starting, at the interval afterwards', () => {
    expect([0, 1, 2].map((count) => probeDelayMs(STARTING_HEALTH, check, 0, count))).toEqual([
      100, 200, 400,
    ]);
    expect(probeDelayMs(STARTING_HEALTH, check, 3_000, 20)).toBe(2_000);
    const healthy: HealthRecord = { Status: 'healthy', FailingStreak: 0, Log: [] };
    expect(probeDelayMs(healthy, check, 100, 1)).toBe(2_000);
  });

  it('without a start period, a failure counts from the first interval on', () => {
    const plain = { ...check, startPeriodMs: 0 };
    expect(afterProbe(STARTING_HEALTH, probe(1), plain, 100).FailingStreak).toBe(0);
    expect(afterProbe(STARTING_HEALTH, probe(1), plain, 2_000).FailingStreak).toBe(1);
    // The probe that counts comes one interval after the start, not later.
    expect(probeDelayMs(STARTING_HEALTH, plain, 1_500, 4)).toBe(500);
  });
});

describe('restarts', () => {
  const input = {
    name: 'always',
    retriesMax: 0,
    exitCode: 1,
    stopRequested: false,
    ranMs: 0,
    restartsInRow: 0,
  } as const;

  it('follow the policy', () => {
    const restarts = (change: Partial<Parameters<typeof decideRestart>[0]>): boolean =>
      decideRestart({ ...input, ...change }).restart;
    expect(restarts({ name: 'no' })).toBe(false);
    expect(restarts({ exitCode: 0 })).toBe(true);
    expect(restarts({ name: 'unless-stopped', stopRequested: true })).toBe(false);
    expect(restarts({ name: 'on-failure', exitCode: 0 })).toBe(false);
    expect(restarts({ name: 'on-failure' })).toBe(true);
    expect(restarts({ name: 'on-failure', retriesMax: 2, restartsInRow: 2 })).toBe(false);
    expect(restarts({ name: 'on-failure', retriesMax: 2, restartsInRow: 2, ranMs: 10_000 })).toBe(
      true,
    );
  });

  it('after a reboot', () => {
    const back = { stopRequested: true, wasRunning: true, exitCode: 255 };
    expect(comesBackAfterReboot({ ...back, name: 'always' })).toBe(true);
    expect(comesBackAfterReboot({ ...back, name: 'unless-stopped' })).toBe(false);
    expect(comesBackAfterReboot({ ...back, name: 'unless-stopped', stopRequested: false })).toBe(
      true,
    );
    expect(comesBackAfterReboot({ ...back, name: 'no' })).toBe(false);
  });
});

describe('a request merged with its image', () => {
  const image = {
    User: 'web',
    Env: ['PATH=/p', 'B=image'],
    Entrypoint: ['/entry'],
    Cmd: ['default'],
    WorkingDir: '/srv',
    Labels: { a: 'image', b: 'image' },
    ExposedPorts: { '80/tcp': {} },
    Volumes: { '/data': {} },
    StopSignal: 'SIGQUIT',
    Healthcheck: { Test: ['CMD', 'probe'], Interval: 1e9, Retries: 7 },
  };

  it('inherits what it does not say', () => {
    expect(
      mergeImageConfig({ ...CONFIG, Env: ['B=mine'], Labels: { b: 'mine' } }, image),
    ).toMatchObject({
      User: 'web',
      Env: ['B=mine', 'PATH=/p'],
      Entrypoint: ['/entry'],
      Cmd: ['default'],
      WorkingDir: '/srv',
      Labels: { a: 'image', b: 'mine' },
      ExposedPorts: { '80/tcp': {} },
      Volumes: { '/data': {} },
      StopSignal: 'SIGQUIT',
    });
  });

  it('treats entrypoint and command as Docker does', () => {
    const merged = (change: Partial<RequestedConfig>): readonly unknown[] => {
      const { Entrypoint, Cmd } = mergeImageConfig({ ...CONFIG, ...change }, image);
      return [Entrypoint, Cmd];
    };
    expect(merged({ Cmd: ['mine'] })).toEqual([['/entry'], ['mine']]);
    expect(merged({ Entrypoint: ['/mine'] })).toEqual([['/mine'], null]);
    expect(merged({ Entrypoint: [''], Cmd: ['sh'] })).toEqual([null, ['sh']]);
    expect(merged({ clearCommand: true })).toEqual([['/entry'], null]);
    expect(() => mergeImageConfig(CONFIG, {})).toThrow('no command specified');
  });

  it('fills a health check from the image, field by field', () => {
    const merged = mergeImageConfig({ ...CONFIG, Healthcheck: { Interval: 5e9 } }, image);
    expect(merged.Healthcheck).toEqual({ Test: ['CMD', 'probe'], Interval: 5e9, Retries: 7 });
  });
});

describe('the hosts file', () => {
  it('has localhost, extra hosts, and the container on each of its networks', () => {
    const endpoint = { ipv4: '10.0.0.2', ipv6: 'fd00::2' };
    const text = hostsFile({
      hostname: 'web',
      domainname: 'example.org',
      endpoints: [endpoint as never],
      extraHosts: ['db:10.9.9.9', 'v6=[fd00::9]', 'host:host-gateway', 'none:host-gateway'],
      hostGateway: '10.0.0.1',
    });
    expect(text).toContain('127.0.0.1\tlocalhost\n');
    expect(text).toContain('10.9.9.9\tdb\nfd00::9\tv6\n10.0.0.1\thost\n');
    expect(text).toMatch(/10\.0\.0\.2\tweb\.example\.org web\nfd00::2\tweb\.example\.org web\n$/);
  });
});

describe('log settings', () => {
  it('understand sizes', () => {
    const of = (Config: Record<string, string>) => logSettings({ Type: 'json-file', Config });
    const isReadable = true;
    expect(of({})).toEqual({ enabled: true, bytesMax: 0, filesMax: 1, isReadable });
    expect(of({ 'max-size': '10m', 'max-file': '3' })).toEqual({
      enabled: true,
      bytesMax: 10_485_760,
      filesMax: 3,
      isReadable,
    });
    expect(logSettings({ Type: 'none', Config: {} }).enabled).toBe(false);
    expect(() => of({ 'max-size': 'big' })).toThrow("invalid size: 'big'");
    expect(() => of({ bogus: '1' })).toThrow("unknown log opt 'bogus'");
    expect(() => logSettings({ Type: 'splunk', Config: {} })).toThrow("'splunk'");
    // Never emptied in place: what is sent is read from it.
    const sent = { 'cache-max-size': '1k', 'cache-max-file': '1', 'cache-disabled': 'true' };
    expect(logSettings({ Type: 'journald', Config: sent })).toEqual({
      enabled: true,
      bytesMax: 1024,
      filesMax: 2,
      isReadable: false,
    });
  });
});

describe('what the network is asked for', () => {
  function record(
    hostConfig: Record<string, unknown>,
    more: Partial<ContainerRecord> = {},
  ): ContainerRecord {
    return {
      version: 1,
      id: 'ab'.repeat(32),
      name: 'web',
      createdAt: 0,
      image: '',
      imageId: '',
      config: { ...CONFIG, ExposedPorts: { '9/udp': {} } },
      hostConfig: parseHostConfig(hostConfig),
      endpoints: {},
      mounts: [],
      path: '',
      args: [],
      ...more,
    };
  }
  const endpoint = {
    aliases: ['al'],
    ipv4: '10.1.0.5',
    ipv6: '',
    macAddress: '',
    gwPriority: 3,
    links: null,
    driverOpts: null,
  };

  it('is the bridge by default, then the networks asked for', () => {
    const { attachments, mode } = attachRequestOf(record({}, { endpoints: { other: endpoint } }));
    expect(mode).toBe('networks');
    expect(attachments).toEqual([
      { networkId: 'bridge', addresses: [], aliases: [], gwPriority: 0, macAddress: '' },
      {
        networkId: 'other',
        addresses: ['10.1.0.5'],
        aliases: ['al'],
        gwPriority: 3,
        macAddress: '',
      },
    ]);
    expect(attachRequestOf(record({ NetworkMode: 'host' }))).toMatchObject({
      mode: 'host',
      attachments: [],
    });
  });

  it('follows what was connected and disconnected, under whichever of its names a network was given', async () => {
    let held: ContainerRecord = record({}, { endpoints: { mine: endpoint } });
    const container = {
      get record() {
        return held;
      },
      setRecord: async (next: ContainerRecord) => {
        held = next;
      },
    };
    const view = networkContainers({ get: () => container } as unknown as ContainerTable);
    const ids = (): string[] => attachRequestOf(held).attachments.map((one) => one.networkId);
    const attachment = { networkId: 'b1', addresses: [], aliases: ['again'], gwPriority: 0 };
    await view.removeAttachment('c', ['b1', 'bridge']);
    expect(ids()).toEqual(['mine']);
    await view.setAttachment('c', attachment, ['b1', 'bridge']);
    expect(attachRequestOf(held).attachments).toMatchObject([
      { networkId: 'bridge', aliases: ['again'] },
      { networkId: 'mine' },
    ]);
    await view.removeAttachment('c', ['b1', 'bridge']);
    await view.removeAttachment('c', ['m1', 'mine']);
    // Never without any network, unless asked for.
    expect(ids()).toEqual(['bridge']);
    await view.setAttachment('c', { ...attachment, networkId: 'm1' }, ['m1', 'mine']);
    expect(ids()).toEqual(['m1']);
  });

  it('has the published ports', () => {
    const { ports } = attachRequestOf(
      record({
        PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }], '53/udp': [{}] },
        PublishAllPorts: true,
      }),
    );
    expect(ports).toMatchObject([
      {
        targetPort: 80,
        publishedPort: 8080,
        hostIp: '127.0.0.1',
        protocol: PortProtocol.TCP,
        publishMode: PublishMode.HOST,
      },
      { targetPort: 53, publishedPort: 0, protocol: PortProtocol.UDP },
      { targetPort: 9, publishedPort: 0, protocol: PortProtocol.UDP },
    ]);
  });
});

describe('errors of native programs', () => {
  it('get Docker’s words for a program that cannot be run', () => {
    const missing = nativeError('x', '{"code":"not_found","message":"cannot run nosuch"}\n');
    expect(createError(missing, 'nosuch')).toMatchObject({
      code: 'command_not_found',
      message: expect.stringContaining('exec: "nosuch": executable file not found in $PATH'),
    });
    expect(createError(missing, '/bin/nosuch').message).toContain('no such file or directory');
    const forbidden = nativeError('x', '{"code":"not_executable","message":"permission denied"}');
    expect(createError(forbidden, '/etc/passwd').message).toContain('permission denied');
  });

  it('keep plain text when there is no error line', () => {
    expect(nativeError('/lib/tool', 'boom\n').message).toBe('tool: boom');
    expect(nativeError('/lib/tool', '').message).toContain('without a message');
  });
});

describe('numbers of the host', () => {
  it('split device numbers as makedev does', () => {
    expect(splitDevice(0x0803)).toEqual({ major: 8, minor: 3 });
    expect(splitDevice(0x1032_10ff)).toEqual({ major: 0x210 & 0xfff, minor: 0x103ff });
  });

  it('find cgroup v1 controllers', () => {
    const lines = [
      '30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw',
      '31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct',
      '32 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
    ];
    expect(cgroupV1Mounts(lines.join('\n'))).toEqual({
      cpu: '/sys/fs/cgroup/cpu,cpuacct',
      cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
    });
  });
});

describe('a part of a volume', () => {
  it('is mounted by the node’s own runtime, and refused with others, which would follow any link', () => {
    const options = {
      runtimes: { tswarm: '/lib/tswarm-runtime', runc: '/usr/sbin/runc' },
      runtimePath: '/lib/tswarm-runtime',
    };
    const record = (Runtime: string, subpath: string): Parameters<typeof refuseSubpaths>[0] =>
      ({
        hostConfig: { Runtime },
        mounts: [{ Type: 'volume', Destination: '/m', extra: { subpath } }],
      }) as unknown as Parameters<typeof refuseSubpaths>[0];
    refuseSubpaths(record('', 'a'), options);
    refuseSubpaths(record('runc', ''), options);
    expect(() => refuseSubpaths(record('runc', 'a'), options)).toThrow(
      'mount /m: runc cannot mount the subpath a of a volume',
    );
    const other = { ...options, runtimePath: '/usr/bin/crun' };
    expect(() => refuseSubpaths(record('', 'a'), other)).toThrow('crun cannot');
  });
});
