// Goal: a blob's bytes go to a registry once, whatever breaks on the way, and not at all when it has them in another repository. Method: a server that keeps
// uploads as the distribution specification says, cuts connections and refuses on demand, and counts what it was sent.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeClock } from '#protocol/transport/node-world';
import { BlobStore } from '#worker/images/blob-store';
import { UPLOAD_WHOLE_BYTES_MAX } from '#worker/images/limits';
import { RegistryClient } from '#worker/images/registry/client';
import { HttpClient } from '#worker/images/registry/http';
import { uploadBlob } from '#worker/images/registry/upload';

interface Behaviour {
  /** The first PATCH is cut when so many bytes of it have come. */
  cutAfterBytes?: number;
  /** Uploads that broke are forgotten. */
  forgets?: boolean;
  /** Repositories that it has the blob in. */
  has?: readonly string[];
  /** Repositories that we may not read. */
  denies?: readonly string[];
}

class UploadServer {
  readonly asked: string[] = [];
  readonly finished = new Map<string, Buffer>();
  readonly behaviour: Behaviour;
  sentBytes = 0;
  readonly #uploads = new Map<string, Buffer>();
  readonly #server = createServer((request, response) => this.#answer(request, response));
  #cuts = 0;

  constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
  }

  async listen(): Promise<URL> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://here');
    const id = /\/uploads\/(\d+)$/.exec(url.pathname)?.[1] ?? '';
    this.asked.push(
      `${request.method} ${id === '' ? (url.searchParams.get('from') ?? '') : ''}`.trim(),
    );
    if (request.method === 'POST') return void this.#begin(url, response);
    const upload = this.#uploads.get(id);
    if (upload === undefined) return void response.writeHead(404).end();
    if (request.method === 'DELETE') {
      this.#uploads.delete(id);
      return void response.writeHead(204).end();
    }
    if (request.method === 'GET') return void this.#place(response, 204, id, upload.length);
    this.#take(request, response, { id, upload, digest: url.searchParams.get('digest') });
  }

  #begin(url: URL, response: ServerResponse): void {
    const from = url.searchParams.get('from') ?? '';
    const { has = [], denies = [] } = this.behaviour;
    if (denies.includes(from)) return void response.writeHead(403).end();
    if (has.includes(from)) return void response.writeHead(201).end();
    const id = String(this.#uploads.size + 1);
    this.#uploads.set(id, Buffer.alloc(0));
    this.#place(response, 202, id, 0);
  }

  #place(response: ServerResponse, status: number, id: string, size: number): void {
    const headers = { location: `/v2/r/blobs/uploads/${id}`, range: `0-${Math.max(0, size - 1)}` };
    response.writeHead(status, headers).end();
  }

  #take(
    request: IncomingMessage,
    response: ServerResponse,
    { id, upload, digest }: { id: string; upload: Buffer; digest: string | null },
  ): void {
    const range = /^(\d+)-/.exec(request.headers['content-range'] ?? '')?.[1] ?? '0';
    if (Number(range) !== upload.length && request.method === 'PATCH') {
      return void response.writeHead(416).end();
    }
    const { cutAfterBytes = 0, forgets } = this.behaviour;
    let whole = upload;
    request.on('data', (chunk: Buffer) => {
      this.sentBytes += chunk.length;
      whole = Buffer.concat([whole, chunk]);
      if (cutAfterBytes === 0 || this.#cuts > 0 || whole.length < cutAfterBytes) return;
      this.#cuts += 1;
      if (forgets) this.#uploads.delete(id);
      else this.#uploads.set(id, whole);
      request.socket.destroy();
    });
    request.on('end', () => {
      this.#uploads.set(id, whole);
      if (digest === null) return void this.#place(response, 202, id, whole.length);
      this.finished.set(digest, whole);
      response.writeHead(201).end();
    });
  }
}

const folder = mkdtempSync(join(tmpdir(), 'tswarm-upload-'));
const signal = new AbortController().signal;
let server: UploadServer | undefined;
let store: BlobStore;

beforeEach(async () => {
  store = new BlobStore(mkdtempSync(join(folder, 'store-')));
  await store.open(0);
});
afterEach(() => server?.stop());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function upload(
  bytes: Buffer,
  behaviour: Behaviour,
  sources: readonly string[] = [],
): Promise<{ readonly from: string; readonly server: UploadServer }> {
  server = new UploadServer(behaviour);
  const base = await server.listen();
  const { digest } = await store.put(bytes);
  const http = new HttpClient();
  const random = { next: () => 0, bytes: (length: number) => new Uint8Array(length) };
  const endpoint = { base, isInsecure: true };
  const client = new RegistryClient(endpoint, undefined, { http, clock: nodeClock, random });
  const blob = { mediaType: '', digest, size: bytes.length };
  const options = { signal, random, onBytes: () => {}, sources };
  try {
    return { from: await uploadBlob(client, 'r', blob, store, options), server };
  } finally {
    http.close();
  }
}

const digestOf = (bytes: Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const SMALL = Buffer.from('small');
const LARGE = randomBytes(UPLOAD_WHOLE_BYTES_MAX + 1_000_000);

describe('a blob that is sent', () => {
  it('goes in two requests when it is small, in three when it is large', async () => {
    const small = await upload(SMALL, {});
    expect([small.from, small.server.asked]).toEqual(['', ['POST', 'PUT']]);
    expect(small.server.finished.get(digestOf(SMALL))).toEqual(SMALL);
    small.server.stop();
    const large = await upload(LARGE, {});
    expect(large.server.asked).toEqual(['POST', 'PATCH', 'PUT']);
    expect(large.server.finished.get(digestOf(LARGE))?.equals(LARGE)).toBe(true);
  });

  it('goes on where it broke', async () => {
    const { server: registry } = await upload(LARGE, { cutAfterBytes: 3_000_000 });
    expect(registry.asked).toEqual(['POST', 'PATCH', 'GET', 'PATCH', 'PUT']);
    expect(registry.finished.get(digestOf(LARGE))?.equals(LARGE)).toBe(true);
    expect(registry.sentBytes).toBe(LARGE.length);
  });

  it('begins anew where the registry has forgotten it', async () => {
    const { server: registry } = await upload(LARGE, { cutAfterBytes: 3_000_000, forgets: true });
    expect(registry.asked).toEqual(['POST', 'PATCH', 'GET', 'POST', 'PATCH', 'PUT']);
    expect(registry.finished.get(digestOf(LARGE))?.equals(LARGE)).toBe(true);
  });
});

describe('a blob that the registry has elsewhere', () => {
  it('is taken over from the first repository that has it; what was begun on the way is ended', async () => {
    const { from, server: registry } = await upload(SMALL, { has: ['c'] }, ['a', 'b', 'c', 'd']);
    expect(from).toBe('c');
    expect(registry.asked).toEqual(['POST a', 'DELETE', 'POST b', 'DELETE', 'POST c']);
    expect(registry.sentBytes).toBe(0);
  });

  it('is sent when it is not there, or not for us, into the upload that was begun', async () => {
    const { from, server: registry } = await upload(SMALL, { denies: ['b'] }, ['b', 'a']);
    expect([from, registry.asked]).toEqual(['', ['POST b', 'POST a', 'PUT']]);
    expect(registry.finished.get(digestOf(SMALL))).toEqual(SMALL);
  });
});
