// The daemon's settings: flags, then TSWARM_* variables, then the file, then defaults. Parsed once, frozen, printed by --print-config. A setting that is
// not known, in the file too, is an error that names it.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parseApiAddress } from '#api/access/listener';
import { messageOf, TswarmError } from '#protocol/errors';
import { LOG_LEVELS, type LogFormat, type LogLevel } from '#protocol/transport/node-world';

export interface Config {
  /** State: certificates, the manager's log, images, volumes, containers. */
  readonly dataRoot: string;
  /** Sockets, pid files, secrets; a tmpfs. */
  readonly runRoot: string;
  /** Default of `init` for `listenAddr`; `host:port`. */
  readonly listenAddr: string;
  /** Default of `init`; '' = found out. */
  readonly advertiseAddr: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Folder of the native programs. */
  readonly nativeDir: string;
  /** User that the manager process runs as, if there is such a user; '' = root. */
  readonly managerUser: string;
  /** Path of the OCI runtime; '' = tswarm-runtime. */
  readonly runtime: string;
  /** Labels of this engine for placement constraints, `key=value`. */
  readonly labels: readonly string[];
  /** What tasks can reserve besides cpu and memory: `GPU=uuid` (a name) or `SSD=3` (a number). */
  readonly genericResources: readonly string[];
  /** `host:port` or CIDR of registries that speak plain HTTP or have a certificate that cannot be checked. */
  readonly insecureRegistries: readonly string[];
  /** Base URLs asked before Docker Hub. */
  readonly registryMirrors: readonly string[];
  /** UDP port of the mesh between nodes, as text. */
  readonly meshPort: string;
  /** IP address by which other nodes reach the mesh of this one; '' = the one that the managers see. */
  readonly meshAddr: string;
  /** Where the dashboard listens from the start, `IP:PORT`; '' = 127.0.0.1, once a link to it is made. */
  readonly dashboardAddr: string;
  /** PEM files; an address that is not of loopback needs them. */
  readonly dashboardCert: string;
  readonly dashboardKey: string;
  /** Where the HTTP API listens with TLS, `IP:PORT`; '' = nowhere. */
  readonly apiAddr: string;
  /** Names and addresses that clients call this host by, beside its own: they are in the API's certificate. */
  readonly apiNames: readonly string[];
}

interface Setting {
  readonly flag: string;
  readonly key: keyof Config;
  readonly help: string;
  /** Comma-separated in flags and variables, a list in the file. */
  readonly list?: true;
}

const SETTINGS: readonly Setting[] = [
  { flag: 'data-root', key: 'dataRoot', help: 'folder of the state' },
  { flag: 'run-root', key: 'runRoot', help: 'folder of the sockets' },
  { flag: 'listen-addr', key: 'listenAddr', help: 'where a manager on this node listens' },
  {
    flag: 'advertise-addr',
    key: 'advertiseAddr',
    help: 'address that other nodes reach this one at',
  },
  { flag: 'log-level', key: 'logLevel', help: 'error, warn, info or debug' },
  { flag: 'log-format', key: 'logFormat', help: 'text or json' },
  { flag: 'native-dir', key: 'nativeDir', help: 'folder of tswarm-runtime and the other programs' },
  { flag: 'manager-user', key: 'managerUser', help: 'user that the manager runs as, if it exists' },
  { flag: 'runtime', key: 'runtime', help: 'path of another OCI runtime (runc, crun)' },
  { flag: 'labels', key: 'labels', help: 'labels of this engine: a=b,c=d', list: true },
  {
    flag: 'generic-resources',
    key: 'genericResources',
    help: 'what tasks can reserve: GPU=uuid,SSD=3',
    list: true,
  },
  {
    flag: 'insecure-registries',
    key: 'insecureRegistries',
    help: 'registries without TLS: host:port,…',
    list: true,
  },
  {
    flag: 'registry-mirrors',
    key: 'registryMirrors',
    help: 'mirrors of Docker Hub: URL,…',
    list: true,
  },
  {
    flag: 'mesh-port',
    key: 'meshPort',
    help: "UDP port of the network between nodes (the cluster's, else 51820)",
  },
  {
    flag: 'mesh-addr',
    key: 'meshAddr',
    help: 'IP address that other nodes reach that port at',
  },
  {
    flag: 'dashboard-addr',
    key: 'dashboardAddr',
    help: 'where the dashboard listens (127.0.0.1:7480, when asked for)',
  },
  { flag: 'dashboard-cert', key: 'dashboardCert', help: 'its TLS certificate, a PEM file' },
  { flag: 'dashboard-key', key: 'dashboardKey', help: 'the key of that certificate' },
  {
    flag: 'api-addr',
    key: 'apiAddr',
    help: 'where the API listens with TLS, as 0.0.0.0:2376 (nowhere)',
  },
  {
    flag: 'api-names',
    key: 'apiNames',
    help: 'other names of this host for clients of the API',
    list: true,
  },
];

const FILE_DEFAULT = '/etc/tswarm/tswarmd.json';

export type Command =
  | { readonly type: 'run'; readonly config: Config }
  | { readonly type: 'print'; readonly text: string };

/** @throws TswarmError invalid_argument, which is a usage error. */
export function parseCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  facts: { readonly nativeDir: string; readonly version: string },
): Command {
  const flags = readFlags(args);
  if (flags.help) return { type: 'print', text: helpText() };
  if (flags.version) return { type: 'print', text: `tswarmd ${facts.version}\n` };
  const fileName = flags.values.config ?? environment.TSWARM_CONFIG;
  const file = readFile(fileName ?? FILE_DEFAULT, fileName !== undefined);
  const config = build(defaults(facts.nativeDir), file, environment, flags.values);
  if (flags.print) return { type: 'print', text: `${JSON.stringify(config, null, 2)}\n` };
  return { type: 'run', config: Object.freeze(config) };
}

function defaults(nativeDir: string): Config {
  return {
    dataRoot: '/var/lib/tswarm',
    runRoot: '/run/tswarm',
    listenAddr: '0.0.0.0:2377',
    advertiseAddr: '',
    logLevel: 'info',
    logFormat: 'text',
    nativeDir,
    managerUser: 'tswarm-manager',
    runtime: '',
    labels: [],
    genericResources: [],
    insecureRegistries: [],
    registryMirrors: [],
    meshPort: '',
    meshAddr: '',
    dashboardAddr: '',
    dashboardCert: '',
    dashboardKey: '',
    apiAddr: '',
    apiNames: [],
  };
}

interface Flags {
  readonly help: boolean;
  readonly version: boolean;
  readonly print: boolean;
  readonly values: Readonly<Record<string, string | undefined>>;
}

function readFlags(args: readonly string[]): Flags {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
    'print-config': { type: 'boolean' },
    config: { type: 'string' },
  };
  for (const setting of SETTINGS) options[setting.flag] = { type: 'string' };
  let parsed: { values: Record<string, string | boolean | (string | boolean)[] | undefined> };
  try {
    parsed = parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
  } catch (error) {
    throw new TswarmError('invalid_argument', `tswarmd: ${messageOf(error)}`, {
      hint: 'Try tswarmd --help.',
    });
  }
  const { help, version, 'print-config': print, ...values } = parsed.values;
  return {
    help: help === true,
    version: version === true,
    print: print === true,
    values: values as Record<string, string | undefined>,
  };
}

function helpText(): string {
  const rows = [
    ...SETTINGS.map(
      (s) => [`--${s.flag} VALUE`, `${s.help} (${environmentName(s.flag)})`] as const,
    ),
    ['--config FILE', `JSON file with the same settings (${FILE_DEFAULT}; TSWARM_CONFIG)`] as const,
    ['--print-config', 'print the settings and end'] as const,
    ['--version', 'print the version and end'] as const,
    ['--help', 'print this text and end'] as const,
  ];
  const lines = rows.map(([flag, help]) => `  ${flag.padEnd(24)}${help}`);
  return `Usage: tswarmd [flags]\n\nRuns this node: its containers, the HTTP API, and a manager if it is one.\n\n${lines.join('\n')}\n`;
}

function environmentName(flag: string): string {
  return `TSWARM_${flag.replaceAll('-', '_').toUpperCase()}`;
}

function readFile(name: string, required: boolean): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(name, 'utf8');
  } catch (error) {
    if (!required && (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new TswarmError('invalid_argument', `config file ${name}: ${messageOf(error)}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new TswarmError('invalid_argument', `config file ${name}: ${messageOf(error)}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new TswarmError('invalid_argument', `config file ${name}: must hold a JSON object`);
  }
  const known = new Map<string, Setting>(SETTINGS.map((setting) => [setting.key, setting]));
  for (const [key, value] of Object.entries(json)) {
    const setting = known.get(key);
    if (!setting) {
      throw new TswarmError('invalid_argument', `config file ${name}: unknown setting ${key}`, {
        field: key,
        hint: `Known are ${[...known.keys()].join(', ')}.`,
      });
    }
    const isRight = setting.list
      ? Array.isArray(value) && value.every((item) => typeof item === 'string')
      : typeof value === 'string';
    if (!isRight) {
      const wanted = setting.list ? 'a list of strings' : 'a string';
      throw new TswarmError('invalid_argument', `config file ${name}: ${key} must be ${wanted}`);
    }
  }
  return json as Record<string, unknown>;
}

function build(
  base: Config,
  file: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string | undefined>>,
): Config {
  const out: Record<string, unknown> = { ...base };
  for (const { flag, key, list } of SETTINGS) {
    const text = flags[flag] ?? environment[environmentName(flag)];
    const value = text !== undefined && list ? splitList(text) : (text ?? file[key]);
    if (value !== undefined) out[key] = value;
  }
  const config = out as unknown as Config;
  if (!LOG_LEVELS.includes(config.logLevel)) {
    throw new TswarmError('invalid_argument', `log-level: ${config.logLevel} is not a level`, {
      hint: `Levels are ${LOG_LEVELS.join(', ')}.`,
    });
  }
  if (config.logFormat !== 'text' && config.logFormat !== 'json') {
    throw new TswarmError('invalid_argument', `log-format: must be text or json`);
  }
  for (const text of config.genericResources) {
    if (/^[^=,\s]+=[^=,\s]+$/.test(text)) continue;
    throw new TswarmError('invalid_argument', `generic-resources: "${text}" is not KIND=VALUE`, {
      hint: 'Write GPU=uuid for a thing with a name, SSD=3 for a number of things.',
    });
  }
  const meshPort = Number(config.meshPort);
  const isPort = Number.isInteger(meshPort) && meshPort >= 1 && meshPort <= 65_535;
  if (config.meshPort !== '' && !isPort) {
    throw new TswarmError('invalid_argument', `mesh-port: "${config.meshPort}" is not a port`);
  }
  if (config.meshAddr !== '' && isIP(config.meshAddr) === 0) {
    throw new TswarmError('invalid_argument', `mesh-addr: "${config.meshAddr}" is no IP address`);
  }
  if (config.apiAddr !== '') parseApiAddress(config.apiAddr);
  for (const name of config.apiNames) {
    if (isIP(name) > 0 || /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(name)) continue;
    throw new TswarmError('invalid_argument', `api-names: "${name}" is no name and no IP address`);
  }
  for (const key of ['dataRoot', 'runRoot', 'nativeDir'] as const) {
    if (config[key] === '') throw new TswarmError('invalid_argument', `${key}: must not be empty`);
    if (!isAbsolute(config[key])) out[key] = resolve(config[key]);
  }
  return out as unknown as Config;
}

function splitList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
