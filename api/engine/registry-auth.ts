// The X-Registry-Auth header: base64url of JSON. `{}` and an empty header mean no credentials.
import { Buffer } from 'node:buffer';
import type { RegistryAuth } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { ApiRequest } from '../http/request.ts';

/** @throws invalid_argument when the header is not what it should be. */
export function registryAuth(request: ApiRequest): RegistryAuth | undefined {
  const header = request.headers['x-registry-auth'];
  if (typeof header !== 'string' || header === '') return undefined;
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as Record<string, unknown>;
  } catch {
    throw new TswarmError('invalid_argument', 'X-Registry-Auth: must be base64url of JSON');
  }
  const text = (name: string): string =>
    typeof json?.[name] === 'string' ? String(json[name]) : '';
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
