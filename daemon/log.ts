// The daemon's log: one line per entry on stderr, `time level component message key=value …`, as journald and people read it. Fields never hold
// secrets. Refuses to buffer: a line is written before the call returns.
import { writeSync } from 'node:fs';
import type { Log, LogFields } from '#protocol/world';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const STDERR = 2;

/** A log that writes entries of `level` and above. */
export function createLog(level: LogLevel, component = 'tswarmd'): Log {
  const most = LOG_LEVELS.indexOf(level);
  const write = (at: LogLevel, message: string, fields: LogFields | undefined): void => {
    if (LOG_LEVELS.indexOf(at) > most) return;
    writeLine(`${new Date().toISOString()} ${at} ${component} ${message}${fieldsText(fields)}\n`);
  };
  return {
    error: (message, fields) => write('error', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    info: (message, fields) => write('info', message, fields),
    debug: (message, fields) => write('debug', message, fields),
    child: (name, fields) => withFields(createLog(level, `${component}.${name}`), fields),
  };
}

function withFields(log: Log, extra: LogFields | undefined): Log {
  if (!extra) return log;
  const add = (fields: LogFields | undefined): LogFields => ({ ...extra, ...fields });
  return {
    error: (message, fields) => log.error(message, add(fields)),
    warn: (message, fields) => log.warn(message, add(fields)),
    info: (message, fields) => log.info(message, add(fields)),
    debug: (message, fields) => log.debug(message, add(fields)),
    child: (name, fields) => log.child(name, add(fields)),
  };
}

function fieldsText(fields: LogFields | undefined): string {
  let text = '';
  for (const [key, value] of Object.entries(fields ?? {})) {
    if (value === undefined) continue;
    const shown = String(value);
    text += ` ${key}=${/^[\w./:@+-]+$/.test(shown) ? shown : JSON.stringify(shown)}`;
  }
  return text;
}

/** A closed or full stderr must not end the daemon: the line is lost. */
function writeLine(line: string): void {
  try {
    writeSync(STDERR, line);
  } catch {
    // Nowhere left to say so.
  }
}
