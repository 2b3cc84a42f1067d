// Body of POST /containers/create → what the runtime makes a container from. Only reads and checks; names and images are looked up by the caller.
import type { EngineJson } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { ImageHealthcheck } from '../images/types.ts';
import { CONTAINER_NAME_LENGTH_MAX } from '../limits.ts';
import { parseCapability } from '../runtime/capabilities.ts';
import { logSettings } from '../runtime/log-config.ts';
import type { RequestedConfig } from '../runtime/merge-image.ts';
import { parsePort } from '../runtime/network-request.ts';
import type { EndpointRequest, HostConfig } from '../runtime/record.ts';
import { parseSecurityOptions } from '../runtime/security-options.ts';
import { signalNumber } from '../runtime/signals.ts';
import { checkHostConfig, parseHostConfig } from './host-config.ts';
import { Body } from './json.ts';

export interface CreateRequest {
  readonly image: string;
  readonly config: RequestedConfig;
  readonly hostConfig: HostConfig;
  readonly endpoints: Readonly<Record<string, EndpointRequest>>;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** The name without a leading slash. @throws invalid_argument */
export function checkContainerName(text: string): string {
  const name = text.replace(/^\//, '');
  if (NAME.test(name) && name.length <= CONTAINER_NAME_LENGTH_MAX) return name;
  throw new TswarmError(
    'invalid_argument',
    `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    { field: 'name' },
  );
}

/** @throws invalid_argument, not_supported; the field is named */
export function parseCreateBody(json: EngineJson): CreateRequest {
  const body = new Body(json, '');
  const hostConfig = parseHostConfig((body.map('HostConfig') ?? {}) as EngineJson);
  checkHostConfig(hostConfig);
  parseSecurityOptions(hostConfig.SecurityOpt);
  logSettings(hostConfig.LogConfig);
  for (const name of hostConfig.CapAdd ?? []) parseCapability(name, 'CapAdd');
  for (const name of hostConfig.CapDrop ?? []) parseCapability(name, 'CapDrop');
  for (const key of Object.keys(hostConfig.PortBindings)) parsePort(key);
  const image = body.text('Image');
  if (image === '') {
    throw new TswarmError('invalid_argument', 'no image specified', { field: 'Image' });
  }
  return {
    image,
    config: parseConfig(body),
    hostConfig,
    endpoints: parseEndpoints(body),
  };
}

function parseConfig(body: Body): RequestedConfig {
  const exposed = body.map('ExposedPorts');
  for (const key of Object.keys(exposed ?? {})) parsePort(key);
  const stopSignal = body.text('StopSignal');
  if (stopSignal !== '') signalNumber(stopSignal);
  const stopTimeout = body.optionalNumber('StopTimeout');
  const shell = body.texts('Shell');
  const health = parseHealth(body.body('Healthcheck'));
  const workingDir = body.text('WorkingDir');
  if (workingDir !== '' && !workingDir.startsWith('/')) {
    throw new TswarmError(
      'invalid_argument',
      `the working directory '${workingDir}' is invalid, it needs to be an absolute path`,
      { field: 'WorkingDir' },
    );
  }
  const volumes = body.map('Volumes');
  return {
    Hostname: body.text('Hostname'),
    Domainname: body.text('Domainname'),
    User: body.text('User'),
    AttachStdin: body.flag('AttachStdin'),
    AttachStdout: body.flag('AttachStdout'),
    AttachStderr: body.flag('AttachStderr'),
    ...(exposed && Object.keys(exposed).length > 0 ? { ExposedPorts: exposed } : {}),
    Tty: body.flag('Tty'),
    OpenStdin: body.flag('OpenStdin'),
    StdinOnce: body.flag('StdinOnce'),
    Env: checkEnv(body.texts('Env') ?? []),
    Cmd: body.texts('Cmd'),
    ...(health ? { Healthcheck: health } : {}),
    Image: body.text('Image'),
    Volumes: volumes && Object.keys(volumes).length > 0 ? volumes : null,
    WorkingDir: workingDir,
    Entrypoint: body.texts('Entrypoint'),
    OnBuild: body.texts('OnBuild'),
    Labels: body.textMap('Labels') ?? {},
    ...(stopSignal === '' ? {} : { StopSignal: stopSignal }),
    ...(stopTimeout === null ? {} : { StopTimeout: stopTimeout }),
    ...(shell ? { Shell: shell } : {}),
  };
}

function checkEnv(env: readonly string[]): readonly string[] {
  for (const entry of env) {
    if (entry === '' || entry.startsWith('=')) {
      throw new TswarmError('invalid_argument', `invalid environment variable: ${entry}`, {
        field: 'Env',
      });
    }
  }
  return env;
}

const NANOS_PER_MS = 1e6;

function parseHealth(body: Body | undefined): ImageHealthcheck | undefined {
  if (!body) return undefined;
  const duration = (name: string): number => {
    const nanos = body.number(name);
    if (nanos !== 0 && nanos < NANOS_PER_MS) {
      throw new TswarmError('invalid_argument', `${name} in Healthcheck cannot be less than 1ms`, {
        field: `Healthcheck.${name}`,
      });
    }
    return nanos;
  };
  const test = body.texts('Test');
  if (body.number('Retries') < 0) {
    throw new TswarmError('invalid_argument', 'Retries in Healthcheck cannot be negative', {
      field: 'Healthcheck.Retries',
    });
  }
  const numbers = {
    Interval: duration('Interval'),
    Timeout: duration('Timeout'),
    StartPeriod: duration('StartPeriod'),
    StartInterval: duration('StartInterval'),
    Retries: body.number('Retries'),
  };
  const set = Object.entries(numbers).filter(([, value]) => value !== 0);
  if (test === null && set.length === 0) return undefined;
  return { ...(test ? { Test: test } : {}), ...Object.fromEntries(set) };
}

function parseEndpoints(body: Body): Readonly<Record<string, EndpointRequest>> {
  const map = body.body('NetworkingConfig')?.map('EndpointsConfig') ?? {};
  const out: Record<string, EndpointRequest> = {};
  for (const [network, value] of Object.entries(map)) {
    out[network] = parseEndpoint(
      new Body(value ?? {}, `NetworkingConfig.EndpointsConfig.${network}`),
    );
  }
  return out;
}

/** Settings of one endpoint; also of POST /networks/{id}/connect. */
export function parseEndpoint(body: Body): EndpointRequest {
  const ipam = body.body('IPAMConfig');
  return {
    aliases: body.texts('Aliases') ?? [],
    ipv4: ipam?.text('IPv4Address') || '',
    ipv6: ipam?.text('IPv6Address') || '',
    macAddress: body.text('MacAddress'),
    gwPriority: body.number('GwPriority'),
    links: body.texts('Links'),
    driverOpts: body.textMap('DriverOpts'),
    linkLocalIps: ipam?.texts('LinkLocalIPs') ?? [],
  };
}
