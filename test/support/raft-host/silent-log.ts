// A log for tests: keeps quiet unless something is wrong.
import type { Log } from '#protocol/world';

export const SILENT_LOG: Log = {
  error: (message, fields) => process.stderr.write(`${message} ${JSON.stringify(fields ?? {})}\n`),
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => SILENT_LOG,
};
