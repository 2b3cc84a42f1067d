// The log drivers of a node and their options, as Docker's drivers have them: names, forms of values, Docker's sentence for what is wrong. Says what can be said
// without a host, so that compose files and requests are checked by the same table; whether a socket exists or a server answers is found out by the node.
// Refuses Docker's drivers for the logs of one vendor: their protocols are in that vendor's libraries.

/** Drivers that keep the output on the node and nothing else. */
const KEEPING = ['json-file', 'local', 'none'] as const;

/** Drivers that send the output elsewhere, besides a copy that is kept for `logs`. */
export const SENDING_DRIVERS = ['fluentd', 'gelf', 'journald', 'syslog'] as const;
export type SendingDriver = (typeof SENDING_DRIVERS)[number];

/** As `info` lists them. */
export const LOG_DRIVERS: readonly string[] = [...SENDING_DRIVERS, 'json-file', 'local'].sort();

/** Of one vendor each. */
const VENDORS: ReadonlySet<string> = new Set([
  'awslogs',
  'etwlogs',
  'gcplogs',
  'logentries',
  'splunk',
]);

/** What is wrong with a driver or one of its options. */
export interface LogFault {
  /** '' = the driver itself. */
  readonly option: string;
  /** In Docker's words where Docker has some. */
  readonly message: string;
  readonly hint: string;
}

export type LogOptions = Readonly<Record<string, string>>;

/** Undefined: right; else Docker's sentence. */
type Check = (value: string, options: LogOptions) => string | undefined;

const any: Check = () => undefined;

const flag: Check = (value) =>
  /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value)
    ? undefined
    : `"${value}" is neither true nor false`;

const size: Check = (value) =>
  sizeOf(value) === undefined ? `invalid size: '${value}'` : undefined;

const duration: Check = (value) =>
  durationMs(value) === undefined ? `time: invalid duration "${value}"` : undefined;

const positive: Check = (value) =>
  /^[1-9]\d*$/.test(value) ? undefined : `must be a positive number, not "${value}"`;

const count: Check = (value) =>
  /^\d+$/.test(value) ? undefined : `must be a number, not "${value}"`;

const expression: Check = (value) => {
  try {
    new RegExp(value);
    return undefined;
  } catch {
    return `"${value}" is no expression`;
  }
};

const oneOf =
  (sentence: string, ...values: readonly string[]): Check =>
  (value) =>
    values.includes(value) ? undefined : sentence;

/** Whatever the driver. */
const COMMON: Readonly<Record<string, Check>> = {
  mode: (value) =>
    ['', 'blocking', 'non-blocking'].includes(value)
      ? undefined
      : `logger: logging mode not supported: ${value}`,
  'max-buffer-size': (value, { mode }) =>
    mode === 'non-blocking'
      ? size(value, {})
      : "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
};

/** What tells one container's lines from another's. */
const SELECTION: Readonly<Record<string, Check>> = {
  env: any,
  'env-regex': expression,
  labels: any,
  'labels-regex': expression,
  tag: any,
};

/** Of the copy that is kept. */
const CACHE: Readonly<Record<string, Check>> = {
  'cache-compress': flag,
  'cache-disabled': flag,
  'cache-max-file': positive,
  'cache-max-size': size,
};

const FILE: Readonly<Record<string, Check>> = {
  ...SELECTION,
  compress: flag,
  'max-file': positive,
  'max-size': (value) => (value === '-1' ? undefined : size(value, {})),
};

const gelfTcpOnly =
  (check: Check): Check =>
  (value, options) =>
    options['gelf-address']?.startsWith('tcp:') ? check(value, {}) : 'is only for tcp addresses';

const gelfUdpOnly =
  (check: Check): Check =>
  (value, options) =>
    options['gelf-address']?.startsWith('tcp:')
      ? 'compression is only supported on UDP'
      : check(value, {});

const SYSLOG_FACILITIES = 'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp'.split(
  ' ',
);

/** Number of a facility by name or number; undefined when there is none. */
export function syslogFacility(value: string): number | undefined {
  const local = /^local([0-7])$/.exec(value);
  if (local) return 16 + Number(local[1]);
  if (/^\d+$/.test(value)) return Number(value) <= 23 ? Number(value) : undefined;
  const at = SYSLOG_FACILITIES.indexOf(value);
  return at < 0 ? undefined : at;
}

const OPTIONS: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  'json-file': FILE,
  local: FILE,
  none: {},
  syslog: {
    ...SELECTION,
    ...CACHE,
    'syslog-address': addressCheck('syslog', {
      schemes: ['udp', 'tcp', 'tcp+tls', 'unix', 'unixgram'],
      port: 514,
    }),
    'syslog-facility': (value) =>
      syslogFacility(value) === undefined ? 'invalid syslog facility' : undefined,
    'syslog-format': oneOf('Invalid syslog format', '', 'rfc3164', 'rfc5424', 'rfc5424micro'),
    'syslog-tls-ca-cert': any,
    'syslog-tls-cert': any,
    'syslog-tls-key': any,
    'syslog-tls-skip-verify': any,
  },
  gelf: {
    ...SELECTION,
    ...CACHE,
    'gelf-address': addressCheck('gelf', { schemes: ['udp', 'tcp'], port: 0 }),
    'gelf-compression-level': gelfUdpOnly((value) =>
      /^(-1|\d)$/.test(value) ? undefined : `invalid level ${value}: from -1 to 9`,
    ),
    'gelf-compression-type': gelfUdpOnly(
      oneOf('compression type must be "gzip", "zlib" or "none"', 'gzip', 'zlib', 'none'),
    ),
    'gelf-tcp-max-reconnect': gelfTcpOnly(count),
    'gelf-tcp-reconnect-delay': gelfTcpOnly(count),
  },
  fluentd: {
    ...SELECTION,
    ...CACHE,
    'fluentd-address': addressCheck('fluentd', { schemes: ['tcp', 'tls', 'unix'], port: 24224 }),
    'fluentd-async': flag,
    'fluentd-async-connect': flag,
    'fluentd-async-reconnect-interval': duration,
    'fluentd-buffer-limit': size,
    'fluentd-max-retries': count,
    'fluentd-request-ack': flag,
    'fluentd-retry-wait': duration,
    'fluentd-sub-second-precision': flag,
    'fluentd-write-timeout': duration,
  },
  journald: { ...SELECTION, ...CACHE },
};

/** Names of a driver's options, sorted. */
function optionsOf(driver: string): readonly string[] {
  if (driver === 'none') return [];
  return [...Object.keys(OPTIONS[driver] ?? {}), ...Object.keys(COMMON)].sort();
}

/** Everything that is wrong with a driver and its options; nothing when all is right. */
export function logFaults(driver: string, options: LogOptions): readonly LogFault[] {
  const known = Object.hasOwn(OPTIONS, driver) ? OPTIONS[driver] : undefined;
  if (!known) return [driverFault(driver)];
  const faults: LogFault[] = [];
  for (const [option, value] of Object.entries(options)) {
    const check = known[option] ?? (driver === 'none' ? undefined : COMMON[option]);
    if (!check) {
      const message = `unknown log opt '${option}' for ${driver} log driver`;
      const names = optionsOf(driver);
      const hint = names.length === 0 ? 'Remove it.' : `There are ${names.join(', ')}.`;
      faults.push({ option, message, hint });
      continue;
    }
    const wrong = check(value, options);
    if (wrong === undefined) continue;
    const message = wrong.startsWith('logger: ') ? wrong : `log opt ${option}: ${wrong}`;
    faults.push({ option, message, hint: '' });
  }
  if (driver === 'gelf' && options['gelf-address'] === undefined) {
    const message = 'gelf: gelf-address is a required parameter';
    faults.push({ option: '', message, hint: 'Give it as udp://HOST:PORT or tcp://HOST:PORT.' });
  }
  return faults;
}

function driverFault(driver: string): LogFault {
  const message = `logger: no log driver named '${driver}' is registered`;
  const there = [...KEEPING, ...SENDING_DRIVERS].sort().join(', ');
  const hint = VENDORS.has(driver)
    ? `It speaks one vendor's own protocol. Send with fluentd, gelf or syslog to that vendor's collector; there are ${there}.`
    : `There are ${there}.`;
  return { option: '', message, hint };
}

// ---- values -------------------------------------------------------------------------------------

/** Where a driver sends to. */
export interface LogAddress {
  /** tcp, tcp+tls, tls, udp, unix, unixgram */
  readonly scheme: string;
  /** '' for sockets of the file system. */
  readonly host: string;
  readonly port: number;
  /** Absolute, of a socket of the file system. */
  readonly path: string;
}

/** @param defaultPort 0 = one must be given. @returns undefined when the text is no address */
export function logAddress(text: string, defaultPort: number): LogAddress | undefined {
  const socket = /^(unix|unixgram):\/\/(\/.+)$/.exec(text);
  if (socket) return { scheme: socket[1] ?? '', host: '', port: 0, path: socket[2] ?? '' };
  const [, scheme = '', bracketed, plain = '', digits = ''] =
    /^([a-z+]+):\/\/(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]*))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === '' ? defaultPort : Number(digits);
  if (host === '' || port < 1 || port > 65_535) return undefined;
  return { scheme, host, port, path: '' };
}

function addressCheck(
  driver: string,
  form: { readonly schemes: readonly string[]; readonly port: number },
): Check {
  return (value) => {
    // Fluentd's address may have no scheme, syslog's may be none: this host's own.
    if (value === '' && driver !== 'gelf') return undefined;
    const whole = driver === 'fluentd' && !value.includes('://') ? `tcp://${value}` : value;
    const address = logAddress(whole, form.port);
    if (!address) return `should be in form proto://address, got ${value}`;
    if (form.schemes.includes(address.scheme)) return undefined;
    return `unsupported scheme: '${address.scheme}', there are ${form.schemes.join(', ')}`;
  };
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/** Bytes of `20m`; undefined when it is no size, or none at all. */
export function sizeOf(text: string): number | undefined {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * (UNITS[unit.toLowerCase()] ?? 1));
  return number === '' || bytes < 1 ? undefined : bytes;
}

const DURATION_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of `1m30s`; undefined when it is no duration. */
export function durationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|[smh])/g)) {
    sum += Number(number) * (DURATION_MS[unit] ?? 0);
  }
  return sum;
}

/** Of an option that is true or false. */
export function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(1|t|true)$/i.test(value);
}
