// Who may call what: rules by route and role, tokens and certificates against the cache, wrong ones slowed down, and the audit log on a disk.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { AuditLog } from '#api/access/audit';
import { Authenticator } from '#api/access/authenticator';
import { addressBytes, parseApiAddress } from '#api/access/listener';
import { ROUTE_ROLES, requireAccess, roleFor } from '#api/access/rules';
import type { ObjectCache } from '#api/cache/object-cache';
import type { Caller } from '#api/http/request';
import { AUDIT_FILE_BYTES_MAX, WRONG_CREDENTIALS_BURST } from '#api/limits';
import { accessSecret, formatAccessToken, parseAccessToken } from '#protocol/access';
import { Credential } from '#protocol/generated/objects';
import { AccessRole, CredentialKind, CredentialSpec } from '#protocol/generated/specs';
import { silentLog } from './fakes.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const caller = (role: Caller['role']): Caller => ({ name: 'ci', role, credentialId: 'x' });

describe('rules', () => {
  it('are closed for what nobody has thought about', () => {
    expect(roleFor('POST /something/new')).toBe('admin');
    expect(roleFor('POST /tswarm/v1/tokens')).toBe('admin');
    expect(roleFor('GET /tswarm/v1/cluster/backup')).toBe('admin');
    expect(roleFor('POST /swarm/leave')).toBe('admin');
  });

  it('let a viewer do nothing but read', () => {
    for (const [route, role] of ROUTE_ROLES) {
      if (role === 'viewer') expect(route).toMatch(/^(GET|HEAD) /);
    }
  });

  it('refuse with who it is and what it takes', () => {
    expect(() => requireAccess(caller('viewer'), 'GET /services')).not.toThrow();
    expect(() => requireAccess(caller('viewer'), 'POST /services/create')).toThrow(
      'ci may only look: this takes the role operator',
    );
    expect(() => requireAccess(caller('operator'), 'POST /swarm/leave')).toThrow('the role admin');
    expect(() => requireAccess(caller('admin'), 'POST /swarm/leave')).not.toThrow();
  });
});

const ID = 'c'.repeat(25);
const SECRET = accessSecret(new Uint8Array(32).fill(7));
const TOKEN = formatAccessToken({ caDigest: 'd'.repeat(50), id: ID, secret: SECRET });

function cacheWith(spec: Partial<CredentialSpec>, secret = SECRET): ObjectCache {
  const credential = Credential.create({
    id: ID,
    secretDigest: createHash('sha256').update(secret).digest(),
    spec: CredentialSpec.create({ name: 'ci', role: AccessRole.OPERATOR, ...spec }),
  });
  return { get: (_: string, id: string) => (id === ID ? credential : undefined) } as never;
}

function message(authorization: string | undefined, socket: object = {}): IncomingMessage {
  const headers = authorization === undefined ? {} : { authorization };
  return { headers, socket: { remoteAddress: '192.0.2.1', ...socket } } as IncomingMessage;
}

describe('authenticator', () => {
  let nowMs = 1_000_000;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };

  it('knows a token, and refuses each way of being wrong', () => {
    const who = new Authenticator(clock);
    const found = who.authenticate(cacheWith({}), message(`Bearer ${TOKEN}`));
    expect(found).toEqual({ name: 'ci', role: 'operator', credentialId: ID });
    for (const [cache, header] of [
      [cacheWith({}, 'other'), `Bearer ${TOKEN}`],
      [cacheWith({}), `Bearer ${TOKEN.slice(0, -1)}0`],
      [cacheWith({}), 'Bearer x'],
      [cacheWith({}), 'Basic YTpi'],
      [cacheWith({ kind: CredentialKind.CERTIFICATE }), `Bearer ${TOKEN}`],
      [cacheWith({ expiresAt: nowMs * 1000 }), `Bearer ${TOKEN}`],
      [cacheWith({ role: AccessRole.NONE }), `Bearer ${TOKEN}`],
      [{ get: () => undefined } as never, `Bearer ${TOKEN}`],
    ] as const) {
      const again = new Authenticator(clock);
      expect(() => again.authenticate(cache, message(header))).toThrow(/wrong|expired/);
    }
    expect(() => who.authenticate(cacheWith({}), message(undefined))).toThrow('is needed');
  });

  it('takes a certificate of the role that the store says, and only of a user', () => {
    const cache = cacheWith({ kind: CredentialKind.CERTIFICATE });
    const of = (subject: object, authorized = true): IncomingMessage =>
      message(undefined, { authorized, getPeerCertificate: () => ({ subject }) });
    const good = { CN: ID, OU: 'tswarm-operator' };
    const who = new Authenticator(clock);
    expect(who.authenticate(cache, of(good)).name).toBe('ci');
    expect(() => who.authenticate(cache, of(good, false))).toThrow('not trusted');
    for (const subject of [
      { CN: ID, OU: 'swarm-admin' },
      { CN: ID, OU: 'tswarm-admin' },
      { CN: 'node1', OU: 'swarm-worker' },
    ]) {
      expect(() => who.authenticate(cache, of(subject))).toThrow('no user of this cluster');
    }
    const token = cacheWith({});
    expect(() => who.authenticate(token, of(good))).toThrow('no user of this cluster');
  });

  it('lets an address wait after many wrong ones, and not for ever', () => {
    const who = new Authenticator(clock);
    const wrong = (): unknown => who.authenticate(cacheWith({}), message('Bearer x'));
    for (let n = 0; n < WRONG_CREDENTIALS_BURST; n++) expect(wrong).toThrow('wrong');
    const right = (): unknown => who.authenticate(cacheWith({}), message(`Bearer ${TOKEN}`));
    expect(right).toThrow('too many wrong credentials');
    nowMs += 60_000;
    expect(right).not.toThrow();
  });

  it('never repeats a token in an error', () => {
    expect(() => parseAccessToken(`${TOKEN}x`)).toThrow(/no token/);
    expect(() => parseAccessToken(`${TOKEN}x`)).not.toThrow(new RegExp(SECRET));
  });
});

describe('listener', () => {
  it('takes addresses with a port, and says what else is meant', () => {
    expect(parseApiAddress('0.0.0.0:2376')).toEqual({ host: '0.0.0.0', port: 2376 });
    expect(parseApiAddress('[::1]:2376')).toEqual({ host: '::1', port: 2376 });
    expect(() => parseApiAddress('tcp://0.0.0.0:2375')).toThrow('is not IP:PORT');
    expect(() => parseApiAddress('2376')).toThrow('is not IP:PORT');
  });

  it('writes addresses as certificates want them', () => {
    expect([...addressBytes('10.1.2.255')]).toEqual([10, 1, 2, 255]);
    const six = [...addressBytes('fe80::1:2')];
    expect(six).toEqual([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2]);
    expect([...addressBytes('::')]).toEqual(new Array(16).fill(0));
  });
});

describe('audit log', () => {
  it('keeps changes and refusals, newest first, without queries; and replaces full files', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tswarm-audit-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'audit.log');
    const clock = { nowMs: () => 0, monotonicMs: () => 0 };
    const audit = new AuditLog(file, { clock, log: silentLog });
    const note = (method: string, route: string, path: string, status: number): void =>
      audit.note(
        method,
        { caller: caller('operator'), route, path, from: 'unix', durationMs: 1.6 },
        { status },
      );
    note('GET', 'GET /services', '/services', 200);
    note('POST', 'POST /services/create', '/services/create', 201);
    note('POST', 'POST /containers/{id}/wait', '/containers/a/wait', 200);
    note('GET', '', '/swarm', 401);
    note('GET', 'GET /tswarm/v1/cluster/backup', '/tswarm/v1/cluster/backup', 200);
    const rows = await audit.rows(10);
    expect(rows.map(({ path, status }) => `${path} ${status}`)).toEqual([
      '/tswarm/v1/cluster/backup 200',
      '/swarm 401',
      '/services/create 201',
    ]);
    expect(rows[2]).toMatchObject({ who: 'ci', role: 'operator', credential: 'x', durationMs: 2 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await audit.rows(1)).toHaveLength(1);
    const long = `/${'x'.repeat(290)}`;
    const lines = Math.ceil((AUDIT_FILE_BYTES_MAX * 1.2) / 400);
    for (let n = 0; n < lines; n++) {
      note('POST', 'POST /services/create', long, 201);
      if (n % 5000 === 0) await audit.close();
    }
    await audit.close();
    expect(readdirSync(folder).sort()).toEqual(['audit.log', 'audit.log.1']);
    expect(readFileSync(file, 'utf8').endsWith('\n')).toBe(true);
  });
});
