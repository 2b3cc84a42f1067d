// The values of the flags of `service create` and `service update`, from docker's notation to the Engine API's JSON. Every function names the flag in its
// error and says what it takes.
import { readFileSync } from 'node:fs';
import { parseBytes, parseDuration, parseFileMode } from '#compose-spec/load/units';
import { TswarmError } from '#protocol/errors';

export type JsonObject = Record<string, unknown>;

export function invalidFlag(flag: string, message: string, hint?: string): TswarmError {
  return new TswarmError('invalid_argument', `--${flag}: ${message}`, {
    field: flag,
    ...(hint === undefined ? {} : { hint }),
  });
}

export function duration(flag: string, text: string): number {
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.value >= 0) return parsed.value;
  const message = parsed.ok ? 'must not be negative' : parsed.message;
  throw invalidFlag(flag, message, 'Write it like 500ms, 10s or 1m30s.');
}

export function bytes(flag: string, text: string): number {
  const parsed = parseBytes(text);
  if (parsed.ok) return parsed.value;
  throw invalidFlag(flag, parsed.message, 'Write it like 512k, 64m or 2g.');
}

export function integer(flag: string, text: string, min = 0): number {
  const value = Number(text);
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
  throw invalidFlag(flag, `"${text}" is not a whole number${min === 0 ? ' from 0' : ''}`);
}

export function nanoCpus(flag: string, text: string): number {
  const value = Number(text);
  if (/^\d*\.?\d+$/.test(text)) return Math.round(value * 1e9);
  throw invalidFlag(flag, `"${text}" is not a number of cpus`, 'Write it like 0.5 or 2.');
}

export function ratio(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw invalidFlag(flag, `"${text}" is not between 0 and 1`);
}

export function oneOf(flag: string, text: string, words: readonly string[]): string {
  if (words.includes(text)) return text;
  throw invalidFlag(flag, `"${text}" is unknown`, `It is one of ${words.join(', ')}.`);
}

/** ["a=b", "c"] → {a: "b", c: ""} */
export function labels(texts: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const text of texts) {
    const at = text.indexOf('=');
    out[at < 0 ? text : text.slice(0, at)] = at < 0 ? '' : text.slice(at + 1);
  }
  return out;
}

/** KEY=VALUE entries; a bare KEY takes its value from the shell and is left out when there is none. */
export function environment(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    if (text.includes('=')) return [text];
    const value = process.env[text];
    return value === undefined ? [] : [`${text}=${value}`];
  });
}

export function environmentFile(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw invalidFlag('env-file', `${path} cannot be read`);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trimStart());
  return environment(lines.filter((line) => line !== '' && !line.startsWith('#')));
}

/** "a=1,b,c=x" → [["a","1"],["b",""],["c","x"]]; a field may be in double quotes, as in CSV. */
function fields(flag: string, text: string): [string, string][] {
  const parts = [...text.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g)]
    .slice(0, -1)
    .map((match) => (match[1] === undefined ? (match[2] ?? '') : match[1].replaceAll('""', '"')));
  if (parts.length === 0) throw invalidFlag(flag, 'must not be empty');
  return parts.map((part) => {
    const at = part.indexOf('=');
    return at < 0 ? [part, ''] : [part.slice(0, at).trim().toLowerCase(), part.slice(at + 1)];
  });
}

// ---- mounts -----------------------------------------------------------------------------------------

const isTrue = (value: string): boolean => ['', '1', 'true'].includes(value.toLowerCase());

/** type=volume,source=data,target=/data,readonly … */
export function mount(flag: string, text: string): JsonObject {
  const out: JsonObject = { Type: 'volume' };
  const bind: JsonObject = {};
  const volume: JsonObject = {};
  const tmpfs: JsonObject = {};
  for (const [key, value] of fields(flag, text)) {
    if (!mountField({ out, bind, volume, tmpfs }, key, value)) {
      throw invalidFlag(flag, `unexpected key '${key}' in '${text}'`);
    }
  }
  if (!out.Target) throw invalidFlag(flag, 'target is required');
  const parts: readonly [string, string, JsonObject][] = [
    ['bind', 'BindOptions', bind],
    ['volume', 'VolumeOptions', volume],
    ['tmpfs', 'TmpfsOptions', tmpfs],
  ];
  for (const [type, key, options] of parts) {
    if (Object.keys(options).length === 0) continue;
    if (out.Type !== type) {
      throw invalidFlag(
        flag,
        `cannot mix '${type}-*' options with mount type '${String(out.Type)}'`,
      );
    }
    out[key] = options;
  }
  return out;
}

interface MountParts {
  readonly out: JsonObject;
  readonly bind: JsonObject;
  readonly volume: JsonObject;
  readonly tmpfs: JsonObject;
}

function mountField({ out, bind, volume, tmpfs }: MountParts, key: string, value: string): boolean {
  const driver = (): JsonObject => {
    volume.DriverConfig ??= {};
    return volume.DriverConfig as JsonObject;
  };
  const entry = (into: unknown): Record<string, string> => ({
    ...(into as Record<string, string> | undefined),
    ...labels([value]),
  });
  switch (key) {
    case 'type':
      out.Type = value.toLowerCase();
      return true;
    case 'source':
    case 'src':
      out.Source = value;
      return true;
    case 'target':
    case 'dst':
    case 'destination':
      out.Target = value;
      return true;
    case 'readonly':
    case 'ro':
      out.ReadOnly = isTrue(value);
      return true;
    case 'consistency':
      out.Consistency = value;
      return true;
    case 'bind-propagation':
      bind.Propagation = value;
      return true;
    case 'bind-recursive':
      if (value === 'disabled') bind.NonRecursive = true;
      else if (value === 'writable') bind.ReadOnlyNonRecursive = true;
      else if (value === 'readonly') bind.ReadOnlyForceRecursive = true;
      return ['enabled', 'disabled', 'writable', 'readonly'].includes(value);
    case 'bind-create-src':
      bind.CreateMountpoint = isTrue(value);
      return true;
    case 'volume-nocopy':
      volume.NoCopy = isTrue(value);
      return true;
    case 'volume-label':
      volume.Labels = entry(volume.Labels);
      return true;
    case 'volume-subpath':
      volume.Subpath = value;
      return true;
    case 'volume-driver':
      driver().Name = value;
      return true;
    case 'volume-opt':
      driver().Options = entry(driver().Options);
      return true;
    case 'tmpfs-size':
      tmpfs.SizeBytes = bytes('mount', value);
      return true;
    case 'tmpfs-mode':
      tmpfs.Mode = fileMode('mount', value);
      return true;
    default:
      return false;
  }
}

function fileMode(flag: string, text: string): number {
  const parsed = parseFileMode(text);
  if (parsed.ok) return parsed.value;
  throw invalidFlag(flag, parsed.message, 'Write it in octal, like 0440.');
}

// ---- ports, networks, files, the rest ---------------------------------------------------------------

/** "8080:80", "8000-8002:80-82/udp", "127.0.0.1:53:53" or published=…,target=…,mode=host. */
export function ports(text: string): JsonObject[] {
  if (text.includes('=')) return [longPort(text)];
  const match =
    /^(?:(?:(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:]+\]):)?(\d+)?(?:-(\d+))?:)?(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(
      text,
    );
  if (!match) throw invalidFlag('publish', `"${text}" is not a port`, 'Write it like 8080:80.');
  const [, ip = '', from, to, target = '', targetTo, protocol = 'tcp'] = match;
  const count = Number(targetTo ?? target) - Number(target) + 1;
  const published = from === undefined ? 0 : Number(to ?? from) - Number(from) + 1;
  if (count < 1 || (from !== undefined && published !== count)) {
    throw invalidFlag('publish', `"${text}": the two ranges differ in length`);
  }
  return Array.from({ length: count }, (_, index) => ({
    Protocol: protocol.toLowerCase(),
    TargetPort: Number(target) + index,
    ...(from === undefined ? {} : { PublishedPort: Number(from) + index }),
    PublishMode: 'ingress',
    ...(ip === '' ? {} : { HostIP: ip.replace(/^\[|\]$/g, '') }),
  }));
}

function longPort(text: string): JsonObject {
  const out: JsonObject = { Protocol: 'tcp', PublishMode: 'ingress' };
  for (const [key, value] of fields('publish', text)) {
    if (key === 'target') out.TargetPort = integer('publish', value, 1);
    else if (key === 'published') out.PublishedPort = integer('publish', value);
    else if (key === 'protocol') out.Protocol = oneOf('publish', value, ['tcp', 'udp', 'sctp']);
    else if (key === 'mode') out.PublishMode = oneOf('publish', value, ['ingress', 'host']);
    else if (key === 'host-ip') out.HostIP = value;
    else throw invalidFlag('publish', `invalid field key ${key}`);
  }
  if (out.TargetPort === undefined)
    throw invalidFlag('publish', 'missing mandatory field "target"');
  return out;
}

/** "front" or name=front,alias=web,ip=10.0.1.9,driver-opt=a=b. */
export function network(flag: string, text: string): JsonObject {
  if (!text.includes('=')) return { Target: text };
  const out: JsonObject = {};
  const aliases: string[] = [];
  for (const [key, value] of fields(flag, text)) {
    if (key === 'name') out.Target = value;
    else if (key === 'alias') aliases.push(value);
    else if (key === 'ip') out.IPv4Address = value;
    else if (key === 'ip6') out.IPv6Address = value;
    else if (key === 'driver-opt') {
      out.DriverOpts = { ...(out.DriverOpts as object | undefined), ...labels([value]) };
    } else throw invalidFlag(flag, `invalid field key ${key}`);
  }
  if (!out.Target) throw invalidFlag(flag, 'missing mandatory field "name"');
  return aliases.length > 0 ? { ...out, Aliases: aliases } : out;
}

/** "name" or source=name,target=file,uid=0,gid=0,mode=0440 → a reference by name. */
export function fileReference(kind: 'secret' | 'config', flag: string, text: string): JsonObject {
  const file: JsonObject = { UID: '0', GID: '0', Mode: 0o444 };
  let source = text.includes('=') ? '' : text;
  let target = '';
  for (const [key, value] of text.includes('=') ? fields(flag, text) : []) {
    if (key === 'source' || key === 'src') source = value;
    else if (key === 'target') target = value;
    else if (key === 'uid') file.UID = value;
    else if (key === 'gid') file.GID = value;
    else if (key === 'mode') file.Mode = fileMode(flag, value);
    else throw invalidFlag(flag, `invalid field in ${kind} request: ${key}`);
  }
  if (source === '') throw invalidFlag(flag, 'source is required');
  file.Name = target || (kind === 'secret' ? source : `/${source}`);
  return kind === 'secret'
    ? { SecretName: source, File: file }
    : { ConfigName: source, File: file };
}

/** nofile=1024:2048 */
export function ulimit(flag: string, text: string): JsonObject {
  const [, name = '', soft = '', hard] = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? [];
  if (name === '') {
    throw invalidFlag(flag, `"${text}" is not a limit`, 'Write it like nofile=1024:2048.');
  }
  return { Name: name, Soft: Number(soft), Hard: Number(hard ?? soft) };
}

/** spread=node.labels.zone */
export function preference(flag: string, text: string): JsonObject {
  const [strategy, ...rest] = text.split('=');
  if (strategy?.toLowerCase() !== 'spread' || rest.length === 0) {
    throw invalidFlag(flag, `"${text}" is not supported`, 'Write it like spread=node.labels.zone.');
  }
  return { Spread: { SpreadDescriptor: rest.join('=') } };
}

/** "SSD=2" or "GPU=uuid1" */
export function genericResource(flag: string, text: string): JsonObject {
  const [, kind = '', value = ''] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (kind === '') throw invalidFlag(flag, `"${text}" is not KIND=VALUE`);
  return /^\d+$/.test(value)
    ? { DiscreteResourceSpec: { Kind: kind, Value: Number(value) } }
    : { NamedResourceSpec: { Kind: kind, Value: value } };
}

/** "/dev/fuse", "/dev/a:/dev/b", "/dev/a:/dev/b:r" */
export function device(text: string): JsonObject {
  const [host = '', second, third] = text.split(':');
  const isAccess = (part: string | undefined): boolean => /^[rwm]{1,3}$/.test(part ?? '');
  const inside = second === undefined || isAccess(second) ? host : second;
  const access = isAccess(second) ? second : third;
  return { PathOnHost: host, PathInContainer: inside, CgroupPermissions: access ?? 'rwm' };
}

/** "db.example:10.0.0.5" or "db=10.0.0.5" → "10.0.0.5 db.example" as the API has it. */
export function host(flag: string, text: string): string {
  const [, name = '', address = ''] = /^([^:=]+)[:=](.+)$/.exec(text) ?? [];
  if (name === '') throw invalidFlag(flag, `bad format for add-host: "${text}"`);
  return `${address.replace(/^\[|\]$/g, '')} ${name}`;
}

/** A command line as one text: split at spaces, quotes and backslashes as a shell has them. */
export function words(flag: string, text: string): string[] {
  const out: string[] = [];
  let current = '';
  let started = false;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (quote !== '') {
      if (char === quote) quote = '';
      else if (char === '\\' && quote === '"' && i + 1 < text.length) current += text[++i];
      else current += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      started = true;
    } else if (char === '\\' && i + 1 < text.length) {
      current += text[++i];
      started = true;
    } else if (/\s/.test(char)) {
      if (started) out.push(current);
      current = '';
      started = false;
    } else {
      current += char;
      started = true;
    }
  }
  if (quote !== '') throw invalidFlag(flag, `a ${quote} is not closed in: ${text}`);
  if (started) out.push(current);
  return out;
}
