// Generated from protocol/proto/specs.proto by `npm run gen`. Do not edit.

import type { MessageType, ServiceDescriptor } from '../codec.ts';
import { NO_BYTES, Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';

export interface Driver {
  readonly name: string;
  readonly options: Readonly<Record<string, string>>;
}
export const Driver: MessageType<Driver> = {
  name: 'Driver',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'options', json: 'Options', id: 2, kind: 'string', shape: 'map' },
  ],
  create: (p: Partial<Driver> = {}): Driver => ({ name: p.name ?? '', options: p.options ?? {} }),
  write(m: Driver, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    for (const k in m.options) {
      const v = m.options[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    return w;
  },
  read(r: Reader, length: number): Driver {
    const end = r.pos + length;
    const m: { name: string; options: Record<string, string> } = { name: '', options: {} };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.options[k] = v;
          break;
        }
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Driver): Uint8Array => Driver.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Driver => Driver.read(Reader.create(bytes), bytes.length),
};

/** ---- resources ---------------------------------------------------------------------------------------------------------- */
export interface NamedGenericResource {
  readonly kind: string;
  readonly value: string;
}
export const NamedGenericResource: MessageType<NamedGenericResource> = {
  name: 'NamedGenericResource',
  fields: [
    { name: 'kind', json: 'Kind', id: 1, kind: 'string', shape: 'one' },
    { name: 'value', json: 'Value', id: 2, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<NamedGenericResource> = {}): NamedGenericResource => ({ kind: p.kind ?? '', value: p.value ?? '' }),
  write(m: NamedGenericResource, w: Writer): Writer {
    if (m.kind !== '') w.uint32(10).string(m.kind);
    if (m.value !== '') w.uint32(18).string(m.value);
    return w;
  },
  read(r: Reader, length: number): NamedGenericResource {
    const end = r.pos + length;
    const m: { kind: string; value: string } = { kind: '', value: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.kind = r.string();
          break;
        case 2:
          m.value = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: NamedGenericResource): Uint8Array => NamedGenericResource.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): NamedGenericResource => NamedGenericResource.read(Reader.create(bytes), bytes.length),
};

export interface DiscreteGenericResource {
  readonly kind: string;
  readonly value: number;
}
export const DiscreteGenericResource: MessageType<DiscreteGenericResource> = {
  name: 'DiscreteGenericResource',
  fields: [
    { name: 'kind', json: 'Kind', id: 1, kind: 'string', shape: 'one' },
    { name: 'value', json: 'Value', id: 2, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<DiscreteGenericResource> = {}): DiscreteGenericResource => ({ kind: p.kind ?? '', value: p.value ?? 0 }),
  write(m: DiscreteGenericResource, w: Writer): Writer {
    if (m.kind !== '') w.uint32(10).string(m.kind);
    if (m.value !== 0) w.uint32(16).int64(m.value);
    return w;
  },
  read(r: Reader, length: number): DiscreteGenericResource {
    const end = r.pos + length;
    const m: { kind: string; value: number } = { kind: '', value: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.kind = r.string();
          break;
        case 2:
          m.value = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: DiscreteGenericResource): Uint8Array => DiscreteGenericResource.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): DiscreteGenericResource => DiscreteGenericResource.read(Reader.create(bytes), bytes.length),
};

export interface GenericResource {
  readonly namedResourceSpec: NamedGenericResource | undefined;
  readonly discreteResourceSpec: DiscreteGenericResource | undefined;
}
export const GenericResource: MessageType<GenericResource> = {
  name: 'GenericResource',
  fields: [
    { name: 'namedResourceSpec', json: 'NamedResourceSpec', id: 1, kind: 'message', shape: 'optional', message: () => NamedGenericResource },
    { name: 'discreteResourceSpec', json: 'DiscreteResourceSpec', id: 2, kind: 'message', shape: 'optional', message: () => DiscreteGenericResource },
  ],
  create: (p: Partial<GenericResource> = {}): GenericResource => ({ namedResourceSpec: p.namedResourceSpec, discreteResourceSpec: p.discreteResourceSpec }),
  write(m: GenericResource, w: Writer): Writer {
    if (m.namedResourceSpec !== undefined) NamedGenericResource.write(m.namedResourceSpec, w.uint32(10).fork()).ldelim();
    if (m.discreteResourceSpec !== undefined) DiscreteGenericResource.write(m.discreteResourceSpec, w.uint32(18).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): GenericResource {
    const end = r.pos + length;
    const m: { namedResourceSpec: NamedGenericResource | undefined; discreteResourceSpec: DiscreteGenericResource | undefined } = { namedResourceSpec: undefined, discreteResourceSpec: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.namedResourceSpec = NamedGenericResource.read(r, r.uint32());
          break;
        case 2:
          m.discreteResourceSpec = DiscreteGenericResource.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: GenericResource): Uint8Array => GenericResource.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): GenericResource => GenericResource.read(Reader.create(bytes), bytes.length),
};

export interface Resources {
  /** 1e9 = one core; 0 = none asked */
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  /** limits only; 0 = unlimited */
  readonly pids: number;
  readonly genericResources: readonly GenericResource[];
}
export const Resources: MessageType<Resources> = {
  name: 'Resources',
  fields: [
    { name: 'nanoCpus', json: 'NanoCPUs', id: 1, kind: 'int64', shape: 'one' },
    { name: 'memoryBytes', json: 'MemoryBytes', id: 2, kind: 'int64', shape: 'one' },
    { name: 'pids', json: 'Pids', id: 3, kind: 'int64', shape: 'one' },
    { name: 'genericResources', json: 'GenericResources', id: 4, kind: 'message', shape: 'repeated', message: () => GenericResource },
  ],
  create: (p: Partial<Resources> = {}): Resources => ({ nanoCpus: p.nanoCpus ?? 0, memoryBytes: p.memoryBytes ?? 0, pids: p.pids ?? 0, genericResources: p.genericResources ?? [] }),
  write(m: Resources, w: Writer): Writer {
    if (m.nanoCpus !== 0) w.uint32(8).int64(m.nanoCpus);
    if (m.memoryBytes !== 0) w.uint32(16).int64(m.memoryBytes);
    if (m.pids !== 0) w.uint32(24).int64(m.pids);
    for (const v of m.genericResources) GenericResource.write(v, w.uint32(34).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): Resources {
    const end = r.pos + length;
    const m: { nanoCpus: number; memoryBytes: number; pids: number; genericResources: GenericResource[] } = { nanoCpus: 0, memoryBytes: 0, pids: 0, genericResources: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nanoCpus = readInt64(r.int64());
          break;
        case 2:
          m.memoryBytes = readInt64(r.int64());
          break;
        case 3:
          m.pids = readInt64(r.int64());
          break;
        case 4:
          m.genericResources.push(GenericResource.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Resources): Uint8Array => Resources.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Resources => Resources.read(Reader.create(bytes), bytes.length),
};

export interface ResourceRequirements {
  readonly limits: Resources | undefined;
  readonly reservations: Resources | undefined;
  readonly swapBytes: number | undefined;
  readonly memorySwappiness: number | undefined;
  /** Extensions: relative cpu weight (2..262144, 0 = default), cpu set ("0-1"), io weight (10..1000, 0 = default). */
  readonly cpuShares: number;
  readonly cpusetCpus: string;
  readonly blkioWeight: number;
  readonly oomKillDisable: boolean;
  readonly blkioDevices: readonly BlockDeviceLimit[];
}
export const ResourceRequirements: MessageType<ResourceRequirements> = {
  name: 'ResourceRequirements',
  fields: [
    { name: 'limits', json: 'Limits', id: 1, kind: 'message', shape: 'optional', message: () => Resources },
    { name: 'reservations', json: 'Reservations', id: 2, kind: 'message', shape: 'optional', message: () => Resources },
    { name: 'swapBytes', json: 'SwapBytes', id: 3, kind: 'int64', shape: 'optional' },
    { name: 'memorySwappiness', json: 'MemorySwappiness', id: 4, kind: 'int64', shape: 'optional' },
    { name: 'cpuShares', json: 'CpuShares', id: 100, kind: 'int64', shape: 'one' },
    { name: 'cpusetCpus', json: 'CpusetCpus', id: 101, kind: 'string', shape: 'one' },
    { name: 'blkioWeight', json: 'BlkioWeight', id: 102, kind: 'int64', shape: 'one' },
    { name: 'oomKillDisable', json: 'OomKillDisable', id: 103, kind: 'bool', shape: 'one' },
    { name: 'blkioDevices', json: 'BlkioDevices', id: 104, kind: 'message', shape: 'repeated', message: () => BlockDeviceLimit },
  ],
  create: (p: Partial<ResourceRequirements> = {}): ResourceRequirements => ({ limits: p.limits, reservations: p.reservations, swapBytes: p.swapBytes, memorySwappiness: p.memorySwappiness, cpuShares: p.cpuShares ?? 0, cpusetCpus: p.cpusetCpus ?? '', blkioWeight: p.blkioWeight ?? 0, oomKillDisable: p.oomKillDisable ?? false, blkioDevices: p.blkioDevices ?? [] }),
  write(m: ResourceRequirements, w: Writer): Writer {
    if (m.limits !== undefined) Resources.write(m.limits, w.uint32(10).fork()).ldelim();
    if (m.reservations !== undefined) Resources.write(m.reservations, w.uint32(18).fork()).ldelim();
    if (m.swapBytes !== undefined) w.uint32(24).int64(m.swapBytes);
    if (m.memorySwappiness !== undefined) w.uint32(32).int64(m.memorySwappiness);
    if (m.cpuShares !== 0) w.uint32(800).int64(m.cpuShares);
    if (m.cpusetCpus !== '') w.uint32(810).string(m.cpusetCpus);
    if (m.blkioWeight !== 0) w.uint32(816).int64(m.blkioWeight);
    if (m.oomKillDisable) w.uint32(824).bool(m.oomKillDisable);
    for (const v of m.blkioDevices) BlockDeviceLimit.write(v, w.uint32(834).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): ResourceRequirements {
    const end = r.pos + length;
    const m: { limits: Resources | undefined; reservations: Resources | undefined; swapBytes: number | undefined; memorySwappiness: number | undefined; cpuShares: number; cpusetCpus: string; blkioWeight: number; oomKillDisable: boolean; blkioDevices: BlockDeviceLimit[] } = { limits: undefined, reservations: undefined, swapBytes: undefined, memorySwappiness: undefined, cpuShares: 0, cpusetCpus: '', blkioWeight: 0, oomKillDisable: false, blkioDevices: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.limits = Resources.read(r, r.uint32());
          break;
        case 2:
          m.reservations = Resources.read(r, r.uint32());
          break;
        case 3:
          m.swapBytes = readInt64(r.int64());
          break;
        case 4:
          m.memorySwappiness = readInt64(r.int64());
          break;
        case 100:
          m.cpuShares = readInt64(r.int64());
          break;
        case 101:
          m.cpusetCpus = r.string();
          break;
        case 102:
          m.blkioWeight = readInt64(r.int64());
          break;
        case 103:
          m.oomKillDisable = r.bool();
          break;
        case 104:
          m.blkioDevices.push(BlockDeviceLimit.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ResourceRequirements): Uint8Array => ResourceRequirements.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ResourceRequirements => ResourceRequirements.read(Reader.create(bytes), bytes.length),
};

export interface BlockDeviceLimit {
  readonly path: string;
  /** 10..1000 */
  readonly weight: number;
  /** bytes a second */
  readonly readBps: number;
  readonly writeBps: number;
  readonly readIops: number;
  readonly writeIops: number;
}
export const BlockDeviceLimit: MessageType<BlockDeviceLimit> = {
  name: 'BlockDeviceLimit',
  fields: [
    { name: 'path', json: 'Path', id: 1, kind: 'string', shape: 'one' },
    { name: 'weight', json: 'Weight', id: 2, kind: 'int64', shape: 'one' },
    { name: 'readBps', json: 'ReadBps', id: 3, kind: 'int64', shape: 'one' },
    { name: 'writeBps', json: 'WriteBps', id: 4, kind: 'int64', shape: 'one' },
    { name: 'readIops', json: 'ReadIOps', id: 5, kind: 'int64', shape: 'one' },
    { name: 'writeIops', json: 'WriteIOps', id: 6, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<BlockDeviceLimit> = {}): BlockDeviceLimit => ({ path: p.path ?? '', weight: p.weight ?? 0, readBps: p.readBps ?? 0, writeBps: p.writeBps ?? 0, readIops: p.readIops ?? 0, writeIops: p.writeIops ?? 0 }),
  write(m: BlockDeviceLimit, w: Writer): Writer {
    if (m.path !== '') w.uint32(10).string(m.path);
    if (m.weight !== 0) w.uint32(16).int64(m.weight);
    if (m.readBps !== 0) w.uint32(24).int64(m.readBps);
    if (m.writeBps !== 0) w.uint32(32).int64(m.writeBps);
    if (m.readIops !== 0) w.uint32(40).int64(m.readIops);
    if (m.writeIops !== 0) w.uint32(48).int64(m.writeIops);
    return w;
  },
  read(r: Reader, length: number): BlockDeviceLimit {
    const end = r.pos + length;
    const m: { path: string; weight: number; readBps: number; writeBps: number; readIops: number; writeIops: number } = { path: '', weight: 0, readBps: 0, writeBps: 0, readIops: 0, writeIops: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.path = r.string();
          break;
        case 2:
          m.weight = readInt64(r.int64());
          break;
        case 3:
          m.readBps = readInt64(r.int64());
          break;
        case 4:
          m.writeBps = readInt64(r.int64());
          break;
        case 5:
          m.readIops = readInt64(r.int64());
          break;
        case 6:
          m.writeIops = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: BlockDeviceLimit): Uint8Array => BlockDeviceLimit.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BlockDeviceLimit => BlockDeviceLimit.read(Reader.create(bytes), bytes.length),
};

/** ---- restart, update, placement ----------------------------------------------------------------------------------------- */
export const RestartCondition = {
  ANY: 0,
  ON_FAILURE: 1,
  NONE: 2,
} as const;
export type RestartCondition = (typeof RestartCondition)[keyof typeof RestartCondition];
export const RestartConditionText: ReadonlyMap<number, string> = new Map([[0, 'any'], [1, 'on-failure'], [2, 'none']]);

export interface RestartPolicy {
  readonly condition: RestartCondition;
  /** nanoseconds; unset = 5 s */
  readonly delay: number | undefined;
  /** 0 = unlimited */
  readonly maxAttempts: number;
  /** nanoseconds; 0 = unbounded */
  readonly window: number;
}
export const RestartPolicy: MessageType<RestartPolicy> = {
  name: 'RestartPolicy',
  fields: [
    { name: 'condition', json: 'Condition', id: 1, kind: 'enum', shape: 'one', text: RestartConditionText, always: true },
    { name: 'delay', json: 'Delay', id: 2, kind: 'int64', shape: 'optional' },
    { name: 'maxAttempts', json: 'MaxAttempts', id: 3, kind: 'int64', shape: 'one', always: true },
    { name: 'window', json: 'Window', id: 4, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<RestartPolicy> = {}): RestartPolicy => ({ condition: p.condition ?? 0, delay: p.delay, maxAttempts: p.maxAttempts ?? 0, window: p.window ?? 0 }),
  write(m: RestartPolicy, w: Writer): Writer {
    if (m.condition !== 0) w.uint32(8).int32(m.condition);
    if (m.delay !== undefined) w.uint32(16).int64(m.delay);
    if (m.maxAttempts !== 0) w.uint32(24).int64(m.maxAttempts);
    if (m.window !== 0) w.uint32(32).int64(m.window);
    return w;
  },
  read(r: Reader, length: number): RestartPolicy {
    const end = r.pos + length;
    const m: { condition: RestartCondition; delay: number | undefined; maxAttempts: number; window: number } = { condition: 0, delay: undefined, maxAttempts: 0, window: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.condition = r.int32() as RestartCondition;
          break;
        case 2:
          m.delay = readInt64(r.int64());
          break;
        case 3:
          m.maxAttempts = readInt64(r.int64());
          break;
        case 4:
          m.window = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: RestartPolicy): Uint8Array => RestartPolicy.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): RestartPolicy => RestartPolicy.read(Reader.create(bytes), bytes.length),
};

export const EngineRestart = {
  NO: 0,
  ALWAYS: 1,
  UNLESS_STOPPED: 2,
  ON_FAILURE: 3,
} as const;
export type EngineRestart = (typeof EngineRestart)[keyof typeof EngineRestart];
export const EngineRestartText: ReadonlyMap<number, string> = new Map([[0, 'no'], [1, 'always'], [2, 'unless-stopped'], [3, 'on-failure']]);

/** Compose `restart:`. The agent starts the same container again (back-off 100 ms doubling to 1 min, reset after 10 s of running). */
export interface EngineRestartPolicy {
  readonly name: EngineRestart;
  /** on-failure only; 0 = unlimited */
  readonly maximumRetryCount: number;
}
export const EngineRestartPolicy: MessageType<EngineRestartPolicy> = {
  name: 'EngineRestartPolicy',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'enum', shape: 'one', text: EngineRestartText, always: true },
    { name: 'maximumRetryCount', json: 'MaximumRetryCount', id: 2, kind: 'int64', shape: 'one', always: true },
  ],
  create: (p: Partial<EngineRestartPolicy> = {}): EngineRestartPolicy => ({ name: p.name ?? 0, maximumRetryCount: p.maximumRetryCount ?? 0 }),
  write(m: EngineRestartPolicy, w: Writer): Writer {
    if (m.name !== 0) w.uint32(8).int32(m.name);
    if (m.maximumRetryCount !== 0) w.uint32(16).int64(m.maximumRetryCount);
    return w;
  },
  read(r: Reader, length: number): EngineRestartPolicy {
    const end = r.pos + length;
    const m: { name: EngineRestart; maximumRetryCount: number } = { name: 0, maximumRetryCount: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.int32() as EngineRestart;
          break;
        case 2:
          m.maximumRetryCount = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: EngineRestartPolicy): Uint8Array => EngineRestartPolicy.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): EngineRestartPolicy => EngineRestartPolicy.read(Reader.create(bytes), bytes.length),
};

export interface SpreadOver {
  readonly spreadDescriptor: string;
}
export const SpreadOver: MessageType<SpreadOver> = {
  name: 'SpreadOver',
  fields: [
    { name: 'spreadDescriptor', json: 'SpreadDescriptor', id: 1, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<SpreadOver> = {}): SpreadOver => ({ spreadDescriptor: p.spreadDescriptor ?? '' }),
  write(m: SpreadOver, w: Writer): Writer {
    if (m.spreadDescriptor !== '') w.uint32(10).string(m.spreadDescriptor);
    return w;
  },
  read(r: Reader, length: number): SpreadOver {
    const end = r.pos + length;
    const m: { spreadDescriptor: string } = { spreadDescriptor: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.spreadDescriptor = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SpreadOver): Uint8Array => SpreadOver.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SpreadOver => SpreadOver.read(Reader.create(bytes), bytes.length),
};

export interface PlacementPreference {
  readonly spread: SpreadOver | undefined;
}
export const PlacementPreference: MessageType<PlacementPreference> = {
  name: 'PlacementPreference',
  fields: [
    { name: 'spread', json: 'Spread', id: 1, kind: 'message', shape: 'optional', message: () => SpreadOver },
  ],
  create: (p: Partial<PlacementPreference> = {}): PlacementPreference => ({ spread: p.spread }),
  write(m: PlacementPreference, w: Writer): Writer {
    if (m.spread !== undefined) SpreadOver.write(m.spread, w.uint32(10).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): PlacementPreference {
    const end = r.pos + length;
    const m: { spread: SpreadOver | undefined } = { spread: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.spread = SpreadOver.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: PlacementPreference): Uint8Array => PlacementPreference.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): PlacementPreference => PlacementPreference.read(Reader.create(bytes), bytes.length),
};

export interface Platform {
  readonly architecture: string;
  readonly os: string;
}
export const Platform: MessageType<Platform> = {
  name: 'Platform',
  fields: [
    { name: 'architecture', json: 'Architecture', id: 1, kind: 'string', shape: 'one' },
    { name: 'os', json: 'OS', id: 2, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<Platform> = {}): Platform => ({ architecture: p.architecture ?? '', os: p.os ?? '' }),
  write(m: Platform, w: Writer): Writer {
    if (m.architecture !== '') w.uint32(10).string(m.architecture);
    if (m.os !== '') w.uint32(18).string(m.os);
    return w;
  },
  read(r: Reader, length: number): Platform {
    const end = r.pos + length;
    const m: { architecture: string; os: string } = { architecture: '', os: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.architecture = r.string();
          break;
        case 2:
          m.os = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Platform): Uint8Array => Platform.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Platform => Platform.read(Reader.create(bytes), bytes.length),
};

export interface Placement {
  readonly constraints: readonly string[];
  readonly preferences: readonly PlacementPreference[];
  readonly maxReplicas: number;
  readonly platforms: readonly Platform[];
}
export const Placement: MessageType<Placement> = {
  name: 'Placement',
  fields: [
    { name: 'constraints', json: 'Constraints', id: 1, kind: 'string', shape: 'repeated' },
    { name: 'preferences', json: 'Preferences', id: 2, kind: 'message', shape: 'repeated', message: () => PlacementPreference },
    { name: 'maxReplicas', json: 'MaxReplicas', id: 3, kind: 'int64', shape: 'one' },
    { name: 'platforms', json: 'Platforms', id: 4, kind: 'message', shape: 'repeated', message: () => Platform },
  ],
  create: (p: Partial<Placement> = {}): Placement => ({ constraints: p.constraints ?? [], preferences: p.preferences ?? [], maxReplicas: p.maxReplicas ?? 0, platforms: p.platforms ?? [] }),
  write(m: Placement, w: Writer): Writer {
    for (const v of m.constraints) w.uint32(10).string(v);
    for (const v of m.preferences) PlacementPreference.write(v, w.uint32(18).fork()).ldelim();
    if (m.maxReplicas !== 0) w.uint32(24).int64(m.maxReplicas);
    for (const v of m.platforms) Platform.write(v, w.uint32(34).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): Placement {
    const end = r.pos + length;
    const m: { constraints: string[]; preferences: PlacementPreference[]; maxReplicas: number; platforms: Platform[] } = { constraints: [], preferences: [], maxReplicas: 0, platforms: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.constraints.push(r.string());
          break;
        case 2:
          m.preferences.push(PlacementPreference.read(r, r.uint32()));
          break;
        case 3:
          m.maxReplicas = readInt64(r.int64());
          break;
        case 4:
          m.platforms.push(Platform.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Placement): Uint8Array => Placement.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Placement => Placement.read(Reader.create(bytes), bytes.length),
};

export const FailureAction = {
  PAUSE: 0,
  CONTINUE: 1,
  ROLLBACK: 2,
} as const;
export type FailureAction = (typeof FailureAction)[keyof typeof FailureAction];
export const FailureActionText: ReadonlyMap<number, string> = new Map([[0, 'pause'], [1, 'continue'], [2, 'rollback']]);

export const UpdateOrder = {
  STOP_FIRST: 0,
  START_FIRST: 1,
} as const;
export type UpdateOrder = (typeof UpdateOrder)[keyof typeof UpdateOrder];
export const UpdateOrderText: ReadonlyMap<number, string> = new Map([[0, 'stop-first'], [1, 'start-first']]);

export interface UpdateConfig {
  /** 0 = all at once */
  readonly parallelism: number;
  /** nanoseconds */
  readonly delay: number;
  readonly failureAction: FailureAction;
  /** nanoseconds; unset = 5 s */
  readonly monitor: number | undefined;
  readonly maxFailureRatio: number;
  readonly order: UpdateOrder;
  /** nanoseconds; 0 = 10 min */
  readonly progressDeadline: number;
}
export const UpdateConfig: MessageType<UpdateConfig> = {
  name: 'UpdateConfig',
  fields: [
    { name: 'parallelism', json: 'Parallelism', id: 1, kind: 'int64', shape: 'one', always: true },
    { name: 'delay', json: 'Delay', id: 2, kind: 'int64', shape: 'one' },
    { name: 'failureAction', json: 'FailureAction', id: 3, kind: 'enum', shape: 'one', text: FailureActionText, always: true },
    { name: 'monitor', json: 'Monitor', id: 4, kind: 'int64', shape: 'optional' },
    { name: 'maxFailureRatio', json: 'MaxFailureRatio', id: 5, kind: 'double', shape: 'one', always: true },
    { name: 'order', json: 'Order', id: 6, kind: 'enum', shape: 'one', text: UpdateOrderText, always: true },
    { name: 'progressDeadline', json: 'ProgressDeadline', id: 100, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<UpdateConfig> = {}): UpdateConfig => ({ parallelism: p.parallelism ?? 0, delay: p.delay ?? 0, failureAction: p.failureAction ?? 0, monitor: p.monitor, maxFailureRatio: p.maxFailureRatio ?? 0, order: p.order ?? 0, progressDeadline: p.progressDeadline ?? 0 }),
  write(m: UpdateConfig, w: Writer): Writer {
    if (m.parallelism !== 0) w.uint32(8).int64(m.parallelism);
    if (m.delay !== 0) w.uint32(16).int64(m.delay);
    if (m.failureAction !== 0) w.uint32(24).int32(m.failureAction);
    if (m.monitor !== undefined) w.uint32(32).int64(m.monitor);
    if (m.maxFailureRatio !== 0) w.uint32(41).double(m.maxFailureRatio);
    if (m.order !== 0) w.uint32(48).int32(m.order);
    if (m.progressDeadline !== 0) w.uint32(800).int64(m.progressDeadline);
    return w;
  },
  read(r: Reader, length: number): UpdateConfig {
    const end = r.pos + length;
    const m: { parallelism: number; delay: number; failureAction: FailureAction; monitor: number | undefined; maxFailureRatio: number; order: UpdateOrder; progressDeadline: number } = { parallelism: 0, delay: 0, failureAction: 0, monitor: undefined, maxFailureRatio: 0, order: 0, progressDeadline: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.parallelism = readInt64(r.int64());
          break;
        case 2:
          m.delay = readInt64(r.int64());
          break;
        case 3:
          m.failureAction = r.int32() as FailureAction;
          break;
        case 4:
          m.monitor = readInt64(r.int64());
          break;
        case 5:
          m.maxFailureRatio = r.double();
          break;
        case 6:
          m.order = r.int32() as UpdateOrder;
          break;
        case 100:
          m.progressDeadline = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: UpdateConfig): Uint8Array => UpdateConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): UpdateConfig => UpdateConfig.read(Reader.create(bytes), bytes.length),
};

/** ---- container ---------------------------------------------------------------------------------------------------------- */
export const MountType = {
  BIND: 0,
  VOLUME: 1,
  TMPFS: 2,
  IMAGE: 3,
  CLUSTER: 4,
  NPIPE: 5,
} as const;
export type MountType = (typeof MountType)[keyof typeof MountType];
export const MountTypeText: ReadonlyMap<number, string> = new Map([[0, 'bind'], [1, 'volume'], [2, 'tmpfs'], [3, 'image'], [4, 'cluster'], [5, 'npipe']]);

export interface BindOptions {
  readonly propagation: string;
  readonly nonRecursive: boolean;
  readonly createMountpoint: boolean;
  readonly readOnlyNonRecursive: boolean;
  readonly readOnlyForceRecursive: boolean;
}
export const BindOptions: MessageType<BindOptions> = {
  name: 'BindOptions',
  fields: [
    { name: 'propagation', json: 'Propagation', id: 1, kind: 'string', shape: 'one' },
    { name: 'nonRecursive', json: 'NonRecursive', id: 2, kind: 'bool', shape: 'one' },
    { name: 'createMountpoint', json: 'CreateMountpoint', id: 3, kind: 'bool', shape: 'one' },
    { name: 'readOnlyNonRecursive', json: 'ReadOnlyNonRecursive', id: 4, kind: 'bool', shape: 'one' },
    { name: 'readOnlyForceRecursive', json: 'ReadOnlyForceRecursive', id: 5, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<BindOptions> = {}): BindOptions => ({ propagation: p.propagation ?? '', nonRecursive: p.nonRecursive ?? false, createMountpoint: p.createMountpoint ?? false, readOnlyNonRecursive: p.readOnlyNonRecursive ?? false, readOnlyForceRecursive: p.readOnlyForceRecursive ?? false }),
  write(m: BindOptions, w: Writer): Writer {
    if (m.propagation !== '') w.uint32(10).string(m.propagation);
    if (m.nonRecursive) w.uint32(16).bool(m.nonRecursive);
    if (m.createMountpoint) w.uint32(24).bool(m.createMountpoint);
    if (m.readOnlyNonRecursive) w.uint32(32).bool(m.readOnlyNonRecursive);
    if (m.readOnlyForceRecursive) w.uint32(40).bool(m.readOnlyForceRecursive);
    return w;
  },
  read(r: Reader, length: number): BindOptions {
    const end = r.pos + length;
    const m: { propagation: string; nonRecursive: boolean; createMountpoint: boolean; readOnlyNonRecursive: boolean; readOnlyForceRecursive: boolean } = { propagation: '', nonRecursive: false, createMountpoint: false, readOnlyNonRecursive: false, readOnlyForceRecursive: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.propagation = r.string();
          break;
        case 2:
          m.nonRecursive = r.bool();
          break;
        case 3:
          m.createMountpoint = r.bool();
          break;
        case 4:
          m.readOnlyNonRecursive = r.bool();
          break;
        case 5:
          m.readOnlyForceRecursive = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: BindOptions): Uint8Array => BindOptions.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BindOptions => BindOptions.read(Reader.create(bytes), bytes.length),
};

export interface VolumeOptions {
  readonly noCopy: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly driverConfig: Driver | undefined;
  readonly subpath: string;
}
export const VolumeOptions: MessageType<VolumeOptions> = {
  name: 'VolumeOptions',
  fields: [
    { name: 'noCopy', json: 'NoCopy', id: 1, kind: 'bool', shape: 'one' },
    { name: 'labels', json: 'Labels', id: 2, kind: 'string', shape: 'map' },
    { name: 'driverConfig', json: 'DriverConfig', id: 3, kind: 'message', shape: 'optional', message: () => Driver },
    { name: 'subpath', json: 'Subpath', id: 4, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<VolumeOptions> = {}): VolumeOptions => ({ noCopy: p.noCopy ?? false, labels: p.labels ?? {}, driverConfig: p.driverConfig, subpath: p.subpath ?? '' }),
  write(m: VolumeOptions, w: Writer): Writer {
    if (m.noCopy) w.uint32(8).bool(m.noCopy);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.driverConfig !== undefined) Driver.write(m.driverConfig, w.uint32(26).fork()).ldelim();
    if (m.subpath !== '') w.uint32(34).string(m.subpath);
    return w;
  },
  read(r: Reader, length: number): VolumeOptions {
    const end = r.pos + length;
    const m: { noCopy: boolean; labels: Record<string, string>; driverConfig: Driver | undefined; subpath: string } = { noCopy: false, labels: {}, driverConfig: undefined, subpath: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.noCopy = r.bool();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 3:
          m.driverConfig = Driver.read(r, r.uint32());
          break;
        case 4:
          m.subpath = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: VolumeOptions): Uint8Array => VolumeOptions.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): VolumeOptions => VolumeOptions.read(Reader.create(bytes), bytes.length),
};

export interface ImageOptions {
  readonly subpath: string;
  /** Extension: the very image (sha256:…), when it was made in the cluster */
  readonly imageId: string;
}
export const ImageOptions: MessageType<ImageOptions> = {
  name: 'ImageOptions',
  fields: [
    { name: 'subpath', json: 'Subpath', id: 1, kind: 'string', shape: 'one' },
    { name: 'imageId', json: 'ImageID', id: 100, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<ImageOptions> = {}): ImageOptions => ({ subpath: p.subpath ?? '', imageId: p.imageId ?? '' }),
  write(m: ImageOptions, w: Writer): Writer {
    if (m.subpath !== '') w.uint32(10).string(m.subpath);
    if (m.imageId !== '') w.uint32(802).string(m.imageId);
    return w;
  },
  read(r: Reader, length: number): ImageOptions {
    const end = r.pos + length;
    const m: { subpath: string; imageId: string } = { subpath: '', imageId: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.subpath = r.string();
          break;
        case 100:
          m.imageId = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ImageOptions): Uint8Array => ImageOptions.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ImageOptions => ImageOptions.read(Reader.create(bytes), bytes.length),
};

export interface TmpfsOptions {
  readonly sizeBytes: number;
  readonly mode: number;
  readonly flags: readonly string[];
}
export const TmpfsOptions: MessageType<TmpfsOptions> = {
  name: 'TmpfsOptions',
  fields: [
    { name: 'sizeBytes', json: 'SizeBytes', id: 1, kind: 'int64', shape: 'one' },
    { name: 'mode', json: 'Mode', id: 2, kind: 'uint32', shape: 'one' },
    { name: 'flags', json: 'Flags', id: 100, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<TmpfsOptions> = {}): TmpfsOptions => ({ sizeBytes: p.sizeBytes ?? 0, mode: p.mode ?? 0, flags: p.flags ?? [] }),
  write(m: TmpfsOptions, w: Writer): Writer {
    if (m.sizeBytes !== 0) w.uint32(8).int64(m.sizeBytes);
    if (m.mode !== 0) w.uint32(16).uint32(m.mode);
    for (const v of m.flags) w.uint32(802).string(v);
    return w;
  },
  read(r: Reader, length: number): TmpfsOptions {
    const end = r.pos + length;
    const m: { sizeBytes: number; mode: number; flags: string[] } = { sizeBytes: 0, mode: 0, flags: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.sizeBytes = readInt64(r.int64());
          break;
        case 2:
          m.mode = r.uint32();
          break;
        case 100:
          m.flags.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: TmpfsOptions): Uint8Array => TmpfsOptions.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): TmpfsOptions => TmpfsOptions.read(Reader.create(bytes), bytes.length),
};

export interface Mount {
  readonly type: MountType;
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly consistency: string;
  readonly bindOptions: BindOptions | undefined;
  readonly volumeOptions: VolumeOptions | undefined;
  readonly tmpfsOptions: TmpfsOptions | undefined;
  readonly imageOptions: ImageOptions | undefined;
}
export const Mount: MessageType<Mount> = {
  name: 'Mount',
  fields: [
    { name: 'type', json: 'Type', id: 1, kind: 'enum', shape: 'one', text: MountTypeText, always: true },
    { name: 'source', json: 'Source', id: 2, kind: 'string', shape: 'one' },
    { name: 'target', json: 'Target', id: 3, kind: 'string', shape: 'one', always: true },
    { name: 'readOnly', json: 'ReadOnly', id: 4, kind: 'bool', shape: 'one' },
    { name: 'consistency', json: 'Consistency', id: 5, kind: 'string', shape: 'one' },
    { name: 'bindOptions', json: 'BindOptions', id: 6, kind: 'message', shape: 'optional', message: () => BindOptions },
    { name: 'volumeOptions', json: 'VolumeOptions', id: 7, kind: 'message', shape: 'optional', message: () => VolumeOptions },
    { name: 'tmpfsOptions', json: 'TmpfsOptions', id: 8, kind: 'message', shape: 'optional', message: () => TmpfsOptions },
    { name: 'imageOptions', json: 'ImageOptions', id: 9, kind: 'message', shape: 'optional', message: () => ImageOptions },
  ],
  create: (p: Partial<Mount> = {}): Mount => ({ type: p.type ?? 0, source: p.source ?? '', target: p.target ?? '', readOnly: p.readOnly ?? false, consistency: p.consistency ?? '', bindOptions: p.bindOptions, volumeOptions: p.volumeOptions, tmpfsOptions: p.tmpfsOptions, imageOptions: p.imageOptions }),
  write(m: Mount, w: Writer): Writer {
    if (m.type !== 0) w.uint32(8).int32(m.type);
    if (m.source !== '') w.uint32(18).string(m.source);
    if (m.target !== '') w.uint32(26).string(m.target);
    if (m.readOnly) w.uint32(32).bool(m.readOnly);
    if (m.consistency !== '') w.uint32(42).string(m.consistency);
    if (m.bindOptions !== undefined) BindOptions.write(m.bindOptions, w.uint32(50).fork()).ldelim();
    if (m.volumeOptions !== undefined) VolumeOptions.write(m.volumeOptions, w.uint32(58).fork()).ldelim();
    if (m.tmpfsOptions !== undefined) TmpfsOptions.write(m.tmpfsOptions, w.uint32(66).fork()).ldelim();
    if (m.imageOptions !== undefined) ImageOptions.write(m.imageOptions, w.uint32(74).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): Mount {
    const end = r.pos + length;
    const m: { type: MountType; source: string; target: string; readOnly: boolean; consistency: string; bindOptions: BindOptions | undefined; volumeOptions: VolumeOptions | undefined; tmpfsOptions: TmpfsOptions | undefined; imageOptions: ImageOptions | undefined } = { type: 0, source: '', target: '', readOnly: false, consistency: '', bindOptions: undefined, volumeOptions: undefined, tmpfsOptions: undefined, imageOptions: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.type = r.int32() as MountType;
          break;
        case 2:
          m.source = r.string();
          break;
        case 3:
          m.target = r.string();
          break;
        case 4:
          m.readOnly = r.bool();
          break;
        case 5:
          m.consistency = r.string();
          break;
        case 6:
          m.bindOptions = BindOptions.read(r, r.uint32());
          break;
        case 7:
          m.volumeOptions = VolumeOptions.read(r, r.uint32());
          break;
        case 8:
          m.tmpfsOptions = TmpfsOptions.read(r, r.uint32());
          break;
        case 9:
          m.imageOptions = ImageOptions.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Mount): Uint8Array => Mount.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Mount => Mount.read(Reader.create(bytes), bytes.length),
};

export interface HealthConfig {
  /** empty = inherit; ["NONE"] = off; ["CMD", …]; ["CMD-SHELL", …] */
  readonly test: readonly string[];
  /** nanoseconds; 0 = inherit */
  readonly interval: number;
  readonly timeout: number;
  readonly retries: number;
  readonly startPeriod: number;
  readonly startInterval: number;
}
export const HealthConfig: MessageType<HealthConfig> = {
  name: 'HealthConfig',
  fields: [
    { name: 'test', json: 'Test', id: 1, kind: 'string', shape: 'repeated' },
    { name: 'interval', json: 'Interval', id: 2, kind: 'int64', shape: 'one' },
    { name: 'timeout', json: 'Timeout', id: 3, kind: 'int64', shape: 'one' },
    { name: 'retries', json: 'Retries', id: 4, kind: 'int64', shape: 'one' },
    { name: 'startPeriod', json: 'StartPeriod', id: 5, kind: 'int64', shape: 'one' },
    { name: 'startInterval', json: 'StartInterval', id: 6, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<HealthConfig> = {}): HealthConfig => ({ test: p.test ?? [], interval: p.interval ?? 0, timeout: p.timeout ?? 0, retries: p.retries ?? 0, startPeriod: p.startPeriod ?? 0, startInterval: p.startInterval ?? 0 }),
  write(m: HealthConfig, w: Writer): Writer {
    for (const v of m.test) w.uint32(10).string(v);
    if (m.interval !== 0) w.uint32(16).int64(m.interval);
    if (m.timeout !== 0) w.uint32(24).int64(m.timeout);
    if (m.retries !== 0) w.uint32(32).int64(m.retries);
    if (m.startPeriod !== 0) w.uint32(40).int64(m.startPeriod);
    if (m.startInterval !== 0) w.uint32(48).int64(m.startInterval);
    return w;
  },
  read(r: Reader, length: number): HealthConfig {
    const end = r.pos + length;
    const m: { test: string[]; interval: number; timeout: number; retries: number; startPeriod: number; startInterval: number } = { test: [], interval: 0, timeout: 0, retries: 0, startPeriod: 0, startInterval: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.test.push(r.string());
          break;
        case 2:
          m.interval = readInt64(r.int64());
          break;
        case 3:
          m.timeout = readInt64(r.int64());
          break;
        case 4:
          m.retries = readInt64(r.int64());
          break;
        case 5:
          m.startPeriod = readInt64(r.int64());
          break;
        case 6:
          m.startInterval = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: HealthConfig): Uint8Array => HealthConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): HealthConfig => HealthConfig.read(Reader.create(bytes), bytes.length),
};

export interface FileTarget {
  readonly name: string;
  readonly uid: string;
  readonly gid: string;
  /** file mode bits, e.g. 0444 */
  readonly mode: number;
}
export const FileTarget: MessageType<FileTarget> = {
  name: 'FileTarget',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'uid', json: 'UID', id: 2, kind: 'string', shape: 'one', always: true },
    { name: 'gid', json: 'GID', id: 3, kind: 'string', shape: 'one', always: true },
    { name: 'mode', json: 'Mode', id: 4, kind: 'uint32', shape: 'one', always: true },
  ],
  create: (p: Partial<FileTarget> = {}): FileTarget => ({ name: p.name ?? '', uid: p.uid ?? '', gid: p.gid ?? '', mode: p.mode ?? 0 }),
  write(m: FileTarget, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    if (m.uid !== '') w.uint32(18).string(m.uid);
    if (m.gid !== '') w.uint32(26).string(m.gid);
    if (m.mode !== 0) w.uint32(32).uint32(m.mode);
    return w;
  },
  read(r: Reader, length: number): FileTarget {
    const end = r.pos + length;
    const m: { name: string; uid: string; gid: string; mode: number } = { name: '', uid: '', gid: '', mode: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2:
          m.uid = r.string();
          break;
        case 3:
          m.gid = r.string();
          break;
        case 4:
          m.mode = r.uint32();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: FileTarget): Uint8Array => FileTarget.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): FileTarget => FileTarget.read(Reader.create(bytes), bytes.length),
};

export interface SecretReference {
  readonly secretId: string;
  readonly secretName: string;
  readonly file: FileTarget | undefined;
}
export const SecretReference: MessageType<SecretReference> = {
  name: 'SecretReference',
  fields: [
    { name: 'secretId', json: 'SecretID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'secretName', json: 'SecretName', id: 2, kind: 'string', shape: 'one', always: true },
    { name: 'file', json: 'File', id: 3, kind: 'message', shape: 'optional', message: () => FileTarget },
  ],
  create: (p: Partial<SecretReference> = {}): SecretReference => ({ secretId: p.secretId ?? '', secretName: p.secretName ?? '', file: p.file }),
  write(m: SecretReference, w: Writer): Writer {
    if (m.secretId !== '') w.uint32(10).string(m.secretId);
    if (m.secretName !== '') w.uint32(18).string(m.secretName);
    if (m.file !== undefined) FileTarget.write(m.file, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): SecretReference {
    const end = r.pos + length;
    const m: { secretId: string; secretName: string; file: FileTarget | undefined } = { secretId: '', secretName: '', file: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.secretId = r.string();
          break;
        case 2:
          m.secretName = r.string();
          break;
        case 3:
          m.file = FileTarget.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SecretReference): Uint8Array => SecretReference.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SecretReference => SecretReference.read(Reader.create(bytes), bytes.length),
};

export interface ConfigReference {
  readonly configId: string;
  readonly configName: string;
  readonly file: FileTarget | undefined;
}
export const ConfigReference: MessageType<ConfigReference> = {
  name: 'ConfigReference',
  fields: [
    { name: 'configId', json: 'ConfigID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'configName', json: 'ConfigName', id: 2, kind: 'string', shape: 'one', always: true },
    { name: 'file', json: 'File', id: 3, kind: 'message', shape: 'optional', message: () => FileTarget },
  ],
  create: (p: Partial<ConfigReference> = {}): ConfigReference => ({ configId: p.configId ?? '', configName: p.configName ?? '', file: p.file }),
  write(m: ConfigReference, w: Writer): Writer {
    if (m.configId !== '') w.uint32(10).string(m.configId);
    if (m.configName !== '') w.uint32(18).string(m.configName);
    if (m.file !== undefined) FileTarget.write(m.file, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): ConfigReference {
    const end = r.pos + length;
    const m: { configId: string; configName: string; file: FileTarget | undefined } = { configId: '', configName: '', file: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.configId = r.string();
          break;
        case 2:
          m.configName = r.string();
          break;
        case 3:
          m.file = FileTarget.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ConfigReference): Uint8Array => ConfigReference.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ConfigReference => ConfigReference.read(Reader.create(bytes), bytes.length),
};

export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}
export const Ulimit: MessageType<Ulimit> = {
  name: 'Ulimit',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one' },
    { name: 'soft', json: 'Soft', id: 2, kind: 'int64', shape: 'one', always: true },
    { name: 'hard', json: 'Hard', id: 3, kind: 'int64', shape: 'one', always: true },
  ],
  create: (p: Partial<Ulimit> = {}): Ulimit => ({ name: p.name ?? '', soft: p.soft ?? 0, hard: p.hard ?? 0 }),
  write(m: Ulimit, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    if (m.soft !== 0) w.uint32(16).int64(m.soft);
    if (m.hard !== 0) w.uint32(24).int64(m.hard);
    return w;
  },
  read(r: Reader, length: number): Ulimit {
    const end = r.pos + length;
    const m: { name: string; soft: number; hard: number } = { name: '', soft: 0, hard: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2:
          m.soft = readInt64(r.int64());
          break;
        case 3:
          m.hard = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Ulimit): Uint8Array => Ulimit.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Ulimit => Ulimit.read(Reader.create(bytes), bytes.length),
};

export interface DnsConfig {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}
export const DnsConfig: MessageType<DnsConfig> = {
  name: 'DnsConfig',
  fields: [
    { name: 'nameservers', json: 'Nameservers', id: 1, kind: 'string', shape: 'repeated' },
    { name: 'search', json: 'Search', id: 2, kind: 'string', shape: 'repeated' },
    { name: 'options', json: 'Options', id: 3, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<DnsConfig> = {}): DnsConfig => ({ nameservers: p.nameservers ?? [], search: p.search ?? [], options: p.options ?? [] }),
  write(m: DnsConfig, w: Writer): Writer {
    for (const v of m.nameservers) w.uint32(10).string(v);
    for (const v of m.search) w.uint32(18).string(v);
    for (const v of m.options) w.uint32(26).string(v);
    return w;
  },
  read(r: Reader, length: number): DnsConfig {
    const end = r.pos + length;
    const m: { nameservers: string[]; search: string[]; options: string[] } = { nameservers: [], search: [], options: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nameservers.push(r.string());
          break;
        case 2:
          m.search.push(r.string());
          break;
        case 3:
          m.options.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: DnsConfig): Uint8Array => DnsConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): DnsConfig => DnsConfig.read(Reader.create(bytes), bytes.length),
};

export interface DeviceMapping {
  readonly pathOnHost: string;
  readonly pathInContainer: string;
  readonly cgroupPermissions: string;
}
export const DeviceMapping: MessageType<DeviceMapping> = {
  name: 'DeviceMapping',
  fields: [
    { name: 'pathOnHost', json: 'PathOnHost', id: 1, kind: 'string', shape: 'one' },
    { name: 'pathInContainer', json: 'PathInContainer', id: 2, kind: 'string', shape: 'one' },
    { name: 'cgroupPermissions', json: 'CgroupPermissions', id: 3, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<DeviceMapping> = {}): DeviceMapping => ({ pathOnHost: p.pathOnHost ?? '', pathInContainer: p.pathInContainer ?? '', cgroupPermissions: p.cgroupPermissions ?? '' }),
  write(m: DeviceMapping, w: Writer): Writer {
    if (m.pathOnHost !== '') w.uint32(10).string(m.pathOnHost);
    if (m.pathInContainer !== '') w.uint32(18).string(m.pathInContainer);
    if (m.cgroupPermissions !== '') w.uint32(26).string(m.cgroupPermissions);
    return w;
  },
  read(r: Reader, length: number): DeviceMapping {
    const end = r.pos + length;
    const m: { pathOnHost: string; pathInContainer: string; cgroupPermissions: string } = { pathOnHost: '', pathInContainer: '', cgroupPermissions: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.pathOnHost = r.string();
          break;
        case 2:
          m.pathInContainer = r.string();
          break;
        case 3:
          m.cgroupPermissions = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: DeviceMapping): Uint8Array => DeviceMapping.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): DeviceMapping => DeviceMapping.read(Reader.create(bytes), bytes.length),
};

export const SeccompMode = {
  DEFAULT: 0,
  UNCONFINED: 1,
  CUSTOM: 2,
} as const;
export type SeccompMode = (typeof SeccompMode)[keyof typeof SeccompMode];
export const SeccompModeText: ReadonlyMap<number, string> = new Map([[0, 'default'], [1, 'unconfined'], [2, 'custom']]);

export interface SeccompOpts {
  readonly mode: SeccompMode;
  readonly profile: Uint8Array;
}
export const SeccompOpts: MessageType<SeccompOpts> = {
  name: 'SeccompOpts',
  fields: [
    { name: 'mode', json: 'Mode', id: 1, kind: 'enum', shape: 'one', text: SeccompModeText, always: true },
    { name: 'profile', json: 'Profile', id: 2, kind: 'bytes', shape: 'one' },
  ],
  create: (p: Partial<SeccompOpts> = {}): SeccompOpts => ({ mode: p.mode ?? 0, profile: p.profile ?? NO_BYTES }),
  write(m: SeccompOpts, w: Writer): Writer {
    if (m.mode !== 0) w.uint32(8).int32(m.mode);
    if (m.profile.length > 0) w.uint32(18).bytes(m.profile);
    return w;
  },
  read(r: Reader, length: number): SeccompOpts {
    const end = r.pos + length;
    const m: { mode: SeccompMode; profile: Uint8Array } = { mode: 0, profile: NO_BYTES };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.mode = r.int32() as SeccompMode;
          break;
        case 2:
          m.profile = sizeLimitedBytes(r.bytes());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SeccompOpts): Uint8Array => SeccompOpts.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SeccompOpts => SeccompOpts.read(Reader.create(bytes), bytes.length),
};

export const AppArmorMode = {
  DEFAULT: 0,
  DISABLED: 1,
} as const;
export type AppArmorMode = (typeof AppArmorMode)[keyof typeof AppArmorMode];
export const AppArmorModeText: ReadonlyMap<number, string> = new Map([[0, 'default'], [1, 'disabled']]);

export interface AppArmorOpts {
  readonly mode: AppArmorMode;
  /** Extension: one of the node's by name; "" = none */
  readonly profile: string;
}
export const AppArmorOpts: MessageType<AppArmorOpts> = {
  name: 'AppArmorOpts',
  fields: [
    { name: 'mode', json: 'Mode', id: 1, kind: 'enum', shape: 'one', text: AppArmorModeText, always: true },
    { name: 'profile', json: 'Profile', id: 100, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<AppArmorOpts> = {}): AppArmorOpts => ({ mode: p.mode ?? 0, profile: p.profile ?? '' }),
  write(m: AppArmorOpts, w: Writer): Writer {
    if (m.mode !== 0) w.uint32(8).int32(m.mode);
    if (m.profile !== '') w.uint32(802).string(m.profile);
    return w;
  },
  read(r: Reader, length: number): AppArmorOpts {
    const end = r.pos + length;
    const m: { mode: AppArmorMode; profile: string } = { mode: 0, profile: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.mode = r.int32() as AppArmorMode;
          break;
        case 100:
          m.profile = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: AppArmorOpts): Uint8Array => AppArmorOpts.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): AppArmorOpts => AppArmorOpts.read(Reader.create(bytes), bytes.length),
};

export interface SelinuxContext {
  readonly disable: boolean;
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}
export const SelinuxContext: MessageType<SelinuxContext> = {
  name: 'SelinuxContext',
  fields: [
    { name: 'disable', json: 'Disable', id: 1, kind: 'bool', shape: 'one' },
    { name: 'user', json: 'User', id: 2, kind: 'string', shape: 'one' },
    { name: 'role', json: 'Role', id: 3, kind: 'string', shape: 'one' },
    { name: 'type', json: 'Type', id: 4, kind: 'string', shape: 'one' },
    { name: 'level', json: 'Level', id: 5, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<SelinuxContext> = {}): SelinuxContext => ({ disable: p.disable ?? false, user: p.user ?? '', role: p.role ?? '', type: p.type ?? '', level: p.level ?? '' }),
  write(m: SelinuxContext, w: Writer): Writer {
    if (m.disable) w.uint32(8).bool(m.disable);
    if (m.user !== '') w.uint32(18).string(m.user);
    if (m.role !== '') w.uint32(26).string(m.role);
    if (m.type !== '') w.uint32(34).string(m.type);
    if (m.level !== '') w.uint32(42).string(m.level);
    return w;
  },
  read(r: Reader, length: number): SelinuxContext {
    const end = r.pos + length;
    const m: { disable: boolean; user: string; role: string; type: string; level: string } = { disable: false, user: '', role: '', type: '', level: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.disable = r.bool();
          break;
        case 2:
          m.user = r.string();
          break;
        case 3:
          m.role = r.string();
          break;
        case 4:
          m.type = r.string();
          break;
        case 5:
          m.level = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SelinuxContext): Uint8Array => SelinuxContext.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SelinuxContext => SelinuxContext.read(Reader.create(bytes), bytes.length),
};

export interface Privileges {
  readonly selinuxContext: SelinuxContext | undefined;
  readonly seccomp: SeccompOpts | undefined;
  readonly appArmor: AppArmorOpts | undefined;
  readonly noNewPrivileges: boolean;
  /** Extension: nothing of /proc and /sys is masked or read-only */
  readonly unconfinedSystemPaths: boolean;
}
export const Privileges: MessageType<Privileges> = {
  name: 'Privileges',
  fields: [
    { name: 'selinuxContext', json: 'SELinuxContext', id: 1, kind: 'message', shape: 'optional', message: () => SelinuxContext },
    { name: 'seccomp', json: 'Seccomp', id: 2, kind: 'message', shape: 'optional', message: () => SeccompOpts },
    { name: 'appArmor', json: 'AppArmor', id: 3, kind: 'message', shape: 'optional', message: () => AppArmorOpts },
    { name: 'noNewPrivileges', json: 'NoNewPrivileges', id: 4, kind: 'bool', shape: 'one' },
    { name: 'unconfinedSystemPaths', json: 'UnconfinedSystemPaths', id: 100, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<Privileges> = {}): Privileges => ({ selinuxContext: p.selinuxContext, seccomp: p.seccomp, appArmor: p.appArmor, noNewPrivileges: p.noNewPrivileges ?? false, unconfinedSystemPaths: p.unconfinedSystemPaths ?? false }),
  write(m: Privileges, w: Writer): Writer {
    if (m.selinuxContext !== undefined) SelinuxContext.write(m.selinuxContext, w.uint32(10).fork()).ldelim();
    if (m.seccomp !== undefined) SeccompOpts.write(m.seccomp, w.uint32(18).fork()).ldelim();
    if (m.appArmor !== undefined) AppArmorOpts.write(m.appArmor, w.uint32(26).fork()).ldelim();
    if (m.noNewPrivileges) w.uint32(32).bool(m.noNewPrivileges);
    if (m.unconfinedSystemPaths) w.uint32(800).bool(m.unconfinedSystemPaths);
    return w;
  },
  read(r: Reader, length: number): Privileges {
    const end = r.pos + length;
    const m: { selinuxContext: SelinuxContext | undefined; seccomp: SeccompOpts | undefined; appArmor: AppArmorOpts | undefined; noNewPrivileges: boolean; unconfinedSystemPaths: boolean } = { selinuxContext: undefined, seccomp: undefined, appArmor: undefined, noNewPrivileges: false, unconfinedSystemPaths: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.selinuxContext = SelinuxContext.read(r, r.uint32());
          break;
        case 2:
          m.seccomp = SeccompOpts.read(r, r.uint32());
          break;
        case 3:
          m.appArmor = AppArmorOpts.read(r, r.uint32());
          break;
        case 4:
          m.noNewPrivileges = r.bool();
          break;
        case 100:
          m.unconfinedSystemPaths = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Privileges): Uint8Array => Privileges.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Privileges => Privileges.read(Reader.create(bytes), bytes.length),
};

export interface ContainerSpec {
  readonly image: string;
  /** replaces the image's entrypoint (and its command) */
  readonly command: readonly string[];
  /** replaces the image's command */
  readonly args: readonly string[];
  readonly hostname: string;
  /** KEY=VALUE */
  readonly env: readonly string[];
  readonly dir: string;
  readonly user: string;
  readonly groups: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly privileges: Privileges | undefined;
  readonly init: boolean | undefined;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly readOnly: boolean;
  readonly stopSignal: string;
  /** nanoseconds; unset = 10 s */
  readonly stopGracePeriod: number | undefined;
  readonly mounts: readonly Mount[];
  readonly healthcheck: HealthConfig | undefined;
  /** "IP name [alias…]" */
  readonly hosts: readonly string[];
  readonly dnsConfig: DnsConfig | undefined;
  readonly secrets: readonly SecretReference[];
  readonly configs: readonly ConfigReference[];
  readonly isolation: string;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly capabilityAdd: readonly string[];
  readonly capabilityDrop: readonly string[];
  readonly ulimits: readonly Ulimit[];
  readonly oomScoreAdj: number;
  /** Extensions. */
  readonly privileged: boolean;
  readonly devices: readonly DeviceMapping[];
  /** bytes; 0 = 64 MiB */
  readonly shmSize: number;
  /** "", none, private, shareable, host, or as network_mode */
  readonly ipcMode: string;
  /** "", host, or as network_mode */
  readonly pidMode: string;
  /** "", host */
  readonly utsMode: string;
  readonly usernsMode: string;
  readonly cgroupParent: string;
  readonly domainname: string;
  /** "" = <service>.<slot>.<task id>; {slot} is replaced */
  readonly containerName: string;
  /** "", always, missing, never */
  readonly pullPolicy: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Compose `entrypoint: []`: neither the image's entrypoint nor its command */
  readonly entrypointCleared: boolean;
  /** Compose `command: []`: not the image's command */
  readonly commandCleared: boolean;
  readonly deviceCgroupRules: readonly string[];
  /** the program's input ends when the first client that sends some has gone */
  readonly stdinOnce: boolean;
  /** the very image (sha256:…), when it was made in the cluster; nodes take it from each other */
  readonly imageId: string;
  /** in the container after each start, in order; one that fails ends the run */
  readonly postStart: readonly LifecycleHook[];
  /** in containers of their own before the first start, in order; one that fails fails the task */
  readonly preStart: readonly LifecycleHook[];
  /** in the container before the stop signal, in order; they have the grace period */
  readonly preStop: readonly LifecycleHook[];
  /** "" = its own networks; service:NAME or container:NAME: the network namespace of that one's container */
  readonly networkMode: string;
  /** "" = private; private, host */
  readonly cgroupnsMode: string;
  /** "" = tswarm's own; one of the node's by name */
  readonly ociRuntime: string;
  /** size: bytes of the root file system */
  readonly storageOpt: Readonly<Record<string, string>>;
  /** devices that a driver of the node chooses (GPUs) */
  readonly deviceRequests: readonly DeviceRequest[];
  /** service:NAME[:ro] or container:NAME[:ro]: that one's mounts as well, as they are on the node */
  readonly volumesFrom: readonly string[];
  /** NAME:ALIAS: what it calls another container, by a name that is known on its networks */
  readonly links: readonly string[];
}
export const ContainerSpec: MessageType<ContainerSpec> = {
  name: 'ContainerSpec',
  fields: [
    { name: 'image', json: 'Image', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'command', json: 'Command', id: 2, kind: 'string', shape: 'repeated' },
    { name: 'args', json: 'Args', id: 3, kind: 'string', shape: 'repeated' },
    { name: 'hostname', json: 'Hostname', id: 4, kind: 'string', shape: 'one' },
    { name: 'env', json: 'Env', id: 5, kind: 'string', shape: 'repeated' },
    { name: 'dir', json: 'Dir', id: 6, kind: 'string', shape: 'one' },
    { name: 'user', json: 'User', id: 7, kind: 'string', shape: 'one' },
    { name: 'groups', json: 'Groups', id: 8, kind: 'string', shape: 'repeated' },
    { name: 'labels', json: 'Labels', id: 9, kind: 'string', shape: 'map' },
    { name: 'privileges', json: 'Privileges', id: 10, kind: 'message', shape: 'optional', message: () => Privileges },
    { name: 'init', json: 'Init', id: 11, kind: 'bool', shape: 'optional' },
    { name: 'tty', json: 'TTY', id: 12, kind: 'bool', shape: 'one' },
    { name: 'openStdin', json: 'OpenStdin', id: 13, kind: 'bool', shape: 'one' },
    { name: 'readOnly', json: 'ReadOnly', id: 14, kind: 'bool', shape: 'one' },
    { name: 'stopSignal', json: 'StopSignal', id: 15, kind: 'string', shape: 'one' },
    { name: 'stopGracePeriod', json: 'StopGracePeriod', id: 16, kind: 'int64', shape: 'optional' },
    { name: 'mounts', json: 'Mounts', id: 17, kind: 'message', shape: 'repeated', message: () => Mount },
    { name: 'healthcheck', json: 'Healthcheck', id: 18, kind: 'message', shape: 'optional', message: () => HealthConfig },
    { name: 'hosts', json: 'Hosts', id: 19, kind: 'string', shape: 'repeated' },
    { name: 'dnsConfig', json: 'DNSConfig', id: 20, kind: 'message', shape: 'optional', message: () => DnsConfig },
    { name: 'secrets', json: 'Secrets', id: 21, kind: 'message', shape: 'repeated', message: () => SecretReference },
    { name: 'configs', json: 'Configs', id: 22, kind: 'message', shape: 'repeated', message: () => ConfigReference },
    { name: 'isolation', json: 'Isolation', id: 23, kind: 'string', shape: 'one' },
    { name: 'sysctls', json: 'Sysctls', id: 24, kind: 'string', shape: 'map' },
    { name: 'capabilityAdd', json: 'CapabilityAdd', id: 25, kind: 'string', shape: 'repeated' },
    { name: 'capabilityDrop', json: 'CapabilityDrop', id: 26, kind: 'string', shape: 'repeated' },
    { name: 'ulimits', json: 'Ulimits', id: 27, kind: 'message', shape: 'repeated', message: () => Ulimit },
    { name: 'oomScoreAdj', json: 'OomScoreAdj', id: 28, kind: 'int64', shape: 'one' },
    { name: 'privileged', json: 'Privileged', id: 100, kind: 'bool', shape: 'one' },
    { name: 'devices', json: 'Devices', id: 101, kind: 'message', shape: 'repeated', message: () => DeviceMapping },
    { name: 'shmSize', json: 'ShmSize', id: 102, kind: 'int64', shape: 'one' },
    { name: 'ipcMode', json: 'IpcMode', id: 103, kind: 'string', shape: 'one' },
    { name: 'pidMode', json: 'PidMode', id: 104, kind: 'string', shape: 'one' },
    { name: 'utsMode', json: 'UtsMode', id: 105, kind: 'string', shape: 'one' },
    { name: 'usernsMode', json: 'UsernsMode', id: 106, kind: 'string', shape: 'one' },
    { name: 'cgroupParent', json: 'CgroupParent', id: 107, kind: 'string', shape: 'one' },
    { name: 'domainname', json: 'Domainname', id: 108, kind: 'string', shape: 'one' },
    { name: 'containerName', json: 'ContainerName', id: 109, kind: 'string', shape: 'one' },
    { name: 'pullPolicy', json: 'PullPolicy', id: 110, kind: 'string', shape: 'one' },
    { name: 'annotations', json: 'Annotations', id: 111, kind: 'string', shape: 'map' },
    { name: 'entrypointCleared', json: 'EntrypointCleared', id: 112, kind: 'bool', shape: 'one' },
    { name: 'commandCleared', json: 'CommandCleared', id: 113, kind: 'bool', shape: 'one' },
    { name: 'deviceCgroupRules', json: 'DeviceCgroupRules', id: 114, kind: 'string', shape: 'repeated' },
    { name: 'stdinOnce', json: 'StdinOnce', id: 115, kind: 'bool', shape: 'one' },
    { name: 'imageId', json: 'ImageID', id: 116, kind: 'string', shape: 'one' },
    { name: 'postStart', json: 'PostStart', id: 117, kind: 'message', shape: 'repeated', message: () => LifecycleHook },
    { name: 'preStart', json: 'PreStart', id: 126, kind: 'message', shape: 'repeated', message: () => LifecycleHook },
    { name: 'preStop', json: 'PreStop', id: 118, kind: 'message', shape: 'repeated', message: () => LifecycleHook },
    { name: 'networkMode', json: 'NetworkMode', id: 119, kind: 'string', shape: 'one' },
    { name: 'cgroupnsMode', json: 'CgroupnsMode', id: 120, kind: 'string', shape: 'one' },
    { name: 'ociRuntime', json: 'OCIRuntime', id: 121, kind: 'string', shape: 'one' },
    { name: 'storageOpt', json: 'StorageOpt', id: 122, kind: 'string', shape: 'map' },
    { name: 'deviceRequests', json: 'DeviceRequests', id: 123, kind: 'message', shape: 'repeated', message: () => DeviceRequest },
    { name: 'volumesFrom', json: 'VolumesFrom', id: 125, kind: 'string', shape: 'repeated' },
    { name: 'links', json: 'Links', id: 124, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<ContainerSpec> = {}): ContainerSpec => ({ image: p.image ?? '', command: p.command ?? [], args: p.args ?? [], hostname: p.hostname ?? '', env: p.env ?? [], dir: p.dir ?? '', user: p.user ?? '', groups: p.groups ?? [], labels: p.labels ?? {}, privileges: p.privileges, init: p.init, tty: p.tty ?? false, openStdin: p.openStdin ?? false, readOnly: p.readOnly ?? false, stopSignal: p.stopSignal ?? '', stopGracePeriod: p.stopGracePeriod, mounts: p.mounts ?? [], healthcheck: p.healthcheck, hosts: p.hosts ?? [], dnsConfig: p.dnsConfig, secrets: p.secrets ?? [], configs: p.configs ?? [], isolation: p.isolation ?? '', sysctls: p.sysctls ?? {}, capabilityAdd: p.capabilityAdd ?? [], capabilityDrop: p.capabilityDrop ?? [], ulimits: p.ulimits ?? [], oomScoreAdj: p.oomScoreAdj ?? 0, privileged: p.privileged ?? false, devices: p.devices ?? [], shmSize: p.shmSize ?? 0, ipcMode: p.ipcMode ?? '', pidMode: p.pidMode ?? '', utsMode: p.utsMode ?? '', usernsMode: p.usernsMode ?? '', cgroupParent: p.cgroupParent ?? '', domainname: p.domainname ?? '', containerName: p.containerName ?? '', pullPolicy: p.pullPolicy ?? '', annotations: p.annotations ?? {}, entrypointCleared: p.entrypointCleared ?? false, commandCleared: p.commandCleared ?? false, deviceCgroupRules: p.deviceCgroupRules ?? [], stdinOnce: p.stdinOnce ?? false, imageId: p.imageId ?? '', postStart: p.postStart ?? [], preStart: p.preStart ?? [], preStop: p.preStop ?? [], networkMode: p.networkMode ?? '', cgroupnsMode: p.cgroupnsMode ?? '', ociRuntime: p.ociRuntime ?? '', storageOpt: p.storageOpt ?? {}, deviceRequests: p.deviceRequests ?? [], volumesFrom: p.volumesFrom ?? [], links: p.links ?? [] }),
  write(m: ContainerSpec, w: Writer): Writer {
    if (m.image !== '') w.uint32(10).string(m.image);
    for (const v of m.command) w.uint32(18).string(v);
    for (const v of m.args) w.uint32(26).string(v);
    if (m.hostname !== '') w.uint32(34).string(m.hostname);
    for (const v of m.env) w.uint32(42).string(v);
    if (m.dir !== '') w.uint32(50).string(m.dir);
    if (m.user !== '') w.uint32(58).string(m.user);
    for (const v of m.groups) w.uint32(66).string(v);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(74).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.privileges !== undefined) Privileges.write(m.privileges, w.uint32(82).fork()).ldelim();
    if (m.init !== undefined) w.uint32(88).bool(m.init);
    if (m.tty) w.uint32(96).bool(m.tty);
    if (m.openStdin) w.uint32(104).bool(m.openStdin);
    if (m.readOnly) w.uint32(112).bool(m.readOnly);
    if (m.stopSignal !== '') w.uint32(122).string(m.stopSignal);
    if (m.stopGracePeriod !== undefined) w.uint32(128).int64(m.stopGracePeriod);
    for (const v of m.mounts) Mount.write(v, w.uint32(138).fork()).ldelim();
    if (m.healthcheck !== undefined) HealthConfig.write(m.healthcheck, w.uint32(146).fork()).ldelim();
    for (const v of m.hosts) w.uint32(154).string(v);
    if (m.dnsConfig !== undefined) DnsConfig.write(m.dnsConfig, w.uint32(162).fork()).ldelim();
    for (const v of m.secrets) SecretReference.write(v, w.uint32(170).fork()).ldelim();
    for (const v of m.configs) ConfigReference.write(v, w.uint32(178).fork()).ldelim();
    if (m.isolation !== '') w.uint32(186).string(m.isolation);
    for (const k in m.sysctls) {
      const v = m.sysctls[k] as string;
      w.uint32(194).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    for (const v of m.capabilityAdd) w.uint32(202).string(v);
    for (const v of m.capabilityDrop) w.uint32(210).string(v);
    for (const v of m.ulimits) Ulimit.write(v, w.uint32(218).fork()).ldelim();
    if (m.oomScoreAdj !== 0) w.uint32(224).int64(m.oomScoreAdj);
    if (m.privileged) w.uint32(800).bool(m.privileged);
    for (const v of m.devices) DeviceMapping.write(v, w.uint32(810).fork()).ldelim();
    if (m.shmSize !== 0) w.uint32(816).int64(m.shmSize);
    if (m.ipcMode !== '') w.uint32(826).string(m.ipcMode);
    if (m.pidMode !== '') w.uint32(834).string(m.pidMode);
    if (m.utsMode !== '') w.uint32(842).string(m.utsMode);
    if (m.usernsMode !== '') w.uint32(850).string(m.usernsMode);
    if (m.cgroupParent !== '') w.uint32(858).string(m.cgroupParent);
    if (m.domainname !== '') w.uint32(866).string(m.domainname);
    if (m.containerName !== '') w.uint32(874).string(m.containerName);
    if (m.pullPolicy !== '') w.uint32(882).string(m.pullPolicy);
    for (const k in m.annotations) {
      const v = m.annotations[k] as string;
      w.uint32(890).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.entrypointCleared) w.uint32(896).bool(m.entrypointCleared);
    if (m.commandCleared) w.uint32(904).bool(m.commandCleared);
    for (const v of m.deviceCgroupRules) w.uint32(914).string(v);
    if (m.stdinOnce) w.uint32(920).bool(m.stdinOnce);
    if (m.imageId !== '') w.uint32(930).string(m.imageId);
    for (const v of m.postStart) LifecycleHook.write(v, w.uint32(938).fork()).ldelim();
    for (const v of m.preStart) LifecycleHook.write(v, w.uint32(1010).fork()).ldelim();
    for (const v of m.preStop) LifecycleHook.write(v, w.uint32(946).fork()).ldelim();
    if (m.networkMode !== '') w.uint32(954).string(m.networkMode);
    if (m.cgroupnsMode !== '') w.uint32(962).string(m.cgroupnsMode);
    if (m.ociRuntime !== '') w.uint32(970).string(m.ociRuntime);
    for (const k in m.storageOpt) {
      const v = m.storageOpt[k] as string;
      w.uint32(978).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    for (const v of m.deviceRequests) DeviceRequest.write(v, w.uint32(986).fork()).ldelim();
    for (const v of m.volumesFrom) w.uint32(1002).string(v);
    for (const v of m.links) w.uint32(994).string(v);
    return w;
  },
  read(r: Reader, length: number): ContainerSpec {
    const end = r.pos + length;
    const m: { image: string; command: string[]; args: string[]; hostname: string; env: string[]; dir: string; user: string; groups: string[]; labels: Record<string, string>; privileges: Privileges | undefined; init: boolean | undefined; tty: boolean; openStdin: boolean; readOnly: boolean; stopSignal: string; stopGracePeriod: number | undefined; mounts: Mount[]; healthcheck: HealthConfig | undefined; hosts: string[]; dnsConfig: DnsConfig | undefined; secrets: SecretReference[]; configs: ConfigReference[]; isolation: string; sysctls: Record<string, string>; capabilityAdd: string[]; capabilityDrop: string[]; ulimits: Ulimit[]; oomScoreAdj: number; privileged: boolean; devices: DeviceMapping[]; shmSize: number; ipcMode: string; pidMode: string; utsMode: string; usernsMode: string; cgroupParent: string; domainname: string; containerName: string; pullPolicy: string; annotations: Record<string, string>; entrypointCleared: boolean; commandCleared: boolean; deviceCgroupRules: string[]; stdinOnce: boolean; imageId: string; postStart: LifecycleHook[]; preStart: LifecycleHook[]; preStop: LifecycleHook[]; networkMode: string; cgroupnsMode: string; ociRuntime: string; storageOpt: Record<string, string>; deviceRequests: DeviceRequest[]; volumesFrom: string[]; links: string[] } = { image: '', command: [], args: [], hostname: '', env: [], dir: '', user: '', groups: [], labels: {}, privileges: undefined, init: undefined, tty: false, openStdin: false, readOnly: false, stopSignal: '', stopGracePeriod: undefined, mounts: [], healthcheck: undefined, hosts: [], dnsConfig: undefined, secrets: [], configs: [], isolation: '', sysctls: {}, capabilityAdd: [], capabilityDrop: [], ulimits: [], oomScoreAdj: 0, privileged: false, devices: [], shmSize: 0, ipcMode: '', pidMode: '', utsMode: '', usernsMode: '', cgroupParent: '', domainname: '', containerName: '', pullPolicy: '', annotations: {}, entrypointCleared: false, commandCleared: false, deviceCgroupRules: [], stdinOnce: false, imageId: '', postStart: [], preStart: [], preStop: [], networkMode: '', cgroupnsMode: '', ociRuntime: '', storageOpt: {}, deviceRequests: [], volumesFrom: [], links: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.image = r.string();
          break;
        case 2:
          m.command.push(r.string());
          break;
        case 3:
          m.args.push(r.string());
          break;
        case 4:
          m.hostname = r.string();
          break;
        case 5:
          m.env.push(r.string());
          break;
        case 6:
          m.dir = r.string();
          break;
        case 7:
          m.user = r.string();
          break;
        case 8:
          m.groups.push(r.string());
          break;
        case 9: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 10:
          m.privileges = Privileges.read(r, r.uint32());
          break;
        case 11:
          m.init = r.bool();
          break;
        case 12:
          m.tty = r.bool();
          break;
        case 13:
          m.openStdin = r.bool();
          break;
        case 14:
          m.readOnly = r.bool();
          break;
        case 15:
          m.stopSignal = r.string();
          break;
        case 16:
          m.stopGracePeriod = readInt64(r.int64());
          break;
        case 17:
          m.mounts.push(Mount.read(r, r.uint32()));
          break;
        case 18:
          m.healthcheck = HealthConfig.read(r, r.uint32());
          break;
        case 19:
          m.hosts.push(r.string());
          break;
        case 20:
          m.dnsConfig = DnsConfig.read(r, r.uint32());
          break;
        case 21:
          m.secrets.push(SecretReference.read(r, r.uint32()));
          break;
        case 22:
          m.configs.push(ConfigReference.read(r, r.uint32()));
          break;
        case 23:
          m.isolation = r.string();
          break;
        case 24: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.sysctls[k] = v;
          break;
        }
        case 25:
          m.capabilityAdd.push(r.string());
          break;
        case 26:
          m.capabilityDrop.push(r.string());
          break;
        case 27:
          m.ulimits.push(Ulimit.read(r, r.uint32()));
          break;
        case 28:
          m.oomScoreAdj = readInt64(r.int64());
          break;
        case 100:
          m.privileged = r.bool();
          break;
        case 101:
          m.devices.push(DeviceMapping.read(r, r.uint32()));
          break;
        case 102:
          m.shmSize = readInt64(r.int64());
          break;
        case 103:
          m.ipcMode = r.string();
          break;
        case 104:
          m.pidMode = r.string();
          break;
        case 105:
          m.utsMode = r.string();
          break;
        case 106:
          m.usernsMode = r.string();
          break;
        case 107:
          m.cgroupParent = r.string();
          break;
        case 108:
          m.domainname = r.string();
          break;
        case 109:
          m.containerName = r.string();
          break;
        case 110:
          m.pullPolicy = r.string();
          break;
        case 111: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.annotations[k] = v;
          break;
        }
        case 112:
          m.entrypointCleared = r.bool();
          break;
        case 113:
          m.commandCleared = r.bool();
          break;
        case 114:
          m.deviceCgroupRules.push(r.string());
          break;
        case 115:
          m.stdinOnce = r.bool();
          break;
        case 116:
          m.imageId = r.string();
          break;
        case 117:
          m.postStart.push(LifecycleHook.read(r, r.uint32()));
          break;
        case 126:
          m.preStart.push(LifecycleHook.read(r, r.uint32()));
          break;
        case 118:
          m.preStop.push(LifecycleHook.read(r, r.uint32()));
          break;
        case 119:
          m.networkMode = r.string();
          break;
        case 120:
          m.cgroupnsMode = r.string();
          break;
        case 121:
          m.ociRuntime = r.string();
          break;
        case 122: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.storageOpt[k] = v;
          break;
        }
        case 123:
          m.deviceRequests.push(DeviceRequest.read(r, r.uint32()));
          break;
        case 125:
          m.volumesFrom.push(r.string());
          break;
        case 124:
          m.links.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ContainerSpec): Uint8Array => ContainerSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ContainerSpec => ContainerSpec.read(Reader.create(bytes), bytes.length),
};

/** Devices by what they are rather than by their paths. Docker's DeviceRequest. */
export interface DeviceRequest {
  /** "" = whichever can; cdi: the ids are CDI's names */
  readonly driver: string;
  /** -1 = all */
  readonly count: number;
  readonly deviceIds: readonly string[];
  /** all of them: gpu, nvidia, … */
  readonly capabilities: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}
export const DeviceRequest: MessageType<DeviceRequest> = {
  name: 'DeviceRequest',
  fields: [
    { name: 'driver', json: 'Driver', id: 1, kind: 'string', shape: 'one' },
    { name: 'count', json: 'Count', id: 2, kind: 'int64', shape: 'one' },
    { name: 'deviceIds', json: 'DeviceIDs', id: 3, kind: 'string', shape: 'repeated' },
    { name: 'capabilities', json: 'Capabilities', id: 4, kind: 'string', shape: 'repeated' },
    { name: 'options', json: 'Options', id: 5, kind: 'string', shape: 'map' },
  ],
  create: (p: Partial<DeviceRequest> = {}): DeviceRequest => ({ driver: p.driver ?? '', count: p.count ?? 0, deviceIds: p.deviceIds ?? [], capabilities: p.capabilities ?? [], options: p.options ?? {} }),
  write(m: DeviceRequest, w: Writer): Writer {
    if (m.driver !== '') w.uint32(10).string(m.driver);
    if (m.count !== 0) w.uint32(16).int64(m.count);
    for (const v of m.deviceIds) w.uint32(26).string(v);
    for (const v of m.capabilities) w.uint32(34).string(v);
    for (const k in m.options) {
      const v = m.options[k] as string;
      w.uint32(42).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    return w;
  },
  read(r: Reader, length: number): DeviceRequest {
    const end = r.pos + length;
    const m: { driver: string; count: number; deviceIds: string[]; capabilities: string[]; options: Record<string, string> } = { driver: '', count: 0, deviceIds: [], capabilities: [], options: {} };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.driver = r.string();
          break;
        case 2:
          m.count = readInt64(r.int64());
          break;
        case 3:
          m.deviceIds.push(r.string());
          break;
        case 4:
          m.capabilities.push(r.string());
          break;
        case 5: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.options[k] = v;
          break;
        }
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: DeviceRequest): Uint8Array => DeviceRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): DeviceRequest => DeviceRequest.read(Reader.create(bytes), bytes.length),
};

/** A command in a running container, or (pre_start) in one of its own. */
export interface LifecycleHook {
  readonly command: readonly string[];
  /** "" = the container's */
  readonly user: string;
  /** "" = the container's */
  readonly workingDir: string;
  readonly privileged: boolean;
  /** KEY=VALUE, beside the container's */
  readonly env: readonly string[];
  /** of pre_start: what it runs in; "" = the container's */
  readonly image: string;
}
export const LifecycleHook: MessageType<LifecycleHook> = {
  name: 'LifecycleHook',
  fields: [
    { name: 'command', json: 'Command', id: 1, kind: 'string', shape: 'repeated', always: true },
    { name: 'user', json: 'User', id: 2, kind: 'string', shape: 'one' },
    { name: 'workingDir', json: 'WorkingDir', id: 3, kind: 'string', shape: 'one' },
    { name: 'privileged', json: 'Privileged', id: 4, kind: 'bool', shape: 'one' },
    { name: 'env', json: 'Env', id: 5, kind: 'string', shape: 'repeated' },
    { name: 'image', json: 'Image', id: 6, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<LifecycleHook> = {}): LifecycleHook => ({ command: p.command ?? [], user: p.user ?? '', workingDir: p.workingDir ?? '', privileged: p.privileged ?? false, env: p.env ?? [], image: p.image ?? '' }),
  write(m: LifecycleHook, w: Writer): Writer {
    for (const v of m.command) w.uint32(10).string(v);
    if (m.user !== '') w.uint32(18).string(m.user);
    if (m.workingDir !== '') w.uint32(26).string(m.workingDir);
    if (m.privileged) w.uint32(32).bool(m.privileged);
    for (const v of m.env) w.uint32(42).string(v);
    if (m.image !== '') w.uint32(50).string(m.image);
    return w;
  },
  read(r: Reader, length: number): LifecycleHook {
    const end = r.pos + length;
    const m: { command: string[]; user: string; workingDir: string; privileged: boolean; env: string[]; image: string } = { command: [], user: '', workingDir: '', privileged: false, env: [], image: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.command.push(r.string());
          break;
        case 2:
          m.user = r.string();
          break;
        case 3:
          m.workingDir = r.string();
          break;
        case 4:
          m.privileged = r.bool();
          break;
        case 5:
          m.env.push(r.string());
          break;
        case 6:
          m.image = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: LifecycleHook): Uint8Array => LifecycleHook.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): LifecycleHook => LifecycleHook.read(Reader.create(bytes), bytes.length),
};

export interface NetworkAttachmentConfig {
  /** network id (a name is resolved when it is written) */
  readonly target: string;
  readonly aliases: readonly string[];
  readonly driverOpts: Readonly<Record<string, string>>;
  /** Extensions: static addresses, who gives the default route (highest; then first). */
  readonly ipv4Address: string;
  readonly ipv6Address: string;
  readonly gwPriority: number;
  /** of the interface; "" = made from the address */
  readonly macAddress: string;
  /** further addresses of the interface, which nothing is routed to */
  readonly linkLocalIps: readonly string[];
}
export const NetworkAttachmentConfig: MessageType<NetworkAttachmentConfig> = {
  name: 'NetworkAttachmentConfig',
  fields: [
    { name: 'target', json: 'Target', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'aliases', json: 'Aliases', id: 2, kind: 'string', shape: 'repeated' },
    { name: 'driverOpts', json: 'DriverOpts', id: 3, kind: 'string', shape: 'map' },
    { name: 'ipv4Address', json: 'IPv4Address', id: 100, kind: 'string', shape: 'one' },
    { name: 'ipv6Address', json: 'IPv6Address', id: 101, kind: 'string', shape: 'one' },
    { name: 'gwPriority', json: 'GwPriority', id: 102, kind: 'int64', shape: 'one' },
    { name: 'macAddress', json: 'MacAddress', id: 103, kind: 'string', shape: 'one' },
    { name: 'linkLocalIps', json: 'LinkLocalIPs', id: 104, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<NetworkAttachmentConfig> = {}): NetworkAttachmentConfig => ({ target: p.target ?? '', aliases: p.aliases ?? [], driverOpts: p.driverOpts ?? {}, ipv4Address: p.ipv4Address ?? '', ipv6Address: p.ipv6Address ?? '', gwPriority: p.gwPriority ?? 0, macAddress: p.macAddress ?? '', linkLocalIps: p.linkLocalIps ?? [] }),
  write(m: NetworkAttachmentConfig, w: Writer): Writer {
    if (m.target !== '') w.uint32(10).string(m.target);
    for (const v of m.aliases) w.uint32(18).string(v);
    for (const k in m.driverOpts) {
      const v = m.driverOpts[k] as string;
      w.uint32(26).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.ipv4Address !== '') w.uint32(802).string(m.ipv4Address);
    if (m.ipv6Address !== '') w.uint32(810).string(m.ipv6Address);
    if (m.gwPriority !== 0) w.uint32(816).int64(m.gwPriority);
    if (m.macAddress !== '') w.uint32(826).string(m.macAddress);
    for (const v of m.linkLocalIps) w.uint32(834).string(v);
    return w;
  },
  read(r: Reader, length: number): NetworkAttachmentConfig {
    const end = r.pos + length;
    const m: { target: string; aliases: string[]; driverOpts: Record<string, string>; ipv4Address: string; ipv6Address: string; gwPriority: number; macAddress: string; linkLocalIps: string[] } = { target: '', aliases: [], driverOpts: {}, ipv4Address: '', ipv6Address: '', gwPriority: 0, macAddress: '', linkLocalIps: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.target = r.string();
          break;
        case 2:
          m.aliases.push(r.string());
          break;
        case 3: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.driverOpts[k] = v;
          break;
        }
        case 100:
          m.ipv4Address = r.string();
          break;
        case 101:
          m.ipv6Address = r.string();
          break;
        case 102:
          m.gwPriority = readInt64(r.int64());
          break;
        case 103:
          m.macAddress = r.string();
          break;
        case 104:
          m.linkLocalIps.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: NetworkAttachmentConfig): Uint8Array => NetworkAttachmentConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): NetworkAttachmentConfig => NetworkAttachmentConfig.read(Reader.create(bytes), bytes.length),
};

export const DependencyCondition = {
  STARTED: 0,
  HEALTHY: 1,
  COMPLETED: 2,
} as const;
export type DependencyCondition = (typeof DependencyCondition)[keyof typeof DependencyCondition];
export const DependencyConditionText: ReadonlyMap<number, string> = new Map([[0, 'started'], [1, 'healthy'], [2, 'completed']]);

export interface ServiceDependency {
  /** service name */
  readonly service: string;
  readonly condition: DependencyCondition;
  /** restart this service's tasks after the other was updated */
  readonly restart: boolean;
  /** false: wait only if the service exists */
  readonly required: boolean;
}
export const ServiceDependency: MessageType<ServiceDependency> = {
  name: 'ServiceDependency',
  fields: [
    { name: 'service', json: 'Service', id: 1, kind: 'string', shape: 'one' },
    { name: 'condition', json: 'Condition', id: 2, kind: 'enum', shape: 'one', text: DependencyConditionText, always: true },
    { name: 'restart', json: 'Restart', id: 3, kind: 'bool', shape: 'one' },
    { name: 'required', json: 'Required', id: 4, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<ServiceDependency> = {}): ServiceDependency => ({ service: p.service ?? '', condition: p.condition ?? 0, restart: p.restart ?? false, required: p.required ?? false }),
  write(m: ServiceDependency, w: Writer): Writer {
    if (m.service !== '') w.uint32(10).string(m.service);
    if (m.condition !== 0) w.uint32(16).int32(m.condition);
    if (m.restart) w.uint32(24).bool(m.restart);
    if (m.required) w.uint32(32).bool(m.required);
    return w;
  },
  read(r: Reader, length: number): ServiceDependency {
    const end = r.pos + length;
    const m: { service: string; condition: DependencyCondition; restart: boolean; required: boolean } = { service: '', condition: 0, restart: false, required: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.service = r.string();
          break;
        case 2:
          m.condition = r.int32() as DependencyCondition;
          break;
        case 3:
          m.restart = r.bool();
          break;
        case 4:
          m.required = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ServiceDependency): Uint8Array => ServiceDependency.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ServiceDependency => ServiceDependency.read(Reader.create(bytes), bytes.length),
};

/** A task that is no container of its own, but a place on a network for one of `docker run` on its node. Made by the dispatcher only. */
export interface NetworkAttachmentSpec {
  readonly containerId: string;
  /** Extensions: by which names others find it. */
  readonly containerName: string;
  readonly hostname: string;
}
export const NetworkAttachmentSpec: MessageType<NetworkAttachmentSpec> = {
  name: 'NetworkAttachmentSpec',
  fields: [
    { name: 'containerId', json: 'ContainerID', id: 1, kind: 'string', shape: 'one' },
    { name: 'containerName', json: 'ContainerName', id: 100, kind: 'string', shape: 'one' },
    { name: 'hostname', json: 'Hostname', id: 101, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<NetworkAttachmentSpec> = {}): NetworkAttachmentSpec => ({ containerId: p.containerId ?? '', containerName: p.containerName ?? '', hostname: p.hostname ?? '' }),
  write(m: NetworkAttachmentSpec, w: Writer): Writer {
    if (m.containerId !== '') w.uint32(10).string(m.containerId);
    if (m.containerName !== '') w.uint32(802).string(m.containerName);
    if (m.hostname !== '') w.uint32(810).string(m.hostname);
    return w;
  },
  read(r: Reader, length: number): NetworkAttachmentSpec {
    const end = r.pos + length;
    const m: { containerId: string; containerName: string; hostname: string } = { containerId: '', containerName: '', hostname: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.containerId = r.string();
          break;
        case 100:
          m.containerName = r.string();
          break;
        case 101:
          m.hostname = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: NetworkAttachmentSpec): Uint8Array => NetworkAttachmentSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): NetworkAttachmentSpec => NetworkAttachmentSpec.read(Reader.create(bytes), bytes.length),
};

export interface TaskSpec {
  readonly containerSpec: ContainerSpec | undefined;
  readonly resources: ResourceRequirements | undefined;
  readonly restartPolicy: RestartPolicy | undefined;
  readonly placement: Placement | undefined;
  readonly networks: readonly NetworkAttachmentConfig[];
  readonly logDriver: Driver | undefined;
  readonly forceUpdate: number;
  readonly runtime: string;
  /** instead of container_spec */
  readonly networkAttachmentSpec: NetworkAttachmentSpec | undefined;
  /** Extensions. engine_restart set = the agent restarts the same container, the orchestrator does not replace the task. */
  readonly engineRestart: EngineRestartPolicy | undefined;
  readonly dependsOn: readonly ServiceDependency[];
}
export const TaskSpec: MessageType<TaskSpec> = {
  name: 'TaskSpec',
  fields: [
    { name: 'containerSpec', json: 'ContainerSpec', id: 1, kind: 'message', shape: 'optional', message: () => ContainerSpec },
    { name: 'resources', json: 'Resources', id: 2, kind: 'message', shape: 'optional', message: () => ResourceRequirements },
    { name: 'restartPolicy', json: 'RestartPolicy', id: 3, kind: 'message', shape: 'optional', message: () => RestartPolicy },
    { name: 'placement', json: 'Placement', id: 4, kind: 'message', shape: 'optional', message: () => Placement },
    { name: 'networks', json: 'Networks', id: 5, kind: 'message', shape: 'repeated', message: () => NetworkAttachmentConfig },
    { name: 'logDriver', json: 'LogDriver', id: 6, kind: 'message', shape: 'optional', message: () => Driver },
    { name: 'forceUpdate', json: 'ForceUpdate', id: 7, kind: 'int64', shape: 'one', always: true },
    { name: 'runtime', json: 'Runtime', id: 8, kind: 'string', shape: 'one' },
    { name: 'networkAttachmentSpec', json: 'NetworkAttachmentSpec', id: 9, kind: 'message', shape: 'optional', message: () => NetworkAttachmentSpec },
    { name: 'engineRestart', json: 'EngineRestart', id: 100, kind: 'message', shape: 'optional', message: () => EngineRestartPolicy },
    { name: 'dependsOn', json: 'DependsOn', id: 101, kind: 'message', shape: 'repeated', message: () => ServiceDependency },
  ],
  create: (p: Partial<TaskSpec> = {}): TaskSpec => ({ containerSpec: p.containerSpec, resources: p.resources, restartPolicy: p.restartPolicy, placement: p.placement, networks: p.networks ?? [], logDriver: p.logDriver, forceUpdate: p.forceUpdate ?? 0, runtime: p.runtime ?? '', networkAttachmentSpec: p.networkAttachmentSpec, engineRestart: p.engineRestart, dependsOn: p.dependsOn ?? [] }),
  write(m: TaskSpec, w: Writer): Writer {
    if (m.containerSpec !== undefined) ContainerSpec.write(m.containerSpec, w.uint32(10).fork()).ldelim();
    if (m.resources !== undefined) ResourceRequirements.write(m.resources, w.uint32(18).fork()).ldelim();
    if (m.restartPolicy !== undefined) RestartPolicy.write(m.restartPolicy, w.uint32(26).fork()).ldelim();
    if (m.placement !== undefined) Placement.write(m.placement, w.uint32(34).fork()).ldelim();
    for (const v of m.networks) NetworkAttachmentConfig.write(v, w.uint32(42).fork()).ldelim();
    if (m.logDriver !== undefined) Driver.write(m.logDriver, w.uint32(50).fork()).ldelim();
    if (m.forceUpdate !== 0) w.uint32(56).int64(m.forceUpdate);
    if (m.runtime !== '') w.uint32(66).string(m.runtime);
    if (m.networkAttachmentSpec !== undefined) NetworkAttachmentSpec.write(m.networkAttachmentSpec, w.uint32(74).fork()).ldelim();
    if (m.engineRestart !== undefined) EngineRestartPolicy.write(m.engineRestart, w.uint32(802).fork()).ldelim();
    for (const v of m.dependsOn) ServiceDependency.write(v, w.uint32(810).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): TaskSpec {
    const end = r.pos + length;
    const m: { containerSpec: ContainerSpec | undefined; resources: ResourceRequirements | undefined; restartPolicy: RestartPolicy | undefined; placement: Placement | undefined; networks: NetworkAttachmentConfig[]; logDriver: Driver | undefined; forceUpdate: number; runtime: string; networkAttachmentSpec: NetworkAttachmentSpec | undefined; engineRestart: EngineRestartPolicy | undefined; dependsOn: ServiceDependency[] } = { containerSpec: undefined, resources: undefined, restartPolicy: undefined, placement: undefined, networks: [], logDriver: undefined, forceUpdate: 0, runtime: '', networkAttachmentSpec: undefined, engineRestart: undefined, dependsOn: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.containerSpec = ContainerSpec.read(r, r.uint32());
          break;
        case 2:
          m.resources = ResourceRequirements.read(r, r.uint32());
          break;
        case 3:
          m.restartPolicy = RestartPolicy.read(r, r.uint32());
          break;
        case 4:
          m.placement = Placement.read(r, r.uint32());
          break;
        case 5:
          m.networks.push(NetworkAttachmentConfig.read(r, r.uint32()));
          break;
        case 6:
          m.logDriver = Driver.read(r, r.uint32());
          break;
        case 7:
          m.forceUpdate = readInt64(r.int64());
          break;
        case 8:
          m.runtime = r.string();
          break;
        case 9:
          m.networkAttachmentSpec = NetworkAttachmentSpec.read(r, r.uint32());
          break;
        case 100:
          m.engineRestart = EngineRestartPolicy.read(r, r.uint32());
          break;
        case 101:
          m.dependsOn.push(ServiceDependency.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: TaskSpec): Uint8Array => TaskSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): TaskSpec => TaskSpec.read(Reader.create(bytes), bytes.length),
};

/** ---- service ------------------------------------------------------------------------------------------------------------ */
export interface ReplicatedMode {
  readonly replicas: number | undefined;
}
export const ReplicatedMode: MessageType<ReplicatedMode> = {
  name: 'ReplicatedMode',
  fields: [
    { name: 'replicas', json: 'Replicas', id: 1, kind: 'int64', shape: 'optional' },
  ],
  create: (p: Partial<ReplicatedMode> = {}): ReplicatedMode => ({ replicas: p.replicas }),
  write(m: ReplicatedMode, w: Writer): Writer {
    if (m.replicas !== undefined) w.uint32(8).int64(m.replicas);
    return w;
  },
  read(r: Reader, length: number): ReplicatedMode {
    const end = r.pos + length;
    const m: { replicas: number | undefined } = { replicas: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.replicas = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ReplicatedMode): Uint8Array => ReplicatedMode.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ReplicatedMode => ReplicatedMode.read(Reader.create(bytes), bytes.length),
};

export interface GlobalMode {
}
export const GlobalMode: MessageType<GlobalMode> = {
  name: 'GlobalMode',
  fields: [
  ],
  create: (): GlobalMode => ({  }),
  write(m: GlobalMode, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): GlobalMode {
    const end = r.pos + length;
    const m: {  } = {  };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: GlobalMode): Uint8Array => GlobalMode.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): GlobalMode => GlobalMode.read(Reader.create(bytes), bytes.length),
};

export interface ReplicatedJobMode {
  readonly maxConcurrent: number | undefined;
  readonly totalCompletions: number | undefined;
}
export const ReplicatedJobMode: MessageType<ReplicatedJobMode> = {
  name: 'ReplicatedJobMode',
  fields: [
    { name: 'maxConcurrent', json: 'MaxConcurrent', id: 1, kind: 'int64', shape: 'optional' },
    { name: 'totalCompletions', json: 'TotalCompletions', id: 2, kind: 'int64', shape: 'optional' },
  ],
  create: (p: Partial<ReplicatedJobMode> = {}): ReplicatedJobMode => ({ maxConcurrent: p.maxConcurrent, totalCompletions: p.totalCompletions }),
  write(m: ReplicatedJobMode, w: Writer): Writer {
    if (m.maxConcurrent !== undefined) w.uint32(8).int64(m.maxConcurrent);
    if (m.totalCompletions !== undefined) w.uint32(16).int64(m.totalCompletions);
    return w;
  },
  read(r: Reader, length: number): ReplicatedJobMode {
    const end = r.pos + length;
    const m: { maxConcurrent: number | undefined; totalCompletions: number | undefined } = { maxConcurrent: undefined, totalCompletions: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.maxConcurrent = readInt64(r.int64());
          break;
        case 2:
          m.totalCompletions = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ReplicatedJobMode): Uint8Array => ReplicatedJobMode.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ReplicatedJobMode => ReplicatedJobMode.read(Reader.create(bytes), bytes.length),
};

export interface GlobalJobMode {
}
export const GlobalJobMode: MessageType<GlobalJobMode> = {
  name: 'GlobalJobMode',
  fields: [
  ],
  create: (): GlobalJobMode => ({  }),
  write(m: GlobalJobMode, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): GlobalJobMode {
    const end = r.pos + length;
    const m: {  } = {  };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: GlobalJobMode): Uint8Array => GlobalJobMode.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): GlobalJobMode => GlobalJobMode.read(Reader.create(bytes), bytes.length),
};

export interface ServiceMode {
  readonly replicated: ReplicatedMode | undefined;
  readonly global: GlobalMode | undefined;
  readonly replicatedJob: ReplicatedJobMode | undefined;
  readonly globalJob: GlobalJobMode | undefined;
}
export const ServiceMode: MessageType<ServiceMode> = {
  name: 'ServiceMode',
  fields: [
    { name: 'replicated', json: 'Replicated', id: 1, kind: 'message', shape: 'optional', message: () => ReplicatedMode },
    { name: 'global', json: 'Global', id: 2, kind: 'message', shape: 'optional', message: () => GlobalMode },
    { name: 'replicatedJob', json: 'ReplicatedJob', id: 3, kind: 'message', shape: 'optional', message: () => ReplicatedJobMode },
    { name: 'globalJob', json: 'GlobalJob', id: 4, kind: 'message', shape: 'optional', message: () => GlobalJobMode },
  ],
  create: (p: Partial<ServiceMode> = {}): ServiceMode => ({ replicated: p.replicated, global: p.global, replicatedJob: p.replicatedJob, globalJob: p.globalJob }),
  write(m: ServiceMode, w: Writer): Writer {
    if (m.replicated !== undefined) ReplicatedMode.write(m.replicated, w.uint32(10).fork()).ldelim();
    if (m.global !== undefined) GlobalMode.write(m.global, w.uint32(18).fork()).ldelim();
    if (m.replicatedJob !== undefined) ReplicatedJobMode.write(m.replicatedJob, w.uint32(26).fork()).ldelim();
    if (m.globalJob !== undefined) GlobalJobMode.write(m.globalJob, w.uint32(34).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): ServiceMode {
    const end = r.pos + length;
    const m: { replicated: ReplicatedMode | undefined; global: GlobalMode | undefined; replicatedJob: ReplicatedJobMode | undefined; globalJob: GlobalJobMode | undefined } = { replicated: undefined, global: undefined, replicatedJob: undefined, globalJob: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.replicated = ReplicatedMode.read(r, r.uint32());
          break;
        case 2:
          m.global = GlobalMode.read(r, r.uint32());
          break;
        case 3:
          m.replicatedJob = ReplicatedJobMode.read(r, r.uint32());
          break;
        case 4:
          m.globalJob = GlobalJobMode.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ServiceMode): Uint8Array => ServiceMode.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ServiceMode => ServiceMode.read(Reader.create(bytes), bytes.length),
};

export const PortProtocol = {
  TCP: 0,
  UDP: 1,
  SCTP: 2,
} as const;
export type PortProtocol = (typeof PortProtocol)[keyof typeof PortProtocol];
export const PortProtocolText: ReadonlyMap<number, string> = new Map([[0, 'tcp'], [1, 'udp'], [2, 'sctp']]);

export const PublishMode = {
  INGRESS: 0,
  HOST: 1,
} as const;
export type PublishMode = (typeof PublishMode)[keyof typeof PublishMode];
export const PublishModeText: ReadonlyMap<number, string> = new Map([[0, 'ingress'], [1, 'host']]);

export interface PortConfig {
  readonly name: string;
  readonly protocol: PortProtocol;
  readonly targetPort: number;
  /** 0 = chosen by the allocator (ingress) or the node (host) */
  readonly publishedPort: number;
  readonly publishMode: PublishMode;
  /** "" = all addresses */
  readonly hostIp: string;
  /** with published_port 0: the range that the port is chosen from; 0 = any */
  readonly publishedFirst: number;
  readonly publishedLast: number;
}
export const PortConfig: MessageType<PortConfig> = {
  name: 'PortConfig',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one' },
    { name: 'protocol', json: 'Protocol', id: 2, kind: 'enum', shape: 'one', text: PortProtocolText, always: true },
    { name: 'targetPort', json: 'TargetPort', id: 3, kind: 'uint32', shape: 'one' },
    { name: 'publishedPort', json: 'PublishedPort', id: 4, kind: 'uint32', shape: 'one' },
    { name: 'publishMode', json: 'PublishMode', id: 5, kind: 'enum', shape: 'one', text: PublishModeText, always: true },
    { name: 'hostIp', json: 'HostIP', id: 100, kind: 'string', shape: 'one' },
    { name: 'publishedFirst', json: 'PublishedFirst', id: 101, kind: 'uint32', shape: 'one' },
    { name: 'publishedLast', json: 'PublishedLast', id: 102, kind: 'uint32', shape: 'one' },
  ],
  create: (p: Partial<PortConfig> = {}): PortConfig => ({ name: p.name ?? '', protocol: p.protocol ?? 0, targetPort: p.targetPort ?? 0, publishedPort: p.publishedPort ?? 0, publishMode: p.publishMode ?? 0, hostIp: p.hostIp ?? '', publishedFirst: p.publishedFirst ?? 0, publishedLast: p.publishedLast ?? 0 }),
  write(m: PortConfig, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    if (m.protocol !== 0) w.uint32(16).int32(m.protocol);
    if (m.targetPort !== 0) w.uint32(24).uint32(m.targetPort);
    if (m.publishedPort !== 0) w.uint32(32).uint32(m.publishedPort);
    if (m.publishMode !== 0) w.uint32(40).int32(m.publishMode);
    if (m.hostIp !== '') w.uint32(802).string(m.hostIp);
    if (m.publishedFirst !== 0) w.uint32(808).uint32(m.publishedFirst);
    if (m.publishedLast !== 0) w.uint32(816).uint32(m.publishedLast);
    return w;
  },
  read(r: Reader, length: number): PortConfig {
    const end = r.pos + length;
    const m: { name: string; protocol: PortProtocol; targetPort: number; publishedPort: number; publishMode: PublishMode; hostIp: string; publishedFirst: number; publishedLast: number } = { name: '', protocol: 0, targetPort: 0, publishedPort: 0, publishMode: 0, hostIp: '', publishedFirst: 0, publishedLast: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2:
          m.protocol = r.int32() as PortProtocol;
          break;
        case 3:
          m.targetPort = r.uint32();
          break;
        case 4:
          m.publishedPort = r.uint32();
          break;
        case 5:
          m.publishMode = r.int32() as PublishMode;
          break;
        case 100:
          m.hostIp = r.string();
          break;
        case 101:
          m.publishedFirst = r.uint32();
          break;
        case 102:
          m.publishedLast = r.uint32();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: PortConfig): Uint8Array => PortConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): PortConfig => PortConfig.read(Reader.create(bytes), bytes.length),
};

export const EndpointMode = {
  VIP: 0,
  DNSRR: 1,
} as const;
export type EndpointMode = (typeof EndpointMode)[keyof typeof EndpointMode];
export const EndpointModeText: ReadonlyMap<number, string> = new Map([[0, 'vip'], [1, 'dnsrr']]);

export const SessionAffinity = {
  NONE: 0,
  SOURCE: 1,
} as const;
export type SessionAffinity = (typeof SessionAffinity)[keyof typeof SessionAffinity];
export const SessionAffinityText: ReadonlyMap<number, string> = new Map([[0, 'none'], [1, 'source']]);

export interface EndpointSpec {
  readonly mode: EndpointMode;
  readonly ports: readonly PortConfig[];
  /** Extensions. Which task gets a connection: source = the same one for all of a client's address, as long as it serves. */
  readonly sessionAffinity: SessionAffinity;
  /** tasks of the node where the connection begins, while one serves */
  readonly preferSameNode: boolean;
}
export const EndpointSpec: MessageType<EndpointSpec> = {
  name: 'EndpointSpec',
  fields: [
    { name: 'mode', json: 'Mode', id: 1, kind: 'enum', shape: 'one', text: EndpointModeText },
    { name: 'ports', json: 'Ports', id: 2, kind: 'message', shape: 'repeated', message: () => PortConfig },
    { name: 'sessionAffinity', json: 'SessionAffinity', id: 100, kind: 'enum', shape: 'one', text: SessionAffinityText },
    { name: 'preferSameNode', json: 'PreferSameNode', id: 101, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<EndpointSpec> = {}): EndpointSpec => ({ mode: p.mode ?? 0, ports: p.ports ?? [], sessionAffinity: p.sessionAffinity ?? 0, preferSameNode: p.preferSameNode ?? false }),
  write(m: EndpointSpec, w: Writer): Writer {
    if (m.mode !== 0) w.uint32(8).int32(m.mode);
    for (const v of m.ports) PortConfig.write(v, w.uint32(18).fork()).ldelim();
    if (m.sessionAffinity !== 0) w.uint32(800).int32(m.sessionAffinity);
    if (m.preferSameNode) w.uint32(808).bool(m.preferSameNode);
    return w;
  },
  read(r: Reader, length: number): EndpointSpec {
    const end = r.pos + length;
    const m: { mode: EndpointMode; ports: PortConfig[]; sessionAffinity: SessionAffinity; preferSameNode: boolean } = { mode: 0, ports: [], sessionAffinity: 0, preferSameNode: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.mode = r.int32() as EndpointMode;
          break;
        case 2:
          m.ports.push(PortConfig.read(r, r.uint32()));
          break;
        case 100:
          m.sessionAffinity = r.int32() as SessionAffinity;
          break;
        case 101:
          m.preferSameNode = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: EndpointSpec): Uint8Array => EndpointSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): EndpointSpec => EndpointSpec.read(Reader.create(bytes), bytes.length),
};

export const RunState = {
  RUNNING: 0,
  STOPPED: 1,
  PAUSED: 2,
} as const;
export type RunState = (typeof RunState)[keyof typeof RunState];
export const RunStateText: ReadonlyMap<number, string> = new Map([[0, 'running'], [1, 'stopped'], [2, 'paused']]);

export interface ServiceSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taskTemplate: TaskSpec | undefined;
  readonly mode: ServiceMode | undefined;
  readonly updateConfig: UpdateConfig | undefined;
  readonly rollbackConfig: UpdateConfig | undefined;
  readonly endpointSpec: EndpointSpec | undefined;
  /** Extensions. run_state: Compose stop/start/pause act on the same containers. */
  readonly runState: RunState;
  /** How long a task that is to stop may finish its open connections once no node sends it new ones. Nanoseconds; unset = 10 s, 0 = not at all. */
  readonly drainTimeout: number | undefined;
}
export const ServiceSpec: MessageType<ServiceSpec> = {
  name: 'ServiceSpec',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'labels', json: 'Labels', id: 2, kind: 'string', shape: 'map', always: true },
    { name: 'taskTemplate', json: 'TaskTemplate', id: 3, kind: 'message', shape: 'optional', message: () => TaskSpec, always: true },
    { name: 'mode', json: 'Mode', id: 4, kind: 'message', shape: 'optional', message: () => ServiceMode },
    { name: 'updateConfig', json: 'UpdateConfig', id: 5, kind: 'message', shape: 'optional', message: () => UpdateConfig },
    { name: 'rollbackConfig', json: 'RollbackConfig', id: 6, kind: 'message', shape: 'optional', message: () => UpdateConfig },
    { name: 'endpointSpec', json: 'EndpointSpec', id: 7, kind: 'message', shape: 'optional', message: () => EndpointSpec },
    { name: 'runState', json: 'RunState', id: 100, kind: 'enum', shape: 'one', text: RunStateText },
    { name: 'drainTimeout', json: 'DrainTimeout', id: 101, kind: 'int64', shape: 'optional' },
  ],
  create: (p: Partial<ServiceSpec> = {}): ServiceSpec => ({ name: p.name ?? '', labels: p.labels ?? {}, taskTemplate: p.taskTemplate, mode: p.mode, updateConfig: p.updateConfig, rollbackConfig: p.rollbackConfig, endpointSpec: p.endpointSpec, runState: p.runState ?? 0, drainTimeout: p.drainTimeout }),
  write(m: ServiceSpec, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.taskTemplate !== undefined) TaskSpec.write(m.taskTemplate, w.uint32(26).fork()).ldelim();
    if (m.mode !== undefined) ServiceMode.write(m.mode, w.uint32(34).fork()).ldelim();
    if (m.updateConfig !== undefined) UpdateConfig.write(m.updateConfig, w.uint32(42).fork()).ldelim();
    if (m.rollbackConfig !== undefined) UpdateConfig.write(m.rollbackConfig, w.uint32(50).fork()).ldelim();
    if (m.endpointSpec !== undefined) EndpointSpec.write(m.endpointSpec, w.uint32(58).fork()).ldelim();
    if (m.runState !== 0) w.uint32(800).int32(m.runState);
    if (m.drainTimeout !== undefined) w.uint32(808).int64(m.drainTimeout);
    return w;
  },
  read(r: Reader, length: number): ServiceSpec {
    const end = r.pos + length;
    const m: { name: string; labels: Record<string, string>; taskTemplate: TaskSpec | undefined; mode: ServiceMode | undefined; updateConfig: UpdateConfig | undefined; rollbackConfig: UpdateConfig | undefined; endpointSpec: EndpointSpec | undefined; runState: RunState; drainTimeout: number | undefined } = { name: '', labels: {}, taskTemplate: undefined, mode: undefined, updateConfig: undefined, rollbackConfig: undefined, endpointSpec: undefined, runState: 0, drainTimeout: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 3:
          m.taskTemplate = TaskSpec.read(r, r.uint32());
          break;
        case 4:
          m.mode = ServiceMode.read(r, r.uint32());
          break;
        case 5:
          m.updateConfig = UpdateConfig.read(r, r.uint32());
          break;
        case 6:
          m.rollbackConfig = UpdateConfig.read(r, r.uint32());
          break;
        case 7:
          m.endpointSpec = EndpointSpec.read(r, r.uint32());
          break;
        case 100:
          m.runState = r.int32() as RunState;
          break;
        case 101:
          m.drainTimeout = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ServiceSpec): Uint8Array => ServiceSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ServiceSpec => ServiceSpec.read(Reader.create(bytes), bytes.length),
};

/** ---- the others --------------------------------------------------------------------------------------------------------- */
export const NodeRole = {
  WORKER: 0,
  MANAGER: 1,
} as const;
export type NodeRole = (typeof NodeRole)[keyof typeof NodeRole];
export const NodeRoleText: ReadonlyMap<number, string> = new Map([[0, 'worker'], [1, 'manager']]);

export const NodeAvailability = {
  ACTIVE: 0,
  PAUSE: 1,
  DRAIN: 2,
} as const;
export type NodeAvailability = (typeof NodeAvailability)[keyof typeof NodeAvailability];
export const NodeAvailabilityText: ReadonlyMap<number, string> = new Map([[0, 'active'], [1, 'pause'], [2, 'drain']]);

export interface NodeSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly role: NodeRole;
  readonly availability: NodeAvailability;
}
export const NodeSpec: MessageType<NodeSpec> = {
  name: 'NodeSpec',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one' },
    { name: 'labels', json: 'Labels', id: 2, kind: 'string', shape: 'map', always: true },
    { name: 'role', json: 'Role', id: 3, kind: 'enum', shape: 'one', text: NodeRoleText, always: true },
    { name: 'availability', json: 'Availability', id: 4, kind: 'enum', shape: 'one', text: NodeAvailabilityText, always: true },
  ],
  create: (p: Partial<NodeSpec> = {}): NodeSpec => ({ name: p.name ?? '', labels: p.labels ?? {}, role: p.role ?? 0, availability: p.availability ?? 0 }),
  write(m: NodeSpec, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.role !== 0) w.uint32(24).int32(m.role);
    if (m.availability !== 0) w.uint32(32).int32(m.availability);
    return w;
  },
  read(r: Reader, length: number): NodeSpec {
    const end = r.pos + length;
    const m: { name: string; labels: Record<string, string>; role: NodeRole; availability: NodeAvailability } = { name: '', labels: {}, role: 0, availability: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 3:
          m.role = r.int32() as NodeRole;
          break;
        case 4:
          m.availability = r.int32() as NodeAvailability;
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: NodeSpec): Uint8Array => NodeSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): NodeSpec => NodeSpec.read(Reader.create(bytes), bytes.length),
};

export interface SecretSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** 1 … 500 KiB; never in an answer */
  readonly data: Uint8Array;
  readonly driver: Driver | undefined;
  readonly templating: Driver | undefined;
}
export const SecretSpec: MessageType<SecretSpec> = {
  name: 'SecretSpec',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'labels', json: 'Labels', id: 2, kind: 'string', shape: 'map', always: true },
    { name: 'data', json: 'Data', id: 3, kind: 'bytes', shape: 'one' },
    { name: 'driver', json: 'Driver', id: 4, kind: 'message', shape: 'optional', message: () => Driver },
    { name: 'templating', json: 'Templating', id: 5, kind: 'message', shape: 'optional', message: () => Driver },
  ],
  create: (p: Partial<SecretSpec> = {}): SecretSpec => ({ name: p.name ?? '', labels: p.labels ?? {}, data: p.data ?? NO_BYTES, driver: p.driver, templating: p.templating }),
  write(m: SecretSpec, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.data.length > 0) w.uint32(26).bytes(m.data);
    if (m.driver !== undefined) Driver.write(m.driver, w.uint32(34).fork()).ldelim();
    if (m.templating !== undefined) Driver.write(m.templating, w.uint32(42).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): SecretSpec {
    const end = r.pos + length;
    const m: { name: string; labels: Record<string, string>; data: Uint8Array; driver: Driver | undefined; templating: Driver | undefined } = { name: '', labels: {}, data: NO_BYTES, driver: undefined, templating: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 3:
          m.data = sizeLimitedBytes(r.bytes());
          break;
        case 4:
          m.driver = Driver.read(r, r.uint32());
          break;
        case 5:
          m.templating = Driver.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SecretSpec): Uint8Array => SecretSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SecretSpec => SecretSpec.read(Reader.create(bytes), bytes.length),
};

export interface ConfigSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** 1 … 1000 KiB */
  readonly data: Uint8Array;
  readonly templating: Driver | undefined;
}
export const ConfigSpec: MessageType<ConfigSpec> = {
  name: 'ConfigSpec',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'labels', json: 'Labels', id: 2, kind: 'string', shape: 'map', always: true },
    { name: 'data', json: 'Data', id: 3, kind: 'bytes', shape: 'one' },
    { name: 'templating', json: 'Templating', id: 4, kind: 'message', shape: 'optional', message: () => Driver },
  ],
  create: (p: Partial<ConfigSpec> = {}): ConfigSpec => ({ name: p.name ?? '', labels: p.labels ?? {}, data: p.data ?? NO_BYTES, templating: p.templating }),
  write(m: ConfigSpec, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.data.length > 0) w.uint32(26).bytes(m.data);
    if (m.templating !== undefined) Driver.write(m.templating, w.uint32(34).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): ConfigSpec {
    const end = r.pos + length;
    const m: { name: string; labels: Record<string, string>; data: Uint8Array; templating: Driver | undefined } = { name: '', labels: {}, data: NO_BYTES, templating: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 3:
          m.data = sizeLimitedBytes(r.bytes());
          break;
        case 4:
          m.templating = Driver.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ConfigSpec): Uint8Array => ConfigSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ConfigSpec => ConfigSpec.read(Reader.create(bytes), bytes.length),
};

export interface IpamConfig {
  readonly subnet: string;
  readonly ipRange: string;
  readonly gateway: string;
  readonly auxAddresses: Readonly<Record<string, string>>;
}
export const IpamConfig: MessageType<IpamConfig> = {
  name: 'IpamConfig',
  fields: [
    { name: 'subnet', json: 'Subnet', id: 1, kind: 'string', shape: 'one' },
    { name: 'ipRange', json: 'IPRange', id: 2, kind: 'string', shape: 'one' },
    { name: 'gateway', json: 'Gateway', id: 3, kind: 'string', shape: 'one' },
    { name: 'auxAddresses', json: 'AuxiliaryAddresses', id: 4, kind: 'string', shape: 'map' },
  ],
  create: (p: Partial<IpamConfig> = {}): IpamConfig => ({ subnet: p.subnet ?? '', ipRange: p.ipRange ?? '', gateway: p.gateway ?? '', auxAddresses: p.auxAddresses ?? {} }),
  write(m: IpamConfig, w: Writer): Writer {
    if (m.subnet !== '') w.uint32(10).string(m.subnet);
    if (m.ipRange !== '') w.uint32(18).string(m.ipRange);
    if (m.gateway !== '') w.uint32(26).string(m.gateway);
    for (const k in m.auxAddresses) {
      const v = m.auxAddresses[k] as string;
      w.uint32(34).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    return w;
  },
  read(r: Reader, length: number): IpamConfig {
    const end = r.pos + length;
    const m: { subnet: string; ipRange: string; gateway: string; auxAddresses: Record<string, string> } = { subnet: '', ipRange: '', gateway: '', auxAddresses: {} };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.subnet = r.string();
          break;
        case 2:
          m.ipRange = r.string();
          break;
        case 3:
          m.gateway = r.string();
          break;
        case 4: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.auxAddresses[k] = v;
          break;
        }
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: IpamConfig): Uint8Array => IpamConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): IpamConfig => IpamConfig.read(Reader.create(bytes), bytes.length),
};

export interface IpamOptions {
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly config: readonly IpamConfig[];
}
export const IpamOptions: MessageType<IpamOptions> = {
  name: 'IpamOptions',
  fields: [
    { name: 'driver', json: 'Driver', id: 1, kind: 'string', shape: 'one' },
    { name: 'options', json: 'Options', id: 2, kind: 'string', shape: 'map' },
    { name: 'config', json: 'Config', id: 3, kind: 'message', shape: 'repeated', message: () => IpamConfig },
  ],
  create: (p: Partial<IpamOptions> = {}): IpamOptions => ({ driver: p.driver ?? '', options: p.options ?? {}, config: p.config ?? [] }),
  write(m: IpamOptions, w: Writer): Writer {
    if (m.driver !== '') w.uint32(10).string(m.driver);
    for (const k in m.options) {
      const v = m.options[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    for (const v of m.config) IpamConfig.write(v, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): IpamOptions {
    const end = r.pos + length;
    const m: { driver: string; options: Record<string, string>; config: IpamConfig[] } = { driver: '', options: {}, config: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.driver = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.options[k] = v;
          break;
        }
        case 3:
          m.config.push(IpamConfig.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: IpamOptions): Uint8Array => IpamOptions.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): IpamOptions => IpamOptions.read(Reader.create(bytes), bytes.length),
};

export interface NetworkSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** name: overlay (default), bridge (local), host, none */
  readonly driverConfig: Driver | undefined;
  readonly ipv6Enabled: boolean;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly ingress: boolean;
  readonly ipam: IpamOptions | undefined;
}
export const NetworkSpec: MessageType<NetworkSpec> = {
  name: 'NetworkSpec',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'labels', json: 'Labels', id: 2, kind: 'string', shape: 'map', always: true },
    { name: 'driverConfig', json: 'DriverConfig', id: 3, kind: 'message', shape: 'optional', message: () => Driver },
    { name: 'ipv6Enabled', json: 'IPv6Enabled', id: 4, kind: 'bool', shape: 'one' },
    { name: 'internal', json: 'Internal', id: 5, kind: 'bool', shape: 'one' },
    { name: 'attachable', json: 'Attachable', id: 6, kind: 'bool', shape: 'one' },
    { name: 'ingress', json: 'Ingress', id: 7, kind: 'bool', shape: 'one' },
    { name: 'ipam', json: 'IPAMOptions', id: 8, kind: 'message', shape: 'optional', message: () => IpamOptions },
  ],
  create: (p: Partial<NetworkSpec> = {}): NetworkSpec => ({ name: p.name ?? '', labels: p.labels ?? {}, driverConfig: p.driverConfig, ipv6Enabled: p.ipv6Enabled ?? false, internal: p.internal ?? false, attachable: p.attachable ?? false, ingress: p.ingress ?? false, ipam: p.ipam }),
  write(m: NetworkSpec, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.driverConfig !== undefined) Driver.write(m.driverConfig, w.uint32(26).fork()).ldelim();
    if (m.ipv6Enabled) w.uint32(32).bool(m.ipv6Enabled);
    if (m.internal) w.uint32(40).bool(m.internal);
    if (m.attachable) w.uint32(48).bool(m.attachable);
    if (m.ingress) w.uint32(56).bool(m.ingress);
    if (m.ipam !== undefined) IpamOptions.write(m.ipam, w.uint32(66).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): NetworkSpec {
    const end = r.pos + length;
    const m: { name: string; labels: Record<string, string>; driverConfig: Driver | undefined; ipv6Enabled: boolean; internal: boolean; attachable: boolean; ingress: boolean; ipam: IpamOptions | undefined } = { name: '', labels: {}, driverConfig: undefined, ipv6Enabled: false, internal: false, attachable: false, ingress: false, ipam: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 3:
          m.driverConfig = Driver.read(r, r.uint32());
          break;
        case 4:
          m.ipv6Enabled = r.bool();
          break;
        case 5:
          m.internal = r.bool();
          break;
        case 6:
          m.attachable = r.bool();
          break;
        case 7:
          m.ingress = r.bool();
          break;
        case 8:
          m.ipam = IpamOptions.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: NetworkSpec): Uint8Array => NetworkSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): NetworkSpec => NetworkSpec.read(Reader.create(bytes), bytes.length),
};

export interface VolumeSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** local (default) */
  readonly driver: Driver | undefined;
}
export const VolumeSpec: MessageType<VolumeSpec> = {
  name: 'VolumeSpec',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'labels', json: 'Labels', id: 2, kind: 'string', shape: 'map', always: true },
    { name: 'driver', json: 'Driver', id: 3, kind: 'message', shape: 'optional', message: () => Driver },
  ],
  create: (p: Partial<VolumeSpec> = {}): VolumeSpec => ({ name: p.name ?? '', labels: p.labels ?? {}, driver: p.driver }),
  write(m: VolumeSpec, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.driver !== undefined) Driver.write(m.driver, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): VolumeSpec {
    const end = r.pos + length;
    const m: { name: string; labels: Record<string, string>; driver: Driver | undefined } = { name: '', labels: {}, driver: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 3:
          m.driver = Driver.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: VolumeSpec): Uint8Array => VolumeSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): VolumeSpec => VolumeSpec.read(Reader.create(bytes), bytes.length),
};

export interface OrchestrationConfig {
  readonly taskHistoryRetentionLimit: number | undefined;
}
export const OrchestrationConfig: MessageType<OrchestrationConfig> = {
  name: 'OrchestrationConfig',
  fields: [
    { name: 'taskHistoryRetentionLimit', json: 'TaskHistoryRetentionLimit', id: 1, kind: 'int64', shape: 'optional' },
  ],
  create: (p: Partial<OrchestrationConfig> = {}): OrchestrationConfig => ({ taskHistoryRetentionLimit: p.taskHistoryRetentionLimit }),
  write(m: OrchestrationConfig, w: Writer): Writer {
    if (m.taskHistoryRetentionLimit !== undefined) w.uint32(8).int64(m.taskHistoryRetentionLimit);
    return w;
  },
  read(r: Reader, length: number): OrchestrationConfig {
    const end = r.pos + length;
    const m: { taskHistoryRetentionLimit: number | undefined } = { taskHistoryRetentionLimit: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.taskHistoryRetentionLimit = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: OrchestrationConfig): Uint8Array => OrchestrationConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): OrchestrationConfig => OrchestrationConfig.read(Reader.create(bytes), bytes.length),
};

export interface RaftConfig {
  readonly snapshotInterval: number;
  readonly keepOldSnapshots: number | undefined;
  readonly logEntriesForSlowFollowers: number;
  readonly electionTick: number;
  readonly heartbeatTick: number;
}
export const RaftConfig: MessageType<RaftConfig> = {
  name: 'RaftConfig',
  fields: [
    { name: 'snapshotInterval', json: 'SnapshotInterval', id: 1, kind: 'int64', shape: 'one' },
    { name: 'keepOldSnapshots', json: 'KeepOldSnapshots', id: 2, kind: 'int64', shape: 'optional' },
    { name: 'logEntriesForSlowFollowers', json: 'LogEntriesForSlowFollowers', id: 3, kind: 'int64', shape: 'one' },
    { name: 'electionTick', json: 'ElectionTick', id: 4, kind: 'int64', shape: 'one' },
    { name: 'heartbeatTick', json: 'HeartbeatTick', id: 5, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<RaftConfig> = {}): RaftConfig => ({ snapshotInterval: p.snapshotInterval ?? 0, keepOldSnapshots: p.keepOldSnapshots, logEntriesForSlowFollowers: p.logEntriesForSlowFollowers ?? 0, electionTick: p.electionTick ?? 0, heartbeatTick: p.heartbeatTick ?? 0 }),
  write(m: RaftConfig, w: Writer): Writer {
    if (m.snapshotInterval !== 0) w.uint32(8).int64(m.snapshotInterval);
    if (m.keepOldSnapshots !== undefined) w.uint32(16).int64(m.keepOldSnapshots);
    if (m.logEntriesForSlowFollowers !== 0) w.uint32(24).int64(m.logEntriesForSlowFollowers);
    if (m.electionTick !== 0) w.uint32(32).int64(m.electionTick);
    if (m.heartbeatTick !== 0) w.uint32(40).int64(m.heartbeatTick);
    return w;
  },
  read(r: Reader, length: number): RaftConfig {
    const end = r.pos + length;
    const m: { snapshotInterval: number; keepOldSnapshots: number | undefined; logEntriesForSlowFollowers: number; electionTick: number; heartbeatTick: number } = { snapshotInterval: 0, keepOldSnapshots: undefined, logEntriesForSlowFollowers: 0, electionTick: 0, heartbeatTick: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.snapshotInterval = readInt64(r.int64());
          break;
        case 2:
          m.keepOldSnapshots = readInt64(r.int64());
          break;
        case 3:
          m.logEntriesForSlowFollowers = readInt64(r.int64());
          break;
        case 4:
          m.electionTick = readInt64(r.int64());
          break;
        case 5:
          m.heartbeatTick = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: RaftConfig): Uint8Array => RaftConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): RaftConfig => RaftConfig.read(Reader.create(bytes), bytes.length),
};

export interface DispatcherConfig {
  readonly heartbeatPeriod: number;
}
export const DispatcherConfig: MessageType<DispatcherConfig> = {
  name: 'DispatcherConfig',
  fields: [
    { name: 'heartbeatPeriod', json: 'HeartbeatPeriod', id: 1, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<DispatcherConfig> = {}): DispatcherConfig => ({ heartbeatPeriod: p.heartbeatPeriod ?? 0 }),
  write(m: DispatcherConfig, w: Writer): Writer {
    if (m.heartbeatPeriod !== 0) w.uint32(8).int64(m.heartbeatPeriod);
    return w;
  },
  read(r: Reader, length: number): DispatcherConfig {
    const end = r.pos + length;
    const m: { heartbeatPeriod: number } = { heartbeatPeriod: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.heartbeatPeriod = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: DispatcherConfig): Uint8Array => DispatcherConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): DispatcherConfig => DispatcherConfig.read(Reader.create(bytes), bytes.length),
};

export interface CaConfig {
  /** nanoseconds; 0 = 2160 h */
  readonly nodeCertExpiry: number;
  /** one more = a new root */
  readonly forceRotate: number;
  /** PEM: the root to rotate to; "" = a generated one */
  readonly signingCaCert: string;
  /** PEM; never in an answer */
  readonly signingCaKey: string;
}
export const CaConfig: MessageType<CaConfig> = {
  name: 'CaConfig',
  fields: [
    { name: 'nodeCertExpiry', json: 'NodeCertExpiry', id: 1, kind: 'int64', shape: 'one' },
    { name: 'forceRotate', json: 'ForceRotate', id: 2, kind: 'int64', shape: 'one' },
    { name: 'signingCaCert', json: 'SigningCACert', id: 3, kind: 'string', shape: 'one' },
    { name: 'signingCaKey', json: 'SigningCAKey', id: 4, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<CaConfig> = {}): CaConfig => ({ nodeCertExpiry: p.nodeCertExpiry ?? 0, forceRotate: p.forceRotate ?? 0, signingCaCert: p.signingCaCert ?? '', signingCaKey: p.signingCaKey ?? '' }),
  write(m: CaConfig, w: Writer): Writer {
    if (m.nodeCertExpiry !== 0) w.uint32(8).int64(m.nodeCertExpiry);
    if (m.forceRotate !== 0) w.uint32(16).int64(m.forceRotate);
    if (m.signingCaCert !== '') w.uint32(26).string(m.signingCaCert);
    if (m.signingCaKey !== '') w.uint32(34).string(m.signingCaKey);
    return w;
  },
  read(r: Reader, length: number): CaConfig {
    const end = r.pos + length;
    const m: { nodeCertExpiry: number; forceRotate: number; signingCaCert: string; signingCaKey: string } = { nodeCertExpiry: 0, forceRotate: 0, signingCaCert: '', signingCaKey: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nodeCertExpiry = readInt64(r.int64());
          break;
        case 2:
          m.forceRotate = readInt64(r.int64());
          break;
        case 3:
          m.signingCaCert = r.string();
          break;
        case 4:
          m.signingCaKey = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: CaConfig): Uint8Array => CaConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): CaConfig => CaConfig.read(Reader.create(bytes), bytes.length),
};

export interface TaskDefaults {
  readonly logDriver: Driver | undefined;
}
export const TaskDefaults: MessageType<TaskDefaults> = {
  name: 'TaskDefaults',
  fields: [
    { name: 'logDriver', json: 'LogDriver', id: 1, kind: 'message', shape: 'optional', message: () => Driver },
  ],
  create: (p: Partial<TaskDefaults> = {}): TaskDefaults => ({ logDriver: p.logDriver }),
  write(m: TaskDefaults, w: Writer): Writer {
    if (m.logDriver !== undefined) Driver.write(m.logDriver, w.uint32(10).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): TaskDefaults {
    const end = r.pos + length;
    const m: { logDriver: Driver | undefined } = { logDriver: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.logDriver = Driver.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: TaskDefaults): Uint8Array => TaskDefaults.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): TaskDefaults => TaskDefaults.read(Reader.create(bytes), bytes.length),
};

export interface EncryptionConfig {
  readonly autoLockManagers: boolean;
}
export const EncryptionConfig: MessageType<EncryptionConfig> = {
  name: 'EncryptionConfig',
  fields: [
    { name: 'autoLockManagers', json: 'AutoLockManagers', id: 1, kind: 'bool', shape: 'one', always: true },
  ],
  create: (p: Partial<EncryptionConfig> = {}): EncryptionConfig => ({ autoLockManagers: p.autoLockManagers ?? false }),
  write(m: EncryptionConfig, w: Writer): Writer {
    if (m.autoLockManagers) w.uint32(8).bool(m.autoLockManagers);
    return w;
  },
  read(r: Reader, length: number): EncryptionConfig {
    const end = r.pos + length;
    const m: { autoLockManagers: boolean } = { autoLockManagers: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.autoLockManagers = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: EncryptionConfig): Uint8Array => EncryptionConfig.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): EncryptionConfig => EncryptionConfig.read(Reader.create(bytes), bytes.length),
};

export interface ClusterSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly orchestration: OrchestrationConfig | undefined;
  readonly raft: RaftConfig | undefined;
  readonly dispatcher: DispatcherConfig | undefined;
  readonly caConfig: CaConfig | undefined;
  readonly taskDefaults: TaskDefaults | undefined;
  readonly encryptionConfig: EncryptionConfig | undefined;
}
export const ClusterSpec: MessageType<ClusterSpec> = {
  name: 'ClusterSpec',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'labels', json: 'Labels', id: 2, kind: 'string', shape: 'map', always: true },
    { name: 'orchestration', json: 'Orchestration', id: 3, kind: 'message', shape: 'optional', message: () => OrchestrationConfig, always: true },
    { name: 'raft', json: 'Raft', id: 4, kind: 'message', shape: 'optional', message: () => RaftConfig, always: true },
    { name: 'dispatcher', json: 'Dispatcher', id: 5, kind: 'message', shape: 'optional', message: () => DispatcherConfig, always: true },
    { name: 'caConfig', json: 'CAConfig', id: 6, kind: 'message', shape: 'optional', message: () => CaConfig, always: true },
    { name: 'taskDefaults', json: 'TaskDefaults', id: 7, kind: 'message', shape: 'optional', message: () => TaskDefaults, always: true },
    { name: 'encryptionConfig', json: 'EncryptionConfig', id: 8, kind: 'message', shape: 'optional', message: () => EncryptionConfig, always: true },
  ],
  create: (p: Partial<ClusterSpec> = {}): ClusterSpec => ({ name: p.name ?? '', labels: p.labels ?? {}, orchestration: p.orchestration, raft: p.raft, dispatcher: p.dispatcher, caConfig: p.caConfig, taskDefaults: p.taskDefaults, encryptionConfig: p.encryptionConfig }),
  write(m: ClusterSpec, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.orchestration !== undefined) OrchestrationConfig.write(m.orchestration, w.uint32(26).fork()).ldelim();
    if (m.raft !== undefined) RaftConfig.write(m.raft, w.uint32(34).fork()).ldelim();
    if (m.dispatcher !== undefined) DispatcherConfig.write(m.dispatcher, w.uint32(42).fork()).ldelim();
    if (m.caConfig !== undefined) CaConfig.write(m.caConfig, w.uint32(50).fork()).ldelim();
    if (m.taskDefaults !== undefined) TaskDefaults.write(m.taskDefaults, w.uint32(58).fork()).ldelim();
    if (m.encryptionConfig !== undefined) EncryptionConfig.write(m.encryptionConfig, w.uint32(66).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): ClusterSpec {
    const end = r.pos + length;
    const m: { name: string; labels: Record<string, string>; orchestration: OrchestrationConfig | undefined; raft: RaftConfig | undefined; dispatcher: DispatcherConfig | undefined; caConfig: CaConfig | undefined; taskDefaults: TaskDefaults | undefined; encryptionConfig: EncryptionConfig | undefined } = { name: '', labels: {}, orchestration: undefined, raft: undefined, dispatcher: undefined, caConfig: undefined, taskDefaults: undefined, encryptionConfig: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 3:
          m.orchestration = OrchestrationConfig.read(r, r.uint32());
          break;
        case 4:
          m.raft = RaftConfig.read(r, r.uint32());
          break;
        case 5:
          m.dispatcher = DispatcherConfig.read(r, r.uint32());
          break;
        case 6:
          m.caConfig = CaConfig.read(r, r.uint32());
          break;
        case 7:
          m.taskDefaults = TaskDefaults.read(r, r.uint32());
          break;
        case 8:
          m.encryptionConfig = EncryptionConfig.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ClusterSpec): Uint8Array => ClusterSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ClusterSpec => ClusterSpec.read(Reader.create(bytes), bytes.length),
};

/** What `tcompose up` sends: the whole project as cluster objects. The manager turns it into one transaction. */
export interface StackSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly networks: readonly NetworkSpec[];
  readonly volumes: readonly VolumeSpec[];
  readonly secrets: readonly SecretSpec[];
  readonly configs: readonly ConfigSpec[];
  readonly services: readonly ServiceSpec[];
  /** the resolved Compose project, canonical JSON; for display and diff */
  readonly project: Uint8Array;
}
export const StackSpec: MessageType<StackSpec> = {
  name: 'StackSpec',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'labels', json: 'Labels', id: 2, kind: 'string', shape: 'map', always: true },
    { name: 'networks', json: 'Networks', id: 3, kind: 'message', shape: 'repeated', message: () => NetworkSpec },
    { name: 'volumes', json: 'Volumes', id: 4, kind: 'message', shape: 'repeated', message: () => VolumeSpec },
    { name: 'secrets', json: 'Secrets', id: 5, kind: 'message', shape: 'repeated', message: () => SecretSpec },
    { name: 'configs', json: 'Configs', id: 6, kind: 'message', shape: 'repeated', message: () => ConfigSpec },
    { name: 'services', json: 'Services', id: 7, kind: 'message', shape: 'repeated', message: () => ServiceSpec },
    { name: 'project', json: 'Project', id: 8, kind: 'bytes', shape: 'one' },
  ],
  create: (p: Partial<StackSpec> = {}): StackSpec => ({ name: p.name ?? '', labels: p.labels ?? {}, networks: p.networks ?? [], volumes: p.volumes ?? [], secrets: p.secrets ?? [], configs: p.configs ?? [], services: p.services ?? [], project: p.project ?? NO_BYTES }),
  write(m: StackSpec, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    for (const v of m.networks) NetworkSpec.write(v, w.uint32(26).fork()).ldelim();
    for (const v of m.volumes) VolumeSpec.write(v, w.uint32(34).fork()).ldelim();
    for (const v of m.secrets) SecretSpec.write(v, w.uint32(42).fork()).ldelim();
    for (const v of m.configs) ConfigSpec.write(v, w.uint32(50).fork()).ldelim();
    for (const v of m.services) ServiceSpec.write(v, w.uint32(58).fork()).ldelim();
    if (m.project.length > 0) w.uint32(66).bytes(m.project);
    return w;
  },
  read(r: Reader, length: number): StackSpec {
    const end = r.pos + length;
    const m: { name: string; labels: Record<string, string>; networks: NetworkSpec[]; volumes: VolumeSpec[]; secrets: SecretSpec[]; configs: ConfigSpec[]; services: ServiceSpec[]; project: Uint8Array } = { name: '', labels: {}, networks: [], volumes: [], secrets: [], configs: [], services: [], project: NO_BYTES };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 3:
          m.networks.push(NetworkSpec.read(r, r.uint32()));
          break;
        case 4:
          m.volumes.push(VolumeSpec.read(r, r.uint32()));
          break;
        case 5:
          m.secrets.push(SecretSpec.read(r, r.uint32()));
          break;
        case 6:
          m.configs.push(ConfigSpec.read(r, r.uint32()));
          break;
        case 7:
          m.services.push(ServiceSpec.read(r, r.uint32()));
          break;
        case 8:
          m.project = sizeLimitedBytes(r.bytes());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: StackSpec): Uint8Array => StackSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): StackSpec => StackSpec.read(Reader.create(bytes), bytes.length),
};

/** ---- credentials: who may command from outside of the unix sockets ------------------------------------------------------ */
export const AccessRole = {
  NONE: 0,
  VIEWER: 1,
  OPERATOR: 2,
  ADMIN: 3,
} as const;
export type AccessRole = (typeof AccessRole)[keyof typeof AccessRole];
export const AccessRoleText: ReadonlyMap<number, string> = new Map([[0, 'none'], [1, 'viewer'], [2, 'operator'], [3, 'admin']]);

export const CredentialKind = {
  TOKEN: 0,
  CERTIFICATE: 1,
} as const;
export type CredentialKind = (typeof CredentialKind)[keyof typeof CredentialKind];
export const CredentialKindText: ReadonlyMap<number, string> = new Map([[0, 'token'], [1, 'certificate']]);

export interface CredentialSpec {
  readonly name: string;
  readonly role: AccessRole;
  readonly kind: CredentialKind;
  /** 0 = a token that does not expire; a certificate always does */
  readonly expiresAt: number;
}
export const CredentialSpec: MessageType<CredentialSpec> = {
  name: 'CredentialSpec',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'role', json: 'Role', id: 2, kind: 'enum', shape: 'one', text: AccessRoleText, always: true },
    { name: 'kind', json: 'Kind', id: 3, kind: 'enum', shape: 'one', text: CredentialKindText, always: true },
    { name: 'expiresAt', json: 'ExpiresAt', id: 4, kind: 'int64', shape: 'one', time: true },
  ],
  create: (p: Partial<CredentialSpec> = {}): CredentialSpec => ({ name: p.name ?? '', role: p.role ?? 0, kind: p.kind ?? 0, expiresAt: p.expiresAt ?? 0 }),
  write(m: CredentialSpec, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    if (m.role !== 0) w.uint32(16).int32(m.role);
    if (m.kind !== 0) w.uint32(24).int32(m.kind);
    if (m.expiresAt !== 0) w.uint32(32).int64(m.expiresAt);
    return w;
  },
  read(r: Reader, length: number): CredentialSpec {
    const end = r.pos + length;
    const m: { name: string; role: AccessRole; kind: CredentialKind; expiresAt: number } = { name: '', role: 0, kind: 0, expiresAt: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2:
          m.role = r.int32() as AccessRole;
          break;
        case 3:
          m.kind = r.int32() as CredentialKind;
          break;
        case 4:
          m.expiresAt = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: CredentialSpec): Uint8Array => CredentialSpec.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): CredentialSpec => CredentialSpec.read(Reader.create(bytes), bytes.length),
};
