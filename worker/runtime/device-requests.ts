// Devices that are asked for by what they are (`--gpus`, Compose's `gpus` and `reservations.devices`) instead of by path: found through CDI descriptions; an NVIDIA driver without one gives its
// device nodes. What no driver of this node can give is refused in dockerd's words.
import { readdir } from 'node:fs/promises';
import { TswarmError } from '#protocol/errors';
import { Body } from '../engine/json.ts';
import { type CdiDevices, type DeviceEdits, joined, NO_EDITS, readCdi } from './cdi.ts';
import { devicesOf, isCdiName } from './devices.ts';
import type { HostConfig } from './record.ts';

const NVIDIA_KIND = 'nvidia.com/gpu';

export interface DeviceRequest {
  readonly driver: string;
  /** -1 = all. */
  readonly count: number;
  readonly ids: readonly string[];
  /** One of these sets. */
  readonly capabilities: readonly (readonly string[])[];
}

/** @throws invalid_argument */
export function parseDeviceRequests(list: readonly unknown[] | null): readonly DeviceRequest[] {
  return new Body({ list: list ?? [] }, 'HostConfig.DeviceRequests').bodies('list').map((body) => {
    const request = {
      driver: body.text('Driver'),
      count: body.number('Count'),
      ids: body.texts('DeviceIDs') ?? [],
      capabilities: (body.list('Capabilities') ?? []).map((set) =>
        Array.isArray(set) ? set.map(String) : [],
      ),
    };
    if (request.count !== 0 && request.ids.length > 0) {
      throw new TswarmError(
        'invalid_argument',
        'cannot set both Count and DeviceIDs on device request',
        { field: 'HostConfig.DeviceRequests' },
      );
    }
    return request;
  });
}

/** What the container's device requests come to. @throws not_found, not_supported */
export async function requestedDevices(config: HostConfig): Promise<DeviceEdits> {
  const requests = parseDeviceRequests(config.DeviceRequests);
  const named = config.Devices.filter(({ PathOnHost }) => isCdiName(PathOnHost));
  if (requests.length === 0 && named.length === 0) return NO_EDITS;
  const cdi = await readCdi();
  return joined(
    await Promise.all([
      cdi.edits(named.map(({ PathOnHost }) => PathOnHost)),
      ...requests.map((request) => fulfil(request, config, cdi)),
    ]),
  );
}

async function fulfil(
  request: DeviceRequest,
  config: HostConfig,
  cdi: CdiDevices,
): Promise<DeviceEdits> {
  if (request.driver === 'cdi') return cdi.edits(request.ids);
  const wanted = request.capabilities.flat();
  const isGpu = wanted.some((one) => one === 'gpu' || one === 'nvidia');
  if (!isGpu || (request.driver !== '' && request.driver !== 'nvidia')) throw noDriver(request);
  const described = cdi.namesOf(NVIDIA_KIND);
  if (described.length > 0) {
    return cdi.edits(chosen(request, described).map((name) => `${NVIDIA_KIND}=${name}`));
  }
  return nvidiaNodes(request, config);
}

function noDriver({ driver, capabilities }: DeviceRequest): TswarmError {
  const sets = capabilities.map((set) => `[${set.join(' ')}]`).join(' ');
  return new TswarmError(
    'not_supported',
    `could not select device driver "${driver}" with capabilities: [${sets}]`,
    { hint: 'Install the driver of the device on the node, and its CDI description in /etc/cdi.' },
  );
}

/** Of these names, in their order, those that are asked for. */
function chosen({ ids, count }: DeviceRequest, names: readonly string[]): readonly string[] {
  if (ids.length > 0) return ids;
  if (count < 0) return names;
  if (count > names.length) {
    throw new TswarmError(
      'resource_exhausted',
      `${count} devices were asked for, the node has ${names.length}`,
    );
  }
  return names.slice(0, count);
}

/** The driver's own nodes: programs that bring its libraries along can use them. */
async function nvidiaNodes(request: DeviceRequest, config: HostConfig): Promise<DeviceEdits> {
  const nodes = await readdir('/dev').catch((): string[] => []);
  const gpus = nodes.flatMap((name) => /^nvidia(\d+)$/.exec(name)?.[1] ?? []).sort();
  if (gpus.length === 0) throw noDriver(request);
  const common = nodes.filter((name) => /^nvidia(ctl|-uvm|-uvm-tools|-modeset)$/.test(name));
  const names = [...chosen(request, gpus).map((gpu) => `nvidia${gpu}`), ...common];
  const devices = await devicesOf({
    ...config,
    Privileged: false,
    Devices: names.map((name) => ({
      PathOnHost: `/dev/${name}`,
      PathInContainer: '',
      CgroupPermissions: 'rwm',
    })),
  });
  return { ...NO_EDITS, devices };
}
