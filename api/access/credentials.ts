// /tswarm/v1: tokens and client certificates (made, listed, taken back), who one is, and the root certificate for clients that are about to sign in. The
// secret of a token is made here and goes to the client once; the managers get its digest. The key of a certificate never leaves the client.
import { createHash } from 'node:crypto';
import { accessSecret, formatAccessToken, ROLES, roleNumber, roleOf } from '#protocol/access';
import { formatTime, parseTime } from '#protocol/engine-json';
import { TswarmError } from '#protocol/errors';
import { CreateObjectRequest, ObjectKind, SpecUnion } from '#protocol/generated/control';
import type { Credential } from '#protocol/generated/objects';
import { CredentialKind, CredentialSpec } from '#protocol/generated/specs';
import { lookup } from '../cache/lookup.ts';
import type { CredentialInfo, NewCertificate, NewToken, WhoAmI } from '../cluster/types.ts';
import { clusterOf } from '../cluster-spec.ts';
import { type Context, pathId, type Route, requireSession } from '../context.ts';
import { callOptions, written } from '../control.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, textKey } from '../http/request.ts';
import { CLIENT_CERTIFICATE_DAYS_DEFAULT } from '../limits.ts';

const BASE = '/tswarm/v1';
const BODY_BYTES_MAX = 16 * 1024;
const SECRET_RANDOM_BYTES = 32;
const MICROS_PER_MS = 1000;
const MICROS_PER_DAY = 86_400 * 1e6;
const KIND_WORDS = new Map([
  [CredentialKind.TOKEN, 'token'],
  [CredentialKind.CERTIFICATE, 'certificate'],
] as const);

export function credentialRoutes(context: Context): readonly Route[] {
  return [
    { method: 'GET', pattern: `${BASE}/credentials`, handler: async (_q, r) => list(context, r) },
    { method: 'POST', pattern: `${BASE}/tokens`, handler: (q, r) => createToken(context, q, r) },
    {
      method: 'POST',
      pattern: `${BASE}/certificates`,
      handler: (q, r) => createCertificate(context, q, r),
    },
    {
      method: 'DELETE',
      pattern: `${BASE}/credentials/{id}`,
      handler: (q, r) => remove(context, q, r),
    },
    {
      method: 'GET',
      pattern: `${BASE}/access`,
      handler: async ({ caller }, reply) => {
        const { name, role } = caller;
        reply.json(200, { name, role } satisfies WhoAmI);
      },
    },
    {
      method: 'GET',
      pattern: `${BASE}/ca`,
      handler: async (_request, reply) => {
        const { rootCa } = clusterOf(requireSession(context));
        reply.text(200, rootCa?.caCert ?? '', 'application/x-pem-file');
      },
    },
  ];
}

async function list(context: Context, reply: Reply): Promise<void> {
  const { cache } = requireSession(context);
  const rows = [...cache.all('credential')].map(infoOf);
  rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  reply.json(200, rows);
}

function infoOf({ id, spec, owner, meta }: Credential): CredentialInfo {
  return {
    id,
    name: spec?.name ?? '',
    kind: KIND_WORDS.get(spec?.kind ?? CredentialKind.TOKEN) ?? 'token',
    role: roleOf(spec?.role ?? 0) ?? '',
    owner,
    createdAt: formatTime(meta?.createdAt ?? 0),
    expiresAt: spec?.expiresAt ? formatTime(spec.expiresAt) : null,
  };
}

async function createToken(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = await request.json(BODY_BYTES_MAX);
  const spec = specOf(body, CredentialKind.TOKEN, 0);
  const secret = accessSecret(context.random.bytes(SECRET_RANDOM_BYTES));
  const secretDigest = createHash('sha256').update(secret).digest();
  const credential = await create(context, request, spec, secretDigest);
  const { rootCa } = clusterOf(requireSession(context));
  const token = formatAccessToken({
    caDigest: rootCa?.caCertDigest ?? '',
    id: credential.id,
    secret,
  });
  reply.json(201, { ...infoOf(credential), token } satisfies NewToken);
}

async function createCertificate(
  context: Context,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const body = await request.json(BODY_BYTES_MAX);
  const csr = textKey(body, 'csr');
  if (csr === '') {
    throw new TswarmError('invalid_argument', 'csr: a certificate request (PEM) is needed', {
      field: 'csr',
    });
  }
  const endMicros =
    context.clock.nowMs() * MICROS_PER_MS + CLIENT_CERTIFICATE_DAYS_DEFAULT * MICROS_PER_DAY;
  const spec = specOf(body, CredentialKind.CERTIFICATE, Math.floor(endMicros));
  const credential = await create(context, request, spec, new Uint8Array(0));
  const { control } = requireSession(context);
  try {
    const { certificate, caCert } = await control.issueCertificate(
      { csr, credentialId: credential.id, names: [], addresses: [] },
      callOptions(request),
    );
    reply.json(201, { ...infoOf(credential), certificate, caCert } satisfies NewCertificate);
  } catch (error) {
    // A credential without its certificate would keep the name.
    const gone = { kind: ObjectKind.CREDENTIAL, id: credential.id, force: false };
    await control.removeObject(gone, callOptions(request)).catch(() => {});
    throw error;
  }
}

async function create(
  context: Context,
  request: ApiRequest,
  spec: CredentialSpec,
  secretDigest: Uint8Array,
): Promise<Credential> {
  const session = requireSession(context);
  const union = await written(
    session,
    session.control.createObject(
      CreateObjectRequest.create({ spec: SpecUnion.create({ credential: spec }), secretDigest }),
      callOptions(request),
    ),
  );
  if (!union.credential) throw new Error('bug: a credential was made and is not in the answer');
  return union.credential;
}

function specOf(
  body: Readonly<Record<string, unknown>>,
  kind: CredentialKind,
  expiresAtDefault: number,
): CredentialSpec {
  const role = roleNumber(textKey(body, 'role') || 'viewer');
  if (role === undefined) {
    throw new TswarmError('invalid_argument', `role: must be one of ${ROLES.join(', ')}`, {
      field: 'role',
    });
  }
  const expires = textKey(body, 'expiresAt');
  const expiresAt = expires === '' ? expiresAtDefault : timeOf(expires);
  return CredentialSpec.create({ name: textKey(body, 'name'), role, kind, expiresAt });
}

function timeOf(text: string): number {
  const micros = parseTime(text);
  if (!Number.isNaN(micros)) return micros;
  throw new TswarmError('invalid_argument', 'expiresAt: must be a time as 2030-01-31T12:00:00Z', {
    field: 'expiresAt',
  });
}

/** By id, name, or the beginning of an id. */
async function remove(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const session = requireSession(context);
  const { id } = lookup(session.cache, 'credential', pathId(request));
  await written(
    session,
    session.control.removeObject(
      { kind: ObjectKind.CREDENTIAL, id, force: false },
      callOptions(request),
    ),
  );
  reply.empty(204);
}
