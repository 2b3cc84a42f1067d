// Messages in syslog's forms, as Docker's driver writes them: RFC 3164, RFC 5424 (with microseconds too), and the short form of local sockets, each with a newline behind it;
// over TLS RFC 5424's come with their length before them (RFC 5425). Deviation: the time is the line's, not that of sending.
import { Buffer } from 'node:buffer';
import type { LogAddress, LogOptions } from '#protocol/log-drivers';
import { logAddress, syslogFacility } from '#protocol/log-drivers';
import type { LogMessage, LogOrigin } from './message.ts';
import { severityOf } from './message.ts';

const DAEMON = 3;
const PORT = 514;
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** Where to; undefined: this host's own syslog. */
export function syslogAddress(options: LogOptions): LogAddress | undefined {
  return logAddress(options['syslog-address'] ?? '', PORT);
}

type Form = (priority: number, message: LogMessage, origin: LogOrigin) => string;

/** What is before the line, by format. */
const FORMS: Readonly<Record<string, Form>> = {
  '': (priority, { time }, { tag, pid }) => `<${priority}>${stamp(time)} ${tag}[${pid}]: `,
  rfc3164: (priority, { time }, { tag, pid, subject }) =>
    `<${priority}>${stamp(time)} ${subject.hostname} ${tag}[${pid}]: `,
  rfc5424: (priority, { time }, origin) => structured(priority, secondsOf(time), origin),
  rfc5424micro: (priority, { time }, origin) => structured(priority, microsText(time), origin),
};

function structured(priority: number, time: string, { tag, pid, subject }: LogOrigin): string {
  return `<${priority}>1 ${time} ${subject.hostname} ${tag} ${pid} ${tag} - `;
}

/** The encoder for one container. */
export function syslogEncoder(
  options: LogOptions,
  origin: LogOrigin,
): (message: LogMessage) => readonly Uint8Array[] {
  const facility = syslogFacility(options['syslog-facility'] ?? '') ?? DAEMON;
  const format = options['syslog-format'] ?? '';
  const form = FORMS[format] ?? FORMS[''];
  const isCounted = format.startsWith('rfc5424') && syslogAddress(options)?.scheme === 'tcp+tls';
  return (message) => {
    const priority = facility * 8 + severityOf(message.stream);
    const head = form?.(priority, message, origin) ?? '';
    const bytes = Buffer.concat([Buffer.from(head), message.line, Buffer.from('\n')]);
    return [isCounted ? Buffer.concat([Buffer.from(`${bytes.length} `), bytes]) : bytes];
  };
}

/** `Jan  2 15:04:05`, in the node's time zone, as local syslog has it. */
function stamp(time: string): string {
  const at = new Date(time);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  return `${MONTHS[at.getMonth()]} ${String(at.getDate()).padStart(2)} ${clock}`;
}

function secondsOf(time: string): string {
  return time.replace(/\.\d+(?=Z$)/, '');
}

function microsText(time: string): string {
  return time.replace(/(?:\.(\d+))?Z$/, (_, digits: string | undefined) => {
    return `.${(digits ?? '').padEnd(6, '0').slice(0, 6)}Z`;
  });
}
