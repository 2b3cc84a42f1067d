// An etcd cluster on loopback without TLS, to measure against: started, asked for its leader, stopped.
// Needs etcd in PATH (Debian: etcd-server).
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';

const PUT = '/etcdserverpb.KV/Put';
const STATUS = '/etcdserverpb.Maintenance/Status';

/** Key (field 1) and value (field 2) of a PutRequest. */
export function putRequest(key: string, value: Uint8Array): Buffer {
  const keyBytes = Buffer.from(key);
  return Buffer.concat([field(1, keyBytes), field(2, value)]);
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest & 127) | 128);
  }
}

export class EtcdPeer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tswarm-etcd-'));
  readonly #children: ChildProcess[] = [];
  readonly #clients: grpc.Client[] = [];
  #leader = 0;

  async start(count: number): Promise<void> {
    const ports: number[] = [];
    for (let i = 0; i < 2 * count; i++) ports.push(await freePort());
    const peerUrl = (i: number): string => `http://127.0.0.1:${ports[count + i]}`;
    const clientUrl = (i: number): string => `http://127.0.0.1:${ports[i]}`;
    const names = Array.from({ length: count }, (_, i) => `e${i}`);
    const cluster = names.map((name, i) => `${name}=${peerUrl(i)}`).join(',');
    names.forEach((name, i) => {
      const flags = {
        name,
        'data-dir': join(this.#folder, name),
        'listen-client-urls': clientUrl(i),
        'advertise-client-urls': clientUrl(i),
        'listen-peer-urls': peerUrl(i),
        'initial-advertise-peer-urls': peerUrl(i),
        'initial-cluster': cluster,
        'log-level': 'error',
      };
      const args = Object.entries(flags).flatMap(([key, value]) => [`--${key}`, value]);
      this.#children.push(spawn('etcd', args, { stdio: 'ignore' }));
      const address = `127.0.0.1:${ports[i]}`;
      this.#clients.push(new grpc.Client(address, grpc.credentials.createInsecure()));
    });
    await this.#findLeader();
  }

  /** Writes go to the leader, as they do on the other side. */
  get client(): grpc.Client {
    return this.#clients[this.#leader] as grpc.Client;
  }

  put(key: string, value: Uint8Array): Promise<void> {
    return unary(this.client, PUT, putRequest(key, value)).then(() => undefined);
  }

  async #findLeader(): Promise<void> {
    for (let attempt = 0; attempt < 600; attempt++) {
      for (let i = 0; i < this.#clients.length; i++) {
        const status = await unary(this.#clients[i] as grpc.Client, STATUS, Buffer.alloc(0)).catch(
          () => null,
        );
        if (status === null || !leads(status)) continue;
        this.#leader = i;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('etcd has no leader');
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const child of this.#children) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Whether a StatusResponse is the leader's own: header.member_id (1.2) equals leader (4). */
function leads(status: Buffer): boolean {
  const header = bytesField(status, 1);
  const own = header === null ? null : varintField(header, 2);
  return own !== null && own !== 0n && varintField(status, 4) === own;
}

function* fieldsOf(bytes: Buffer): Generator<{ number: number; bytes: Buffer; value: bigint }> {
  for (let at = 0; at < bytes.length; ) {
    const [key, afterKey] = readVarint(bytes, at);
    const [value, afterValue] = readVarint(bytes, afterKey);
    const isBlock = (key & 7n) === 2n;
    const end = isBlock ? afterValue + Number(value) : afterValue;
    yield { number: Number(key >> 3n), bytes: bytes.subarray(afterValue, end), value };
    at = end;
  }
}

function readVarint(bytes: Buffer, from: number): [bigint, number] {
  let value = 0n;
  for (let at = from, shift = 0n; ; at++, shift += 7n) {
    const byte = bytes[at] ?? 0;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [value, at + 1];
  }
}

function bytesField(bytes: Buffer, number: number): Buffer | null {
  for (const one of fieldsOf(bytes)) if (one.number === number) return one.bytes;
  return null;
}

function varintField(bytes: Buffer, number: number): bigint | null {
  for (const one of fieldsOf(bytes)) if (one.number === number) return one.value;
  return null;
}

/** One unary call with bytes as they are: what both sides' clients do. */
export function unary(client: grpc.Client, path: string, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      request,
      (error, response) => (error ? reject(error) : resolve(response ?? Buffer.alloc(0))),
    );
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
