// GET /containers/{id}/top: the container's processes as the host sees them, read from /proc; no `ps` is started. Columns: Docker's default (`ps -ef`), or
// those of `-o a,b,c` / `o a,b,c`; `aux` gives the BSD list. A format that is not known here is refused.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineJson } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { Container } from '../runtime/container.ts';
import { notRunning } from '../runtime/container-errors.ts';
import type { RuntimeDeps } from '../runtime/deps.ts';
import { cgroupPathOf } from '../runtime/start.ts';

const USER_HZ = 100;
const PAGE_BYTES = 4096;

interface Process {
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly command: string;
  readonly name: string;
  readonly state: string;
  readonly startedMs: number;
  readonly cpuSeconds: number;
  readonly cpuPercent: number;
  readonly tty: string;
  readonly virtualKib: number;
  readonly residentKib: number;
  readonly memoryPercent: number;
  readonly nice: number;
  readonly threads: number;
  readonly processGroup: number;
}

interface Column {
  readonly title: string;
  readonly show: (process: Process, context: Context) => string;
}

interface Context {
  readonly users: ReadonlyMap<number, string>;
  readonly nowMs: number;
}

const COLUMNS: Readonly<Record<string, Column>> = {
  user: { title: 'USER', show: (item, context) => userName(item.uid, context) },
  uid: { title: 'UID', show: (item) => String(item.uid) },
  pid: { title: 'PID', show: (item) => String(item.pid) },
  ppid: { title: 'PPID', show: (item) => String(item.ppid) },
  pgid: { title: 'PGID', show: (item) => String(item.processGroup) },
  c: { title: 'C', show: (item) => String(Math.floor(item.cpuPercent)) },
  stime: { title: 'STIME', show: (item, context) => startTime(item.startedMs, context) },
  tty: { title: 'TTY', show: (item) => item.tty },
  tname: { title: 'TTY', show: (item) => item.tty },
  time: { title: 'TIME', show: (item) => clock(item.cpuSeconds) },
  cmd: { title: 'CMD', show: (item) => item.command },
  args: { title: 'COMMAND', show: (item) => item.command },
  command: { title: 'COMMAND', show: (item) => item.command },
  comm: { title: 'COMMAND', show: (item) => item.name },
  stat: { title: 'STAT', show: (item) => item.state },
  s: { title: 'S', show: (item) => item.state },
  pcpu: { title: '%CPU', show: (item) => item.cpuPercent.toFixed(1) },
  pmem: { title: '%MEM', show: (item) => item.memoryPercent.toFixed(1) },
  vsz: { title: 'VSZ', show: (item) => String(item.virtualKib) },
  rss: { title: 'RSS', show: (item) => String(item.residentKib) },
  ni: { title: 'NI', show: (item) => String(item.nice) },
  nlwp: { title: 'NLWP', show: (item) => String(item.threads) },
  etime: {
    title: 'ELAPSED',
    show: (item, context) => clock((context.nowMs - item.startedMs) / 1000),
  },
  start: { title: 'START', show: (item, context) => startTime(item.startedMs, context) },
};
const ALIASES: Readonly<Record<string, string>> = {
  '%cpu': 'pcpu',
  '%mem': 'pmem',
  tt: 'tty',
  ucmd: 'comm',
  euser: 'user',
  state: 's',
};

/** `ps -ef`: its UID column shows names. */
const FULL: readonly Column[] = [
  { title: 'UID', show: (item, context) => userName(item.uid, context) },
  ...columns(['pid', 'ppid', 'c', 'stime', 'tty', 'time', 'cmd']),
];
const BSD: readonly Column[] = columns([
  'user',
  'pid',
  'pcpu',
  'pmem',
  'vsz',
  'rss',
  'tty',
  'stat',
  'start',
  'time',
  'command',
]);

function columns(names: readonly string[]): readonly Column[] {
  return names.map((name) => {
    const key = name.toLowerCase();
    const column = COLUMNS[ALIASES[key] ?? key];
    if (!column) {
      throw new TswarmError('invalid_argument', `top: unknown column "${name}"`, {
        field: 'ps_args',
        hint: `Known: ${Object.keys(COLUMNS).join(', ')}.`,
      });
    }
    return column;
  });
}

/** @throws conflict when it does not run; invalid_argument for an unknown format */
export async function topOf(
  container: Container,
  psArgs: string,
  deps: RuntimeDeps,
): Promise<EngineJson> {
  const { run } = container;
  if (!run) throw notRunning(container);
  const chosen = parseArgs(psArgs);
  const pids = await pidsOf(container, deps);
  const bootMs = await bootTimeMs();
  const processes = await Promise.all(pids.map((pid) => readProcess(pid, bootMs, deps)));
  const context: Context = { users: await hostUsers(), nowMs: deps.clock.nowMs() };
  return {
    Titles: chosen.map((column) => column.title),
    Processes: processes
      .filter((item) => item !== undefined)
      .map((item) => chosen.map((column) => column.show(item, context))),
  };
}

function parseArgs(text: string): readonly Column[] {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed === '-ef' || trimmed === '-e -f') return FULL;
  if (/^-?(aux|u)$/.test(trimmed)) return BSD;
  const format = /^(?:-e\w*\s+|-\w*\s*)?-?o\s*(.+)$/.exec(trimmed);
  if (format)
    return columns(
      (format[1] ?? '')
        .replace(/-o\s*/g, ',')
        .split(/[\s,]+/)
        .filter(Boolean),
    );
  throw new TswarmError('invalid_argument', `top: ps arguments "${text}" are not supported`, {
    field: 'ps_args',
    hint: 'Use -ef, aux, or -o with column names.',
  });
}

async function pidsOf(container: Container, deps: RuntimeDeps): Promise<readonly number[]> {
  const { host } = deps;
  const mount =
    host.cgroupVersion === 2
      ? '/sys/fs/cgroup'
      : (host.cgroupMounts.pids ?? host.cgroupMounts.memory ?? '');
  const path = join(mount, cgroupPathOf(container, deps), 'cgroup.procs');
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean).map(Number);
}

async function bootTimeMs(): Promise<number> {
  const stat = await readFile('/proc/stat', 'utf8');
  return Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0) * 1000;
}

async function readProcess(
  pid: number,
  bootMs: number,
  deps: RuntimeDeps,
): Promise<Process | undefined> {
  const [stat, status, commandLine] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''),
    readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''),
    readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
  ]);
  const close = stat.lastIndexOf(')');
  if (close < 0) return undefined;
  const name = stat.slice(stat.indexOf('(') + 1, close);
  // Field numbers of proc(5), counted from the third.
  const fields = stat.slice(close + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3] ?? 0);
  const startedMs = bootMs + (field(22) / USER_HZ) * 1000;
  const cpuSeconds = (field(14) + field(15)) / USER_HZ;
  const ageSeconds = Math.max(0.01, (deps.clock.nowMs() - startedMs) / 1000);
  const residentBytes = field(24) * PAGE_BYTES;
  const words = commandLine.split('\0').filter((word) => word !== '');
  return {
    pid,
    ppid: field(4),
    processGroup: field(5),
    uid: Number(/^Uid:\s*(\d+)/m.exec(status)?.[1] ?? 0),
    name,
    command: words.length > 0 ? words.join(' ') : `[${name}]`,
    state: fields[0] ?? '?',
    startedMs,
    cpuSeconds,
    cpuPercent: (cpuSeconds / ageSeconds) * 100,
    tty: ttyName(field(7)),
    virtualKib: Math.floor(field(23) / 1024),
    residentKib: Math.floor(residentBytes / 1024),
    memoryPercent: (residentBytes / deps.host.memoryBytes) * 100,
    nice: field(19),
    threads: field(20),
  };
}

const PTS_MAJOR = 136;

function ttyName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  return device !== 0 && major === PTS_MAJOR ? `pts/${minor}` : '?';
}

/** Names of the host, as the host's ps would print them. */
async function hostUsers(): Promise<ReadonlyMap<number, string>> {
  const out = new Map<number, string>();
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name && uid !== undefined && !out.has(Number(uid))) out.set(Number(uid), name);
  }
  return out;
}

function userName(uid: number, context: Context): string {
  return context.users.get(uid) ?? String(uid);
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const part = (value: number): string => String(value).padStart(2, '0');
  const days = Math.floor(whole / 86_400);
  const text = [Math.floor((whole % 86_400) / 3600), Math.floor((whole % 3600) / 60), whole % 60]
    .map(part)
    .join(':');
  return days > 0 ? `${days}-${text}` : text;
}

/** `HH:MM` today, else `MmmDD`. */
function startTime(startedMs: number, context: Context): string {
  const started = new Date(startedMs);
  const today = new Date(context.nowMs);
  if (started.toDateString() === today.toDateString()) return started.toTimeString().slice(0, 5);
  const [, month = '', day = ''] = started.toDateString().split(' ');
  return `${month}${day}`;
}
