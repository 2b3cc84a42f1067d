// A program in a network namespace that does what tests ask: serves, calls, keeps connections, resolves names. One JSON request a line on stdin, one
// answer a line on stdout. Errors are answers too ({"error":"ECONNREFUSED"}), because tests are about them.
import { execFile, spawn } from 'node:child_process';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { decode, encodeAnswer, encodeQuery, record, TYPE } from '../../native/dns-client.ts';

export interface AgentRequest {
  readonly op: string;
  readonly [member: string]: unknown;
}

/** For what is dropped; what answers takes a few ms. */
const TIMEOUT_MS = 700;

const tcpKept = new Map<string, Socket>();
const udpKept = new Map<string, UdpSocket>();
const asked: string[] = [];
const heard: string[] = [];

/** Greets with its name and the caller's address, then says everything back. */
function listenTcp(port: number, name: string, address: string): Promise<object> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(
      `${JSON.stringify({ name, from: socket.remoteAddress?.replace('::ffff:', '') })}\n`,
    );
    socket.pipe(socket);
  });
  return new Promise((resolve) => {
    server.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code }));
    server.listen({ port, host: address }, () => resolve({}));
  });
}

function listenUdp(port: number, name: string, address: string): Promise<object> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (_text, from) => {
    heard.push(from.address);
    const caller = from.address.replace('::ffff:', '');
    socket.send(JSON.stringify({ name, from: caller }), from.port, from.address);
  });
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code }));
    socket.bind(port, address, () => resolve({}));
  });
}

const SCTP = join(import.meta.dirname, 'sctp.pl');

/** Ends with this program, by its standard input. */
function listenSctp(port: number, name: string): Promise<object> {
  const child = spawn('perl', [SCTP, 'serve', String(port), name], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return new Promise((resolve) => {
    child.stdout.once('data', () => resolve({}));
    child.once('exit', (code) => resolve({ error: `ended with ${code}` }));
  });
}

function callSctp(host: string, port: number): Promise<object> {
  return new Promise((resolve) => {
    execFile('perl', [SCTP, 'call', host, String(port)], (error, stdout) =>
      resolve(error ? { error: error.message } : parse(stdout)),
    );
  });
}

function nextLine(socket: Socket): Promise<object> {
  return new Promise((resolve) => {
    let text = '';
    const timer = setTimeout(() => done({ error: 'TIMEOUT' }), TIMEOUT_MS);
    const onData = (data: Buffer): void => {
      text += data.toString();
      if (text.endsWith('\n')) done(parse(text));
    };
    const onError = (error: NodeJS.ErrnoException): void => done({ error: error.code });
    const onEnd = (): void => done({ error: 'END' });
    const done = (value: object): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('error', onError).off('end', onEnd);
      socket.on('error', () => {});
      resolve(value);
    };
    socket.on('data', onData).on('error', onError).on('end', onEnd);
  });
}

function parse(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return { text: text.trim() };
  }
}

async function callTcp(request: AgentRequest): Promise<object> {
  const { host, port, from, keep } = request as unknown as Record<string, string>;
  const socket = connect({
    host: String(host),
    port: Number(port),
    ...(from === undefined ? {} : { localAddress: from }),
  });
  const answer = await nextLine(socket);
  if (keep === undefined) socket.destroy();
  else tcpKept.set(keep, socket);
  return answer;
}

async function talk(key: string, text: string): Promise<object> {
  const socket = tcpKept.get(key);
  if (!socket || socket.destroyed) return { error: 'CLOSED' };
  const answer = nextLine(socket);
  socket.write(`${text}\n`);
  return answer;
}

function callUdp(request: AgentRequest): Promise<object> {
  const { host = '', port, from, keep } = request as unknown as Record<string, string>;
  const kept = keep === undefined ? undefined : udpKept.get(keep);
  const socket = kept ?? createSocket(host.includes(':') ? 'udp6' : 'udp4');
  if (keep !== undefined) udpKept.set(keep, socket);
  return new Promise((resolve) => {
    const done = (value: object): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => {});
      if (keep === undefined) socket.close();
      resolve(value);
    };
    const timer = setTimeout(() => done({ error: 'TIMEOUT' }), TIMEOUT_MS);
    socket.on('message', (data) => done(parse(data.toString())));
    socket.on('error', (error: NodeJS.ErrnoException) => done({ error: error.code }));
    const send = (): void => socket.send('?', Number(port), host);
    if (from !== undefined && !kept) socket.bind(0, from, send);
    else send();
  });
}

async function resolveName(request: AgentRequest): Promise<object> {
  const {
    name = '',
    type = 'A',
    server = '127.0.0.11',
  } = request as unknown as Record<string, string>;
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  resolver.setServers([server]);
  try {
    if (type === 'PTR') return { answers: await resolver.reverse(name) };
    return { answers: (await resolver.resolve(name, type)) as string[] };
  } catch (error) {
    return { error: (error as NodeJS.ErrnoException).code };
  }
}

/** Asks the resolver without waiting for answers; how much was asked and answered. */
async function flood(request: AgentRequest): Promise<object> {
  const { names, perSecond, ms } = request as unknown as {
    readonly names: readonly string[];
    readonly perSecond: number;
    readonly ms: number;
  };
  const socket = createSocket('udp4');
  const counts = { sent: 0, answered: 0 };
  socket.on('message', () => counts.answered++);
  socket.on('error', () => {});
  const startedMs = performance.now();
  for (let at = 0; at < ms; at = performance.now() - startedMs) {
    for (const due = (at * perSecond) / 1000; counts.sent < due; counts.sent++) {
      const name = names[counts.sent % names.length] ?? '';
      socket.send(encodeQuery({ name, id: counts.sent & 0xffff }), 53, '127.0.0.11');
    }
    await sleep(1);
  }
  await sleep(TIMEOUT_MS);
  socket.close();
  return counts;
}

/** Asks for a name, `parallel` questions at a time, each again as soon as it is answered; what is not answered in time counts as lost. */
async function askMany(request: AgentRequest): Promise<object> {
  const { name, parallel, ms } = request as unknown as {
    readonly name: string;
    readonly parallel: number;
    readonly ms: number;
  };
  const socket = createSocket('udp4');
  const sentAt = new Map<number, number>();
  const times: number[] = [];
  let nextId = 0;
  const ask = (): void => {
    nextId = (nextId + 1) & 0xffff;
    sentAt.set(nextId, performance.now());
    socket.send(encodeQuery({ name, id: nextId }), 53, '127.0.0.11');
  };
  const startedMs = performance.now();
  socket.on('message', (answer) => {
    const id = answer.readUInt16BE(0);
    const sent = sentAt.get(id);
    if (sent === undefined) return;
    sentAt.delete(id);
    times.push(performance.now() - sent);
    if (performance.now() - startedMs < ms) ask();
  });
  for (let i = 0; i < parallel; i++) ask();
  await sleep(ms + TIMEOUT_MS);
  socket.close();
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor(times.length * part)] ?? 0;
  const perSecond = Math.round((times.length * 1000) / ms);
  return { perSecond, p50Ms: at(0.5), p99Ms: at(0.99), lost: sentAt.size };
}

/** An upstream that knows every name: all have the one address. */
function serveNames(address: string, answer: string): Promise<object> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { question } = decode(query);
    asked.push(question);
    const data = Buffer.from(answer.split('.').map(Number));
    socket.send(encodeAnswer(query, { records: [record(TYPE.A, data)] }), from.port, from.address);
  });
  return new Promise((resolve) => socket.bind(53, address, () => resolve({})));
}

async function handle(request: AgentRequest): Promise<object> {
  const { port, name, address, key, text } = request as unknown as Record<string, string>;
  switch (request.op) {
    case 'listenTcp':
      return listenTcp(Number(port), String(name), address ?? '0.0.0.0');
    case 'listenUdp':
      return listenUdp(Number(port), String(name), address ?? '0.0.0.0');
    case 'listenSctp':
      return listenSctp(Number(port), String(name));
    case 'sctp':
      return callSctp(String(request.host), Number(port));
    case 'tcp':
      return callTcp(request);
    case 'talk':
      return talk(String(key), String(text));
    case 'udp':
      return callUdp(request);
    case 'resolve':
      return resolveName(request);
    case 'flood':
      return flood(request);
    case 'askMany':
      return askMany(request);
    case 'serveNames':
      return serveNames(String(address), String(request.answer));
    case 'heard':
      return { senders: heard.splice(0) };
    case 'asked':
      return { names: asked.splice(0) };
    default:
      return { error: `unknown op ${request.op}` };
  }
}

if (process.argv[1] === import.meta.filename) {
  for await (const line of createInterface(process.stdin)) {
    const request = JSON.parse(line) as AgentRequest & { readonly id: number };
    void handle(request).then((answer) => {
      process.stdout.write(`${JSON.stringify({ id: request.id, ...answer })}\n`);
    });
  }
  process.exit(0);
}
