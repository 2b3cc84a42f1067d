// Credentials for registries as `docker login` keeps them: $DOCKER_CONFIG/config.json, either in the file itself or with a credential helper
// (docker-credential-<name>). They are sent with the one request that needs them and kept nowhere.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { registryServerOf } from '#protocol/registry-server';
import type { Json } from './http.ts';

const HELPER_TIMEOUT_MS = 10_000;

/** The X-Registry-Auth header for an image's registry; none when nobody has logged in there. @throws TswarmError for a file that cannot be read */
export async function registryHeaders(
  image: string,
  environment: NodeJS.ProcessEnv,
): Promise<Readonly<Record<string, string>>> {
  const found = await credentialsFor(registryServerOf(image), environment);
  return found ? { 'x-registry-auth': encoded(found) } : {};
}

/** The X-Registry-Config header: credentials for all registries of these images where somebody has logged in. */
export async function registryConfigHeaders(
  images: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<Readonly<Record<string, string>>> {
  return headersFor([...new Set(images.map(registryServerOf))], environment);
}

/** The X-Registry-Config header with all that somebody has logged in to: a build says only on its way which images it begins with. */
export async function allRegistriesHeaders(
  environment: NodeJS.ProcessEnv,
): Promise<Readonly<Record<string, string>>> {
  const config = dockerConfig(environment);
  if (!config) return {};
  const helper = text(config.credsStore);
  const listed = helper === '' ? [] : await serversOf(helper);
  const servers = new Set([
    ...Object.keys(object(config.auths)).map(plainServer),
    ...Object.keys(object(config.credHelpers)),
    ...listed.map(plainServer),
  ]);
  return headersFor([...servers], environment);
}

async function headersFor(
  servers: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<Readonly<Record<string, string>>> {
  const found = await Promise.all(
    servers.map(async (server) => [server, await credentialsFor(server, environment)] as const),
  );
  const known = found.filter(([, credentials]) => credentials !== undefined);
  return known.length === 0 ? {} : { 'x-registry-config': encoded(Object.fromEntries(known)) };
}

/** Some tools file a registry under a URL; Docker Hub's name is one. */
function plainServer(server: string): string {
  return server.startsWith('https://index.docker.io/')
    ? server
    : server.replace(/^https?:\/\//, '');
}

async function credentialsFor(
  server: string,
  environment: NodeJS.ProcessEnv,
): Promise<(Credentials & { readonly serveraddress: string }) | undefined> {
  const config = dockerConfig(environment);
  if (!config) return undefined;
  const helper = text(object(config.credHelpers)[server]) || text(config.credsStore);
  const found = helper === '' ? fromFile(config, server) : await fromHelper(helper, server);
  return found && { ...found, serveraddress: server };
}

function dockerConfig(environment: NodeJS.ProcessEnv): Json | undefined {
  const folder = environment.DOCKER_CONFIG || join(environment.HOME || '/root', '.docker');
  const file = join(folder, 'config.json');
  return existsSync(file) ? readConfig(file) : undefined;
}

function encoded(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url');
}

interface Credentials {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
}

function readConfig(file: string): Json {
  try {
    return object(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new TswarmError('invalid_argument', `${file} cannot be read as JSON`, {
      hint: 'It holds the credentials of "docker login"; mend it or take it away.',
      cause: error,
    });
  }
}

function fromFile(config: Json, server: string): Credentials | undefined {
  const auths = object(config.auths);
  const other = Object.keys(auths).find((key) => hostOf(key) === hostOf(server));
  const entry = object(auths[server] ?? (other === undefined ? undefined : auths[other]));
  const token = text(entry.identitytoken);
  if (token !== '') return { identitytoken: token };
  const pair = Buffer.from(text(entry.auth), 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0
    ? undefined
    : { username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** Some tools file a registry under a URL, with a path or without. */
function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

/** The registries that a helper has credentials for; none when it cannot say. */
function serversOf(helper: string): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const options = { timeout: HELPER_TIMEOUT_MS };
    execFile(`docker-credential-${helper}`, ['list'], options, (error, stdout) => {
      resolve(error ? [] : Object.keys(object(parsed(stdout))));
    });
  });
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** The helper's protocol: the server's name in, JSON out; an error means that it knows none. As with docker, a helper that is not installed knows none: files are shared between machines. */
function fromHelper(helper: string, server: string): Promise<Credentials | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: HELPER_TIMEOUT_MS };
    const child = execFile(`docker-credential-${helper}`, ['get'], options, (error, stdout) => {
      if (error) return resolve(undefined);
      const { Username, Secret } = object(parsed(stdout));
      const [username, secret] = [text(Username), text(Secret)];
      resolve(username === '<token>' ? { identitytoken: secret } : { username, password: secret });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(server);
  });
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
