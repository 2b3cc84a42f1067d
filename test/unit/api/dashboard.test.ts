// The dashboard's listener over real loopback TCP: signing in with a link, what a session may do, and what pages of other sites try.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { roleFor } from '#api/access/rules';
import type { DashboardLink } from '#api/cluster/types';
import { Dashboard } from '#api/dashboard/dashboard';
import type { PageFolders } from '#api/dashboard/pages';
import { SignIn } from '#api/dashboard/sign-in';
import type { Reply } from '#api/http/reply';
import { type ApiRequest, Query } from '#api/http/request';
import {
  SESSION_IDLE_MS,
  SESSION_MAX_MS,
  SIGN_IN_FAILURES_MAX,
  SIGN_IN_LINK_MS,
} from '#api/limits';
import { testRandom } from '../manager/support/objects.ts';
import { realClock, silentLog } from './fakes.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const HTML = '<script type="importmap">{"imports":{}}</script>';

function pages(): PageFolders {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-pages-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const files = {
    'statics/index.html': HTML,
    'scripts/main.js': 'export {};',
    'modules/preact/dist/preact.mjs': '',
    'modules/preact/hooks/dist/hooks.mjs': '',
    'modules/preact/jsx-runtime/dist/jsxRuntime.mjs': '',
    'protocol/fix-words.js': '',
    'api/cluster/client-call.js': '',
    'modules/@xterm/xterm/lib/xterm.mjs': '',
    'modules/@xterm/addon-fit/lib/addon-fit.mjs': '',
    'modules/@xterm/xterm/css/xterm.css': '',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const at = (name: string): string => join(folder, name);
  return {
    scripts: at('scripts'),
    statics: at('statics'),
    modules: at('modules'),
    protocol: at('protocol'),
    api: at('api'),
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

interface Site {
  readonly port: number;
  readonly seen: string[];
  link(role?: string): Promise<DashboardLink>;
  call(
    method: string,
    path: string,
    headers?: Record<string, string>,
    body?: unknown,
  ): Promise<Answer>;
}

async function start(address = '127.0.0.1:0'): Promise<Site> {
  const seen: string[] = [];
  const dashboard = new Dashboard(
    { address, certFile: '', keyFile: '', folders: pages() },
    {
      clock: realClock,
      random: testRandom(5),
      log: silentLog,
      dispatch: async ({ message, signal }, reply, url, caller) => {
        seen.push(`${caller.role} ${message.method} ${url}`);
        if (!url.startsWith('/stream')) return reply.json(200, { ok: true });
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    },
  );
  cleanups.push(() => dashboard.stop(0));
  await dashboard.start();
  const [route] = dashboard.routes();
  const link = async (role = ''): Promise<DashboardLink> => {
    let answer: unknown;
    const request = { optionalJson: async () => ({ role }), query: new Query('') };
    const reply = { json: (_: number, value: unknown) => (answer = value) };
    await route?.handler(request as unknown as ApiRequest, reply as unknown as Reply);
    return answer as DashboardLink;
  };
  const port = Number(new URL((await link()).url).port);
  return { port, seen, link, call: (...args) => call(port, ...args) };
}

function call(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: unknown,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const all = text === undefined ? headers : { 'Content-Type': 'application/json', ...headers };
    const options = { host: '127.0.0.1', port, method, path, headers: all, agent: false };
    const request = httpRequest(options, (response) => {
      let received = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (received += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received }),
      );
    });
    request.on('error', reject);
    request.end(text);
  });
}

const secretOf = ({ url }: DashboardLink): string => new URL(url).hash.replace('#link=', '');

async function signIn(site: Site, role = ''): Promise<{ Cookie: string; 'X-Tswarm-CSRF': string }> {
  const answer = await site.call('POST', '/session', {}, { link: secretOf(await site.link(role)) });
  expect(answer.status).toBe(201);
  const cookie = String(answer.headers['set-cookie']);
  expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/);
  return { Cookie: cookie.split(';')[0] ?? '', 'X-Tswarm-CSRF': JSON.parse(answer.text).csrf };
}

describe('dashboard', () => {
  it('shows its pages to anybody on the host, with nothing from elsewhere allowed', async () => {
    const site = await start();
    const page = await site.call('GET', '/');
    expect(page).toMatchObject({ status: 200, text: HTML });
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toMatch(/default-src 'none'; script-src 'self' 'sha256-[\w+/]+=*';/);
    const etag = String(page.headers.etag);
    expect((await site.call('GET', '/', { 'If-None-Match': etag })).status).toBe(304);
    expect((await site.call('GET', '/app/main.js')).headers['content-type']).toMatch(/javascript/);
    for (const path of ['/app/../statics/index.html', '/%2e%2e/x', '/etc/passwd', '/app/']) {
      expect((await site.call('GET', path)).status, path).toBe(404);
    }
  });

  it('lets nobody call the API without a session', async () => {
    const site = await start();
    for (const path of ['/api/info', '/session']) {
      expect((await site.call('GET', path)).status).toBe(401);
    }
    expect((await site.call('GET', '/api/info', { Cookie: 'tswarm_session_1=x' })).status).toBe(
      401,
    );
    expect(site.seen).toEqual([]);
  });

  it('takes a link once', async () => {
    const site = await start();
    const link = secretOf(await site.link());
    expect((await site.call('POST', '/session', {}, { link })).status).toBe(201);
    const again = await site.call('POST', '/session', {}, { link });
    expect(again.status).toBe(401);
    expect(again.text).toContain('tswarm dashboard');
  });

  it('passes calls on, changes only with the secret of the session', async () => {
    const site = await start();
    const { Cookie, ...csrf } = await signIn(site);
    expect((await site.call('GET', '/api/nodes?x=1', { Cookie })).status).toBe(200);
    expect((await site.call('POST', '/api/nodes/n/update', { Cookie }, {})).status).toBe(403);
    const wrong = { Cookie, 'X-Tswarm-CSRF': 'wrong' };
    expect((await site.call('DELETE', '/api/secrets/s', wrong)).status).toBe(403);
    const evil = { Cookie, ...csrf, Origin: 'http://evil.example' };
    expect((await site.call('POST', '/api/nodes/n/update', evil, {})).status).toBe(403);
    expect((await site.call('POST', '/api/nodes/n/update', { Cookie, ...csrf }, {})).status).toBe(
      200,
    );
    expect(site.seen).toEqual(['admin GET /nodes?x=1', 'admin POST /nodes/n/update?']);
  });

  it('opens a shell only for a page of its own that knows the secret', async () => {
    const site = await start();
    const { Cookie, 'X-Tswarm-CSRF': secret } = await signIn(site, 'operator');
    const own = `http://127.0.0.1:${site.port}`;
    const open = (headers: Record<string, string>): Promise<Answer> =>
      site.call('GET', '/api/tswarm/v1/exec?task=t', {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        ...headers,
      });
    const protocol = (text: string): Record<string, string> => ({ 'Sec-WebSocket-Protocol': text });
    const known = protocol(`tswarm.exec.v1, tswarm.csrf.${secret}`);
    expect((await open({ Origin: own, ...known })).status).toBe(401);
    for (const headers of [
      { Cookie, ...known },
      { Cookie, Origin: 'http://evil.example', ...known },
      { Cookie, Origin: 'null', ...known },
      { Cookie, Origin: own },
      { Cookie, Origin: own, ...protocol('tswarm.exec.v1, tswarm.csrf.wrong') },
      { Cookie, Origin: own, ...protocol(`tswarm.exec.v1, tswarm.csrf.${secret}x`) },
    ]) {
      expect((await open(headers)).status, JSON.stringify(headers)).toBe(403);
    }
    expect(site.seen).toEqual([]);
    expect((await open({ Cookie, Origin: own, ...known })).status).toBe(200);
    expect(site.seen).toEqual(['operator GET /tswarm/v1/exec?task=t']);
  });

  it('answers no foreign name that points at this host', async () => {
    const site = await start();
    const answer = await site.call('GET', '/', { Host: 'evil.example:7480' });
    expect(answer.status).toBe(403);
    expect((await site.call('GET', '/', { Host: 'localhost:7480' })).status).toBe(200);
    expect((await site.call('GET', '/', { Host: '[::1]:7480' })).status).toBe(200);
  });

  it('passes a viewer on as one, whatever is asked for', async () => {
    const site = await start();
    const { Cookie, ...csrf } = await signIn(site, 'viewer');
    const headers = { Cookie, ...csrf };
    for (const [method, path] of [
      ['GET', '/tswarm/v1/events'],
      ['POST', '/tswarm/v1/services/action'],
      ['GET', '//swarm'],
    ] as const) {
      expect((await site.call(method, `/api${path}`, headers)).status, path).toBe(200);
      expect(site.seen.at(-1)).toMatch(new RegExp(`^viewer ${method} `));
    }
  });

  it('signs out', async () => {
    const site = await start();
    const headers = await signIn(site);
    expect((await site.call('DELETE', '/session', headers)).status).toBe(204);
    expect((await site.call('GET', '/session', headers)).status).toBe(401);
  });

  it('ends what a session has open when it is signed out, and nothing of another one', async () => {
    const site = await start();
    const [mine, other] = [await signIn(site), await signIn(site)];
    const streamOf = (headers: Record<string, string>): Promise<string> =>
      site.call('GET', '/api/stream', headers).then(
        () => 'answered',
        (error: Error) => error.message,
      );
    const streams = [streamOf(mine), streamOf(mine)];
    let isOtherOver = false;
    const others = streamOf(other).finally(() => {
      isOtherOver = true;
    });
    while (site.seen.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await site.call('DELETE', '/session', mine)).status).toBe(204);
    expect(await Promise.all(streams)).toEqual(['socket hang up', 'socket hang up']);
    expect((await site.call('GET', '/api/x', mine)).status).toBe(401);
    expect((await site.call('GET', '/api/x', other)).status).toBe(200);
    expect(isOtherOver).toBe(false);
    await site.call('DELETE', '/session', other);
    expect(await others).toBe('socket hang up');
  });

  it('listens beyond loopback with TLS only', async () => {
    await expect(start('0.0.0.0:0')).rejects.toThrow(/no certificate/);
    await expect(start('nonsense:1:2')).rejects.toThrow(/is not IP:PORT/);
  });

  it('refuses an unknown role', async () => {
    const site = await start();
    await expect(site.link('root')).rejects.toThrow('role: must be viewer, operator or admin');
  });
});

describe('sign-in', () => {
  function setup() {
    let nowMs = 0;
    const signIn = new SignIn({ monotonicMs: () => nowMs }, testRandom(9));
    const pass = (ms: number): void => {
      nowMs += ms;
    };
    return { signIn, pass };
  }

  it('ends links and sessions in time', () => {
    const { signIn: made, pass } = setup();
    const late = made.link('admin');
    pass(SIGN_IN_LINK_MS + 1);
    expect(() => made.redeem(late)).toThrow('too old');
    const { cookie } = made.redeem(made.link('viewer'));
    pass(SESSION_IDLE_MS);
    expect(made.session(cookie)?.role).toBe('viewer');
    pass(SESSION_IDLE_MS + 1);
    expect(made.session(cookie)).toBeUndefined();
    const long = made.redeem(made.link('viewer'));
    const closed: string[] = [];
    const ended = made.hold(long.session, () => closed.push('page'));
    pass(SESSION_IDLE_MS + 1);
    made.endOld();
    expect([closed, made.session(long.cookie)?.role]).toEqual([[], 'viewer']);
    ended();
    made.hold(long.session, () => closed.push('shell'));
    pass(SESSION_MAX_MS);
    made.endOld();
    expect([closed, made.session(long.cookie)]).toEqual([['shell'], undefined]);
  });

  it('slows down whoever guesses', () => {
    const { signIn: made, pass } = setup();
    for (let i = 0; i < SIGN_IN_FAILURES_MAX; i++) expect(() => made.redeem('x')).toThrow('used');
    expect(() => made.redeem(made.link('admin'))).toThrow('too many attempts');
    pass(60_001);
    expect(made.redeem(made.link('admin')).session.role).toBe('admin');
  });
});

describe('a viewer', () => {
  it('sees lists and objects, no tokens, keys, files or data', () => {
    const routes = ['/tswarm/v1/nodes', '/services/{id}', '/tasks/{id}/logs', '/tswarm/v1/why'];
    for (const route of routes) expect(roleFor(`GET ${route}`), route).toBe('viewer');
    for (const route of [
      '/swarm',
      '/swarm/unlockkey',
      '/configs/{id}',
      '/containers/{id}/export',
      '/x',
    ]) {
      expect(roleFor(`GET ${route}`), route).not.toBe('viewer');
    }
    expect(roleFor('POST /services/{id}/update')).toBe('operator');
  });
});
