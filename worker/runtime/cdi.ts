// Devices that drivers describe in files of the Container Device Interface (CDI 0.8): what a container needs to use `vendor.com/class=name`: device nodes, mounts, variables, hooks.
// Read at each start, as a driver may have been installed since. Only looks; unknown parts of a description are refused by name rather than left out.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { messageOf, TswarmError } from '#protocol/errors';
import type { ResolvedDevice } from './bundle-resources.ts';
import { splitDevice } from './devices.ts';
import type { OciHook, OciHooks, OciMount } from './oci.ts';

/** Where descriptions are; one in the later folder counts more. */
export const CDI_FOLDERS: readonly string[] = ['/etc/cdi', '/var/run/cdi'];

/** What a container gets. */
export interface DeviceEdits {
  readonly devices: readonly ResolvedDevice[];
  readonly env: readonly string[];
  readonly mounts: readonly OciMount[];
  readonly hooks: OciHooks;
  readonly gids: readonly number[];
}

export const NO_EDITS: DeviceEdits = { devices: [], env: [], mounts: [], hooks: {}, gids: [] };

/** As a description has them. */
interface Edits {
  readonly env?: readonly string[];
  readonly deviceNodes?: readonly {
    readonly path: string;
    readonly hostPath?: string;
    readonly permissions?: string;
    readonly uid?: number;
    readonly gid?: number;
  }[];
  readonly mounts?: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly type?: string;
    readonly options?: readonly string[];
  }[];
  readonly hooks?: readonly {
    readonly hookName: string;
    readonly path: string;
    readonly args?: readonly string[];
    readonly env?: readonly string[];
    readonly timeout?: number;
  }[];
  readonly additionalGids?: readonly number[];
  readonly intelRdt?: unknown;
}

interface Description {
  readonly kind: string;
  readonly devices: readonly { readonly name: string; readonly containerEdits?: Edits }[];
  readonly containerEdits?: Edits;
}

/** The devices that this host's descriptions name. */
export class CdiDevices {
  readonly #descriptions: readonly Description[];

  constructor(descriptions: readonly Description[]) {
    this.#descriptions = descriptions;
  }

  /** Names of a kind, without `all`. */
  namesOf(kind: string): readonly string[] {
    const names = this.#descriptions
      .filter((one) => one.kind === kind)
      .flatMap(({ devices }) => devices.map(({ name }) => name));
    return [...new Set(names)].filter((name) => name !== 'all');
  }

  /** What containers need that use all of these. @throws not_found naming those that nothing describes */
  async edits(names: readonly string[]): Promise<DeviceEdits> {
    const parts: Edits[] = [];
    const used = new Set<Description>();
    const unknown = names.filter((name) => {
      const [description, edits] = this.#find(name) ?? [];
      if (!description) return true;
      if (!used.has(description)) parts.push(description.containerEdits ?? {});
      used.add(description);
      parts.push(edits ?? {});
      return false;
    });
    if (unknown.length > 0) {
      throw new TswarmError(
        'not_found',
        `CDI device injection failed: unresolvable CDI devices ${unknown.join(', ')}`,
        { hint: `Descriptions of devices are in ${CDI_FOLDERS.join(' and ')}.` },
      );
    }
    return joined(await Promise.all(parts.map(resolveEdits)));
  }

  #find(qualified: string): readonly [Description, Edits | undefined] | undefined {
    const [kind, name] = qualified.split('=', 2);
    for (const description of this.#descriptions.toReversed()) {
      const device = description.devices.find((one) => one.name === name);
      if (description.kind === kind && device) return [description, device.containerEdits];
    }
    return undefined;
  }
}

/** Reads all descriptions. @throws invalid_argument naming the file that cannot be read */
export async function readCdi(folders: readonly string[] = CDI_FOLDERS): Promise<CdiDevices> {
  const descriptions: Description[] = [];
  for (const folder of folders) {
    const names = await readdir(folder).catch((): string[] => []);
    for (const name of names.sort()) {
      if (!/\.(json|yaml|yml)$/.test(name)) continue;
      descriptions.push(await readDescription(join(folder, name)));
    }
  }
  return new CdiDevices(descriptions);
}

async function readDescription(path: string): Promise<Description> {
  const bad = (reason: string): TswarmError =>
    new TswarmError('invalid_argument', `CDI description ${path}: ${reason}`);
  let value: unknown;
  try {
    // JSON is YAML, too.
    value = parseYaml(await readFile(path, 'utf8'));
  } catch (error) {
    throw bad(messageOf(error));
  }
  const { kind, devices } = (value ?? {}) as Partial<Description>;
  if (typeof kind !== 'string' || !/^[^/=\s]+\/[^/=\s]+$/.test(kind)) throw bad('no kind');
  if (!Array.isArray(devices)) throw bad('no devices');
  return value as Description;
}

const HOOKS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;

async function resolveEdits(edits: Edits): Promise<DeviceEdits> {
  if (edits.intelRdt !== undefined) {
    throw new TswarmError('not_supported', 'CDI: intelRdt is not supported');
  }
  const hooks: Record<string, readonly OciHook[]> = {};
  for (const { hookName, ...hook } of edits.hooks ?? []) {
    if (!(HOOKS as readonly string[]).includes(hookName)) {
      throw new TswarmError('invalid_argument', `CDI: unknown hook ${hookName}`);
    }
    hooks[hookName] = [...(hooks[hookName] ?? []), hook];
  }
  return {
    devices: await Promise.all((edits.deviceNodes ?? []).map(deviceNode)),
    env: edits.env ?? [],
    mounts: (edits.mounts ?? []).map(({ hostPath, containerPath, type, options }) => ({
      destination: containerPath,
      source: hostPath,
      type: type ?? 'bind',
      options: options ?? ['rbind'],
    })),
    hooks,
    gids: edits.additionalGids ?? [],
  };
}

async function deviceNode(
  node: NonNullable<Edits['deviceNodes']>[number],
): Promise<ResolvedDevice> {
  const source = node.hostPath ?? node.path;
  const info = await stat(source).catch(() => undefined);
  if (!info?.isCharacterDevice() && !info?.isBlockDevice()) {
    throw new TswarmError('not_found', `CDI: ${source} is not a device of this host`);
  }
  return {
    path: node.path,
    type: info.isBlockDevice() ? 'b' : 'c',
    ...splitDevice(info.rdev),
    fileMode: info.mode & 0o7777,
    uid: node.uid ?? info.uid,
    gid: node.gid ?? info.gid,
    access: node.permissions ?? 'rwm',
  };
}

/** What several of them ask for together. */
export function joined(all: readonly DeviceEdits[]): DeviceEdits {
  const hooks: Record<string, readonly OciHook[]> = {};
  for (const { hooks: some } of all)
    for (const [name, list = []] of Object.entries(some))
      hooks[name] = [...(hooks[name] ?? []), ...list];
  return {
    devices: all.flatMap(({ devices }) => devices),
    env: all.flatMap(({ env }) => env),
    mounts: all.flatMap(({ mounts }) => mounts),
    hooks,
    gids: [...new Set(all.flatMap(({ gids }) => gids))],
  };
}
