// Waits for the open connections of a container that has left service: those to ports that it listens on, from elsewhere than itself. Read from its own
// network namespace (/proc/PID/net/tcp, tcp6), so that it holds for every way in: virtual address, published port, address of the task. Only TCP: a
// datagram has no end. Connections on which nothing moves (pools of idle ones, as to a database) are not waited for long: they would not end by
// themselves. Refuses containers on the host's network, where the ports could be anybody's.
import { readFile } from 'node:fs/promises';
import { DRAIN_IDLE_MS, DRAIN_POLL_MS, DRAIN_QUIET_READINGS } from './limits.ts';

const LISTEN = '0A';
/**
 * Established, closed by one side only, or with data still on the way out; and half open: a client whose last packet of the three is still on its way (a
 * busy tunnel, a far host) would be reset by the end of the listener. One that never sends it stops moving, and is then not waited for.
 */
const OPEN: ReadonlySet<string> = new Set(['01', '03', '04', '08', '09']);
const LOOPBACK = /^(?:[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/;

export interface DrainOptions {
  /** A process in the container. */
  readonly pid: number;
  /** Longest wait. */
  readonly timeoutMs: number;
  /** Ends the wait at once, as when the process is gone. */
  readonly signal: AbortSignal;
}

/** Resolves when no connection is open any more, or none moves: with the number of those that are left, as also after the time is over. */
export async function connectionsEnded(options: DrainOptions): Promise<number> {
  const { pid, timeoutMs, signal } = options;
  const until = performance.now() + timeoutMs;
  let quiet = 0;
  let packets = await packetsOf(pid);
  let movedAt = performance.now();
  for (;;) {
    const open = await openConnections(pid);
    // Once is not enough: the last connection may be just on its way through the kernel.
    quiet = open === 0 ? quiet + 1 : 0;
    if (quiet >= DRAIN_QUIET_READINGS || signal.aborted) return 0;
    const now = performance.now();
    const count = await packetsOf(pid);
    if (count !== packets) movedAt = now;
    packets = count;
    if (now >= until || now - movedAt >= DRAIN_IDLE_MS) return open;
    await new Promise((resolve) => setTimeout(resolve, Math.min(DRAIN_POLL_MS, until - now)));
  }
}

async function packetsOf(pid: number): Promise<number> {
  return countPackets(await readTable(pid, 'dev'));
}

/** Packets in and out of all interfaces but the loopback, of the kernel's table of interfaces. */
export function countPackets(table: string): number {
  let packets = 0;
  for (const [, name, numbers = ''] of table.matchAll(/^\s*(\S+):\s*([\d\s]+)$/gm)) {
    if (name === 'lo') continue;
    const fields = numbers.trim().split(/\s+/).map(Number);
    packets += (fields[1] ?? 0) + (fields[9] ?? 0);
  }
  return packets;
}

async function openConnections(pid: number): Promise<number> {
  return countOpen(await tcpTables(pid));
}

/** The kernel's tables of TCP sockets as a process sees them; '' when the process is gone. */
export async function tcpTables(pid: number): Promise<string> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((table) => readTable(pid, table)));
  return tables.join('');
}

/** '' when the process is gone or the kernel has no such table. */
async function readTable(pid: number, table: string): Promise<string> {
  return readFile(`/proc/${pid}/net/${table}`, 'latin1').catch(() => '');
}

/** Number of open connections to listening ports in the kernel's tables of TCP sockets. */
export function countOpen(tables: string): number {
  const rows = socketRows(tables);
  const listening = new Set(rows.filter(({ state }) => state === LISTEN).map(({ port }) => port));
  return rows.filter(
    ({ port, remote, state }) => OPEN.has(state) && listening.has(port) && !LOOPBACK.test(remote),
  ).length;
}

/** Ports on which somebody else than the container itself can connect. */
export function listeningPorts(tables: string): ReadonlySet<number> {
  const rows = socketRows(tables).filter(
    ({ state, local }) => state === LISTEN && !LOOPBACK.test(local),
  );
  return new Set(rows.map(({ port }) => Number.parseInt(port, 16)));
}

interface SocketRow {
  /** Addresses and port in the kernel's hexadecimal form. */
  readonly local: string;
  readonly port: string;
  readonly remote: string;
  readonly state: string;
}

function socketRows(tables: string): readonly SocketRow[] {
  const rows = tables.matchAll(
    /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):[0-9A-F]{4} ([0-9A-F]{2}) /gm,
  );
  return [...rows].map(([, local = '', port = '', remote = '', state = '']) => ({
    local,
    port,
    remote,
    state,
  }));
}
