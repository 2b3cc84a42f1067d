// The X-Registry-Auth header, and X-Registry-Config, which has one for each registry: base64url of JSON. `{}` and an empty header mean no credentials.
import { Buffer } from 'node:buffer';
import type { RegistryAuth } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { ServiceSpec } from '#protocol/generated/specs';
import { registryServerOf } from '#protocol/registry-server';
import type { ApiRequest } from '../http/request.ts';

/** @throws invalid_argument when the header is not what it should be. */
export function registryAuth(request: ApiRequest): RegistryAuth | undefined {
  return authOf(headerJson(request, 'X-Registry-Auth'));
}

/** All credentials of X-Registry-Config, by registry. @throws invalid_argument */
export function registryAuths(request: ApiRequest): Readonly<Record<string, RegistryAuth>> {
  const found = Object.entries(headerJson(request, 'X-Registry-Config')).flatMap(
    ([server, json]) => {
      const auth = authOf((json ?? {}) as Record<string, unknown>);
      return auth ? [[server, auth] as const] : [];
    },
  );
  return Object.fromEntries(found);
}

/** The credentials of X-Registry-Config (by registry) for each service, as the manager keeps them. @throws invalid_argument */
export function servicesAuth(
  request: ApiRequest,
  services: readonly ServiceSpec[],
): Record<string, Uint8Array> {
  const byServer = headerJson(request, 'X-Registry-Config');
  const found = services.flatMap(({ name, taskTemplate }) => {
    const server = registryServerOf(taskTemplate?.containerSpec?.image ?? '');
    const json = Object.hasOwn(byServer, server) ? byServer[server] : undefined;
    const auth = authOf((json ?? {}) as Record<string, unknown>);
    return auth ? [[name, Buffer.from(JSON.stringify(auth))] as const] : [];
  });
  return Object.fromEntries(found);
}

/** Empty without the header. */
function headerJson(request: ApiRequest, name: string): Readonly<Record<string, unknown>> {
  const header = request.headers[name.toLowerCase()];
  if (typeof header !== 'string' || header === '') return {};
  try {
    const json: unknown = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'));
    if (typeof json === 'object' && json !== null) return json as Record<string, unknown>;
  } catch {
    // Said below, as for other JSON.
  }
  throw new TswarmError('invalid_argument', `${name}: must be base64url of a JSON object`);
}

function authOf(json: Readonly<Record<string, unknown>>): RegistryAuth | undefined {
  const text = (name: string): string => (typeof json[name] === 'string' ? String(json[name]) : '');
  const auth: RegistryAuth = {
    username: text('username'),
    password: text('password'),
    serverAddress: text('serveraddress'),
    identityToken: text('identitytoken') || text('registrytoken'),
  };
  return auth.username === '' && auth.identityToken === '' ? undefined : auth;
}

/** The credentials of the header as the manager keeps them for a service; empty when there are none. */
export function encodedAuth(request: ApiRequest): Uint8Array {
  const auth = registryAuth(request);
  return auth ? Buffer.from(JSON.stringify(auth)) : new Uint8Array(0);
}
