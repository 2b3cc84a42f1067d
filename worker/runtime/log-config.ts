// `HostConfig.LogConfig` → what the shim needs. Drivers: json-file (also under the name `local`) and none; others are refused by name.
import { TswarmError } from '#protocol/errors';
import { compiled, unknownTagWord } from '../logs/log-attributes.ts';

export interface LogSettings {
  readonly enabled: boolean;
  /** 0 = unlimited. */
  readonly bytesMax: number;
  readonly filesMax: number;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const KNOWN: ReadonlySet<string> = new Set([
  'max-size',
  'max-file',
  'compress',
  'labels',
  'labels-regex',
  'env',
  'env-regex',
  'tag',
  'mode',
  'max-buffer-size',
]);

/** @throws invalid_argument, not_supported */
export function logSettings(config: {
  readonly Type: string;
  readonly Config: Readonly<Record<string, string>>;
}): LogSettings {
  if (config.Type === 'none') return { enabled: false, bytesMax: 0, filesMax: 1 };
  if (config.Type !== '' && config.Type !== 'json-file' && config.Type !== 'local') {
    throw new TswarmError(
      'not_supported',
      `logger: no log driver named '${config.Type}' is registered`,
      { field: 'HostConfig.LogConfig.Type', hint: 'Use json-file, local or none.' },
    );
  }
  for (const key of Object.keys(config.Config)) {
    if (!KNOWN.has(key)) {
      throw new TswarmError(
        'invalid_argument',
        `unknown log opt '${key}' for ${config.Type === '' ? 'json-file' : config.Type} log driver`,
        { field: 'HostConfig.LogConfig.Config' },
      );
    }
  }
  for (const key of ['labels-regex', 'env-regex']) {
    const pattern = config.Config[key];
    if (pattern === undefined || compiled(pattern) !== undefined) continue;
    throw new TswarmError('invalid_argument', `log opt ${key}: "${pattern}" is no expression`, {
      field: `HostConfig.LogConfig.Config.${key}`,
    });
  }
  const unknown = unknownTagWord(config.Config.tag ?? '');
  if (unknown !== undefined) {
    throw new TswarmError('invalid_argument', `log opt tag: template ${unknown} is not known`, {
      field: 'HostConfig.LogConfig.Config.tag',
      hint: 'Known: .ID .FullID .Name .ImageID .ImageFullID .ImageName .DaemonName',
    });
  }
  const size = config.Config['max-size'];
  const files = config.Config['max-file'];
  const filesMax = files === undefined ? 1 : Number(files);
  if (!Number.isInteger(filesMax) || filesMax < 1) {
    throw new TswarmError(
      'invalid_argument',
      `max-file must be a positive number, not "${files}"`,
      {
        field: 'HostConfig.LogConfig.Config.max-file',
      },
    );
  }
  return {
    enabled: true,
    bytesMax: size === undefined || size === '-1' ? 0 : parseSize(size),
    filesMax,
  };
}

function parseSize(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([kmg]?)b?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * (UNITS[unit.toLowerCase()] ?? 1));
  if (number === '' || bytes < 1) {
    throw new TswarmError('invalid_argument', `invalid size: '${text}'`, {
      field: 'HostConfig.LogConfig.Config.max-size',
    });
  }
  return bytes;
}
