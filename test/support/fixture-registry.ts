// A registry in this process that can misbehave on purpose: cuts connections, redirects, asks for
// tokens, answers 429 and 500, lies. It records what it was asked, so that tests can see which
// headers went where. Speaks just enough of the distribution API for pulls.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { TestImage } from './image-tar.ts';

export interface Asked {
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

export interface FixtureOptions {
  /** Serve at most so many bytes of a blob per connection, then cut it. */
  readonly cutAfterBytes?: number;
  /** Serve no byte of a blob from here on; the connection breaks. Tests may change it. */
  deadFromByte?: number;
  /** Answer Range requests with the whole blob. */
  readonly ignoresRange?: boolean;
  /** Blobs are on another host (another port), reached by 307. */
  readonly redirectsBlobs?: boolean;
  /** Blobs are said to be where they were asked for. */
  readonly loopsBlobs?: boolean;
  /** Bearer tokens: what the token server takes. */
  readonly token?:
    | { readonly user: string; readonly password: string }
    | { readonly identity: string };
  /** How often each path answers this status before it works. */
  readonly failures?: { readonly status: number; readonly times: number };
  /** Bytes that are sent in place of a blob's. */
  readonly lies?: ReadonlyMap<string, Buffer>;
}

export interface FixtureRegistry {
  readonly host: string;
  readonly otherHost: string;
  readonly asked: Asked[];
  /** `name:tag` or `name@digest` → manifest or index. */
  readonly manifests: Map<string, { readonly bytes: Buffer; readonly mediaType: string }>;
  readonly blobs: Map<string, Buffer>;
  add(name: string, tag: string, image: TestImage): void;
  stop(): Promise<void>;
}

export async function fixtureRegistry(options: FixtureOptions = {}): Promise<FixtureRegistry> {
  const asked: Asked[] = [];
  const manifests: FixtureRegistry['manifests'] = new Map();
  const blobs = new Map<string, Buffer>();
  const failures = new Map<string, number>();
  let otherHost = '';
  let host = '';

  const serveBlob = (request: IncomingMessage, response: ServerResponse, digest: string): void => {
    const bytes = options.lies?.get(digest) ?? blobs.get(digest);
    if (bytes === undefined) return void notFound(response, 'BLOB_UNKNOWN');
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
    const start = range === undefined || options.ignoresRange === true ? 0 : Number(range);
    const rest = bytes.subarray(start);
    const alive = (options.deadFromByte ?? Number.POSITIVE_INFINITY) - start;
    if (alive <= 0) return void response.destroy();
    const headers: Record<string, string | number> = { 'content-length': rest.length };
    if (start > 0) headers['content-range'] = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(start > 0 ? 206 : 200, headers);
    const most = Math.min(options.cutAfterBytes ?? rest.length, alive);
    if (rest.length <= most) {
      response.end(rest);
      return;
    }
    response.write(rest.subarray(0, most), () => response.destroy());
  };

  const answer = (request: IncomingMessage, response: ServerResponse, isOther: boolean): void => {
    const url = new URL(request.url ?? '/', `http://${isOther ? otherHost : host}`);
    asked.push({
      host: url.host,
      method: request.method ?? '',
      path: url.pathname + url.search,
      authorization: request.headers.authorization,
      range: request.headers.range,
    });
    const failed = failures.get(url.pathname) ?? 0;
    if (
      options.failures !== undefined &&
      failed < options.failures.times &&
      url.pathname !== '/v2/'
    ) {
      failures.set(url.pathname, failed + 1);
      response.writeHead(options.failures.status, { 'retry-after': '0' }).end();
      return;
    }
    if (url.pathname === '/token') return void giveToken(request, response, options, url);
    if (isOther) return void serveBlob(request, response, url.pathname.slice(1));
    if (options.token !== undefined && request.headers.authorization !== 'Bearer good') {
      const scope = `repository:${/^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(url.pathname)?.[1] ?? ''}:pull`;
      const realm = `Bearer realm="http://${host}/token",service="fix\\"ture",scope="${scope}"`;
      response.writeHead(401, { 'www-authenticate': realm }).end(
        JSON.stringify({
          errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }],
        }),
      );
      return;
    }
    const [, name = '', kind = '', what = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url.pathname) ?? [];
    if (kind === 'manifests') {
      const found = manifests.get(`${name}${what.includes(':') ? '@' : ':'}${what}`);
      if (found === undefined) return void notFound(response, 'MANIFEST_UNKNOWN');
      response.writeHead(200, { 'content-type': found.mediaType }).end(found.bytes);
    } else if (kind === 'blobs' && options.loopsBlobs === true) {
      response.writeHead(307, { location: url.pathname }).end();
    } else if (kind === 'blobs' && options.redirectsBlobs === true) {
      response.writeHead(307, { location: `http://${otherHost}/${what}` }).end();
    } else if (kind === 'blobs') serveBlob(request, response, what);
    else response.writeHead(200).end();
  };

  const main = await listen((request, response) => answer(request, response, false));
  const other = await listen((request, response) => answer(request, response, true));
  host = main.host;
  otherHost = other.host;
  return {
    host,
    otherHost,
    asked,
    manifests,
    blobs,
    add(name, tag, image) {
      const mediaType = 'application/vnd.oci.image.manifest.v1+json';
      manifests.set(`${name}:${tag}`, { bytes: image.manifest, mediaType });
      manifests.set(`${name}@${image.manifestDigest}`, { bytes: image.manifest, mediaType });
      for (const [digest, bytes] of image.blobs) blobs.set(digest, bytes);
    },
    async stop() {
      await main.stop();
      await other.stop();
    },
  };
}

function giveToken(
  request: IncomingMessage,
  response: ServerResponse,
  options: FixtureOptions,
  url: URL,
): void {
  const { token } = options;
  const finish = (isGood: boolean): void => {
    if (isGood) response.end(JSON.stringify({ access_token: 'good', expires_in: 300 }));
    else response.writeHead(401).end(JSON.stringify({ details: 'incorrect username or password' }));
  };
  if (request.method === 'POST') {
    if (token === undefined || !('identity' in token)) return void response.writeHead(404).end();
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () =>
      finish(new URLSearchParams(body).get('refresh_token') === token.identity),
    );
    return;
  }
  if (token === undefined || 'identity' in token) return void finish(false);
  const basic = Buffer.from(`${token.user}:${token.password}`).toString('base64');
  const isQuoted = url.searchParams.get('service') === 'fix"ture';
  finish(isQuoted && request.headers.authorization === `Basic ${basic}`);
}

function notFound(response: ServerResponse, code: string): void {
  const message = code.toLowerCase().replace('_', ' ');
  response.writeHead(404).end(JSON.stringify({ errors: [{ code, message }] }));
}

async function listen(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly host: string; stop(): Promise<void> }> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  return {
    host: `127.0.0.1:${address.port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
