// A DNS client and a scripted upstream for tests: builds and reads messages byte by byte, so that
// malformed ones can be sent as easily as good ones.

import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer, type Server } from 'node:net';

export const TYPE = {
  A: 1,
  PTR: 12,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  AXFR: 252,
  ANY: 255,
} as const;

/** One question; flags default to RD. */
export interface Query {
  readonly name: string;
  readonly type?: number;
  readonly klass?: number;
  readonly id?: number;
  readonly flags?: number;
  /** UDP size offered by EDNS; none without it. */
  readonly edns?: number;
  readonly ednsVersion?: number;
}

export interface RecordData {
  readonly name: string;
  readonly type: number;
  readonly ttl: number;
  readonly data: Buffer;
}

export interface Message {
  readonly id: number;
  readonly rcode: number;
  readonly aa: boolean;
  readonly tc: boolean;
  readonly ra: boolean;
  readonly question: string;
  readonly answers: readonly RecordData[];
  readonly additional: readonly RecordData[];
  readonly edns: RecordData | null;
  readonly bytes: Buffer;
}

/** A name on the wire, as written. */
export function wireName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  const parts = labels.map((label) =>
    Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]),
  );
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function u16(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) out.writeUInt16BE(value, i * 2);
  return out;
}

/** The bytes of a question. */
export function encodeQuery(query: Query): Buffer {
  const opt =
    query.edns === undefined
      ? Buffer.alloc(0)
      : Buffer.concat([
          Buffer.from([0]),
          u16(TYPE.OPT, query.edns),
          Buffer.from([0, query.ednsVersion ?? 0, 0, 0, 0, 0]),
        ]);
  return Buffer.concat([
    u16(query.id ?? 4711, query.flags ?? 0x0100, 1, 0, 0, opt.length > 0 ? 1 : 0),
    wireName(query.name),
    u16(query.type ?? TYPE.A, query.klass ?? 1),
    opt,
  ]);
}

/** A record for answers of the scripted upstream; its name is the question's. */
export function record(type: number, data: Buffer, ttl = 60): Buffer {
  return Buffer.concat([u16(0xc00c, type, 1, 0, ttl, data.length), data]);
}

/** The answer of an upstream to `query` (its bytes). */
export function encodeAnswer(
  query: Buffer,
  options: { rcode?: number; records?: readonly Buffer[]; tc?: boolean } = {},
): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const flags = 0x8180 | (options.rcode ?? 0) | (options.tc ? 0x200 : 0);
  return Buffer.concat([
    query.subarray(0, 2),
    u16(flags, 1, options.records?.length ?? 0, 0, 0),
    query.subarray(12, end),
    ...(options.records ?? []),
  ]);
}

function readName(bytes: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  let end = -1;
  for (let steps = 0; steps < 128; steps++) {
    const length = bytes.readUInt8(at);
    if (length === 0) return { name: labels.join('.'), end: end < 0 ? at + 1 : end };
    if (length >= 0xc0) {
      if (end < 0) end = at + 2;
      at = bytes.readUInt16BE(at) & 0x3fff;
      continue;
    }
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  throw new Error('compression loop in an answer');
}

/** Reads an answer; throws when it is malformed or has bytes left over. */
export function decode(bytes: Buffer): Message {
  const flags = bytes.readUInt16BE(2);
  let at = 12;
  let question = '';
  if (bytes.readUInt16BE(4) === 1) {
    const name = readName(bytes, at);
    question = name.name;
    at = name.end + 4;
  }
  const take = (count: number): RecordData[] =>
    Array.from({ length: count }, () => {
      const { name, end } = readName(bytes, at);
      const length = bytes.readUInt16BE(end + 8);
      at = end + 10 + length;
      return {
        name,
        type: bytes.readUInt16BE(end),
        ttl: bytes.readUInt32BE(end + 4),
        data: bytes.subarray(end + 10, at),
      };
    });
  const answers = take(bytes.readUInt16BE(6));
  take(bytes.readUInt16BE(8));
  const additional = take(bytes.readUInt16BE(10));
  if (at !== bytes.length) throw new Error(`answer has ${bytes.length - at} bytes too many`);
  const edns = additional.find((item) => item.type === TYPE.OPT) ?? null;
  return {
    id: bytes.readUInt16BE(0),
    rcode: (flags & 15) | (edns ? (edns.ttl >>> 24) << 4 : 0),
    aa: (flags & 0x400) !== 0,
    tc: (flags & 0x200) !== 0,
    ra: (flags & 0x80) !== 0,
    question,
    answers,
    additional: additional.filter((item) => item.type !== TYPE.OPT),
    edns,
    bytes,
  };
}

/** Dotted addresses of the A records. */
export function addresses(message: Message): string[] {
  return message.answers.filter(({ type }) => type === TYPE.A).map(({ data }) => data.join('.'));
}

/** Sends bytes over UDP from `source` and resolves with the answer, or null after `waitMs`. */
export function exchange(
  port: number,
  bytes: Buffer,
  options: { source?: string; server?: string; waitMs?: number } = {},
): Promise<Message | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Message | null>();
  const socket = createSocket('udp4');
  const timer = setTimeout(() => {
    socket.close();
    resolve(null);
  }, options.waitMs ?? 5000);
  socket.once('message', (data) => {
    clearTimeout(timer);
    socket.close();
    try {
      resolve(decode(data));
    } catch (error) {
      reject(error as Error);
    }
  });
  socket.bind(0, options.source ?? '127.0.0.1', () => {
    socket.send(bytes, port, options.server ?? '127.0.0.1');
  });
  return promise;
}

/** Sends framed messages over one TCP connection and resolves with the answers that came. */
export function exchangeTcp(
  port: number,
  messages: readonly Buffer[],
  options: { count?: number; half?: boolean; waitMs?: number } = {},
): Promise<Message[]> {
  const { promise, resolve } = Promise.withResolvers<Message[]>();
  const answers: Message[] = [];
  let rest: Buffer = Buffer.alloc(0);
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const finish = (): void => {
    clearTimeout(timer);
    socket.destroy();
    resolve(answers);
  };
  const timer = setTimeout(finish, options.waitMs ?? 5000);
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      answers.push(decode(Buffer.from(rest.subarray(2, 2 + rest.readUInt16BE(0)))));
      rest = rest.subarray(2 + rest.readUInt16BE(0));
    }
    if (answers.length >= (options.count ?? messages.length)) finish();
  });
  socket.on('error', finish);
  socket.on('end', finish);
  for (const message of messages) socket.write(Buffer.concat([u16(message.length), message]));
  if (options.half) socket.end();
  return promise;
}

/** What an upstream answers to a question: any number of datagrams or messages. */
export type Script = (query: Buffer, transport: 'udp' | 'tcp') => readonly Buffer[];

/** A scripted upstream on UDP and TCP of one address. */
export class Upstream {
  readonly seen: { query: Buffer; sourcePort: number; transport: 'udp' | 'tcp' }[] = [];
  script: Script = () => [];
  readonly #udp: Socket = createSocket('udp4');
  readonly #tcp: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const query = data.subarray(2);
      this.seen.push({ query, sourcePort: socket.remotePort ?? 0, transport: 'tcp' });
      for (const answer of this.script(query, 'tcp'))
        socket.write(Buffer.concat([u16(answer.length), answer]));
    });
  });

  async start(host: string, port: number): Promise<void> {
    this.#udp.on('message', (query, from) => {
      this.seen.push({ query, sourcePort: from.port, transport: 'udp' });
      for (const answer of this.script(query, 'udp'))
        this.#udp.send(answer, from.port, from.address);
    });
    await new Promise<void>((resolve) => this.#udp.bind(port, host, () => resolve()));
    await new Promise<void>((resolve) => this.#tcp.listen(port, host, () => resolve()));
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#udp.close(() => resolve()));
    await new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
  }
}
