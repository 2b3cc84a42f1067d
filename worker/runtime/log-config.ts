// `HostConfig.LogConfig` → what the shim needs. The output is kept in a json-file whatever the driver, so that `logs` works (Docker's dual logging); what a
// sending driver sends is read from that file, so its rotation is by renaming: a file that is emptied in place could not be caught up with.
import { TswarmError } from '#protocol/errors';
import { isTrue, logFaults, SENDING_DRIVERS, sizeOf } from '#protocol/log-drivers';
import { LOG_CACHE_BYTES_DEFAULT, LOG_CACHE_FILES_DEFAULT } from '../limits.ts';
import { unknownTagWord } from '../logs/log-attributes.ts';

/** `HostConfig.LogConfig`. */
export interface LogConfig {
  readonly Type: string;
  readonly Config: Readonly<Record<string, string>>;
}

export interface LogSettings {
  readonly enabled: boolean;
  /** 0 = unlimited. */
  readonly bytesMax: number;
  readonly filesMax: number;
  /** The file is there to be read by people, and not only to be sent from. */
  readonly isReadable: boolean;
}

/** The driver; '' is the default one. */
export function logDriverOf({ Type }: LogConfig): string {
  return Type === '' ? 'json-file' : Type;
}

export function isSending(config: LogConfig): boolean {
  return SENDING_DRIVERS.some((driver) => driver === config.Type);
}

/** @throws invalid_argument, not_supported */
export function logSettings(config: LogConfig): LogSettings {
  refuseFaults(config);
  const { Type, Config } = config;
  if (Type === 'none') return { enabled: false, bytesMax: 0, filesMax: 1, isReadable: false };
  if (isSending(config)) {
    return {
      enabled: true,
      bytesMax: sizeOf(Config['cache-max-size'] ?? '') ?? LOG_CACHE_BYTES_DEFAULT,
      filesMax: Math.max(2, Number(Config['cache-max-file'] ?? LOG_CACHE_FILES_DEFAULT)),
      isReadable: !isTrue(Config['cache-disabled']),
    };
  }
  return {
    enabled: true,
    // '-1', as nothing, is no limit.
    bytesMax: sizeOf(Config['max-size'] ?? '') ?? 0,
    filesMax: Number(Config['max-file'] ?? 1),
    isReadable: true,
  };
}

function refuseFaults(config: LogConfig): void {
  const [fault] = logFaults(logDriverOf(config), config.Config);
  if (fault) {
    const isDriver = fault.message.startsWith('logger: no log driver');
    const field =
      fault.option === '' ? `LogConfig.${isDriver ? 'Type' : 'Config'}` : configField(fault.option);
    throw new TswarmError(isDriver ? 'not_supported' : 'invalid_argument', fault.message, {
      field: `HostConfig.${field}`,
      ...(fault.hint === '' ? {} : { hint: fault.hint }),
    });
  }
  const unknown = unknownTagWord(config.Config.tag ?? '');
  if (unknown === undefined) return;
  throw new TswarmError('invalid_argument', `log opt tag: template ${unknown} is not known`, {
    field: `HostConfig.${configField('tag')}`,
    hint: 'Known: .ID .FullID .Name .ImageID .ImageFullID .ImageName .DaemonName .Command .Hostname',
  });
}

const configField = (option: string): string => `LogConfig.Config.${option}`;
