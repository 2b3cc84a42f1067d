// Goal: create requests are read as clients send them, and what cannot be done is refused in the Engine API's words with the field named.
import { describe, expect, it } from 'vitest';
import type { EngineJson } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { checkContainerName, parseCreateBody } from '#worker/engine/create-body';
import { defaultHostConfig, parseHostConfig } from '#worker/engine/host-config';
import { updatedHostConfig } from '#worker/engine/update';

const parse = (body: EngineJson, hostConfig: EngineJson = {}) =>
  parseCreateBody({ Image: 'i', ...body, HostConfig: hostConfig });

function refusal(act: () => unknown): TswarmError {
  try {
    act();
  } catch (error) {
    if (error instanceof TswarmError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('a create request', () => {
  it('is read in any case, with strings for lists, nulls for nothing', () => {
    const request = parse({
      cmd: 'sh',
      ENV: ['A=1'],
      entrypoint: null,
      labels: null,
      exposedPorts: { '80/tcp': {} },
      healthcheck: { test: ['CMD-SHELL', 'true'], interval: 2_000_000_000 },
      StopTimeout: 3,
    });
    expect(request.config).toMatchObject({
      Cmd: ['sh'],
      Env: ['A=1'],
      Entrypoint: null,
      Labels: {},
      ExposedPorts: { '80/tcp': {} },
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 2e9 },
      StopTimeout: 3,
    });
  });

  it('gets Docker’s defaults', () => {
    expect(defaultHostConfig()).toMatchObject({
      NetworkMode: 'default',
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      LogConfig: { Type: 'json-file', Config: {} },
      ShmSize: 67_108_864,
      IpcMode: 'private',
      MemorySwappiness: null,
      PidsLimit: null,
    });
    expect(parseHostConfig({ Memory: 67_108_864 }).MemorySwap).toBe(134_217_728);
    expect(parseHostConfig({ MemorySwappiness: -1 }).MemorySwappiness).toBeNull();
  });

  it('keeps what endpoints ask for', () => {
    const request = parse({
      NetworkingConfig: {
        EndpointsConfig: {
          n1: { Aliases: ['al'], IPAMConfig: { IPv4Address: '10.0.0.9' }, GwPriority: 5 },
          default: null,
        },
      },
    });
    expect(request.endpoints.n1).toMatchObject({
      aliases: ['al'],
      ipv4: '10.0.0.9',
      gwPriority: 5,
    });
    expect(request.endpoints.default).toMatchObject({ aliases: [], ipv4: '' });
  });

  it('refuses with the Engine API’s texts', () => {
    const cases: readonly (readonly [() => unknown, string, string])[] = [
      [
        () => checkContainerName('b@d'),
        'invalid_argument',
        'Invalid container name (b@d), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
      ],
      [() => parse({ Image: '' }), 'invalid_argument', 'no image specified'],
      [() => parse({ WorkingDir: 'x' }), 'invalid_argument', 'absolute path'],
      [() => parse({ StopSignal: 'NOPE' }), 'invalid_argument', 'Invalid signal: NOPE'],
      [() => parse({ Env: ['=x'] }), 'invalid_argument', 'invalid environment variable'],
      [() => parse({}, { NanoCpus: -1 }), 'invalid_argument', 'range of CPUs is from 0.01 to'],
      [() => parse({}, { NanoCpus: 1e14 }), 'invalid_argument', 'CPUs available'],
      [
        () => parse({}, { Memory: 1000 }),
        'invalid_argument',
        'Minimum memory limit allowed is 6MB',
      ],
      [
        () => parse({}, { Memory: 1e8, MemorySwap: 1e7 }),
        'invalid_argument',
        'memoryswap limit should be larger',
      ],
      [() => parse({}, { MemorySwap: 1e8 }), 'invalid_argument', 'set the Memory limit'],
      [() => parse({}, { CpuQuota: 5 }), 'invalid_argument', 'CPU cfs quota'],
      [() => parse({}, { CpusetCpus: '0-' }), 'invalid_argument', 'Invalid value 0- for cpuset'],
      [() => parse({}, { CpusetMems: '9999' }), 'invalid_argument', 'Requested memory nodes'],
      [() => parse({}, { BlkioWeight: 5 }), 'invalid_argument', 'from 10 to 1000'],
      [
        () => parse({}, { RestartPolicy: { Name: 'maybe' } }),
        'invalid_argument',
        "unknown policy 'maybe'",
      ],
      [
        () => parse({}, { RestartPolicy: { Name: 'always', MaximumRetryCount: 2 } }),
        'invalid_argument',
        'maximum retry count',
      ],
      [
        () => parse({}, { AutoRemove: true, RestartPolicy: { Name: 'always' } }),
        'invalid_argument',
        "can't create 'AutoRemove' container",
      ],
      [() => parse({}, { CapAdd: ['FLY'] }), 'invalid_argument', 'unknown capability: "CAP_FLY"'],
      [
        () => parse({}, { PortBindings: { 'x/tcp': [] } }),
        'invalid_argument',
        'invalid port specification',
      ],
      [() => parse({}, { SecurityOpt: ['bogus=1'] }), 'invalid_argument', 'invalid --security-opt'],
      [() => parse({}, { SecurityOpt: ['apparmor=mine'] }), 'not_supported', 'AppArmor'],
      [() => parse({}, { LogConfig: { Type: 'gelf' } }), 'invalid_argument', 'gelf-address'],
      [() => parse({}, { LogConfig: { Type: 'splunk' } }), 'not_supported', "'splunk'"],
      [
        () => parse({}, { Ulimits: [{ Name: 'bogus' }] }),
        'invalid_argument',
        'invalid ulimit type: bogus',
      ],
      [
        () => parse({}, { DeviceCgroupRules: ['x'] }),
        'invalid_argument',
        "device cgroup rule format: 'x'",
      ],
      [() => parse({}, { UsernsMode: 'keep' }), 'not_supported', 'user namespace mode'],
      [
        () => parse({}, { DeviceRequests: [{ Count: 1, DeviceIDs: ['0'] }] }),
        'invalid_argument',
        'both Count and DeviceIDs',
      ],
      [() => parse({}, { Links: ['a:b'] }), 'not_supported', 'links'],
      [
        () => parse({ Healthcheck: { Interval: 5 } }),
        'invalid_argument',
        'cannot be less than 1ms',
      ],
      [
        () => parse({}, { Memory: 'x' as never }),
        'invalid_argument',
        'HostConfig.Memory: must be a number',
      ],
      [() => parse({ Cmd: [1] as never }), 'invalid_argument', 'Cmd[0]: must be a string'],
    ];
    for (const [act, code, text] of cases) {
      const error = refusal(act);
      expect([error.message, error.code]).toEqual([expect.stringContaining(text), code]);
    }
  });
});

describe('an update request', () => {
  it('changes only what it names', () => {
    const before = parseHostConfig({
      Memory: 1e8,
      CpuShares: 512,
      RestartPolicy: { Name: 'always' },
    });
    const after = updatedHostConfig(before, {
      Memory: 8e7,
      MemorySwap: 16e7,
      RestartPolicy: { Name: 'no' },
      CpuShares: 0,
      PidsLimit: null,
    });
    expect(after).toEqual({
      ...before,
      Memory: 8e7,
      MemorySwap: 16e7,
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    });
  });

  it('does not let memory pass its swap limit', () => {
    const before = parseHostConfig({ Memory: 1e8 });
    expect(refusal(() => updatedHostConfig(before, { Memory: 3e8 })).message).toContain(
      'memoryswap',
    );
  });

  it('does not limit memory alone where swap was never limited', () => {
    for (const current of [{}, { Memory: 1e8, MemorySwap: -1 }]) {
      const before = parseHostConfig(current);
      expect(refusal(() => updatedHostConfig(before, { Memory: 3e8 })).message).toContain(
        'update the memoryswap at the same time',
      );
      expect(updatedHostConfig(before, { Memory: 3e8, MemorySwap: -1 }).Memory).toBe(3e8);
    }
  });
});
