// Goal: credentials are found wherever `docker login` or a helper put them, and no others are sent. Method: configuration folders of our own, a helper that is a
// shell script, and the headers decoded.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  allRegistriesHeaders,
  registryConfigHeaders,
  registryHeaders,
} from '#cli/client/registry-auth';

const folder = mkdtempSync(join(tmpdir(), 'tswarm-auth-'));
const path = process.env.PATH;

/** Knows one registry by password, one by token; has its say on standard error for others, as helpers do. */
const HELPER = `#!/bin/sh
case "$1" in
  list) echo '{"https://helped.example":"ann","tokens.example":"<token>"}' ;;
  get) read -r server
    case "$server" in
      helped.example) echo '{"ServerURL":"helped.example","Username":"ann","Secret":"s:1"}' ;;
      tokens.example) echo '{"Username":"<token>","Secret":"tok"}' ;;
      *) echo 'credentials not found in native keychain'; exit 1 ;;
    esac ;;
esac
`;

beforeAll(() => {
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/docker-credential-script'), HELPER);
  chmodSync(join(folder, 'bin/docker-credential-script'), 0o755);
  process.env.PATH = `${join(folder, 'bin')}:${path}`;
});
afterAll(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true, force: true });
});

function configured(config: unknown): NodeJS.ProcessEnv {
  const DOCKER_CONFIG = mkdtempSync(join(folder, 'config-'));
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  writeFileSync(join(DOCKER_CONFIG, 'config.json'), text);
  return { DOCKER_CONFIG };
}

function decoded(headers: Readonly<Record<string, string>>): unknown {
  const value = headers['x-registry-auth'] ?? headers['x-registry-config'];
  return value && JSON.parse(Buffer.from(value, 'base64url').toString());
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('credentials in config.json', () => {
  const auths = {
    'plain.example:5000': { auth: base64('bob:pa:ss') },
    'https://url.example/v1/': { auth: base64('url:x') },
    'https://index.docker.io/v1/': { auth: base64('hub:y') },
    'identity.example': { identitytoken: 'idt' },
  };

  it('goes to its own registry, and to no other', async () => {
    const environment = configured({ auths });
    const of = async (image: string): Promise<unknown> =>
      decoded(await registryHeaders(image, environment));
    expect(await of('plain.example:5000/a/b:1')).toEqual({
      username: 'bob',
      password: 'pa:ss',
      serveraddress: 'plain.example:5000',
    });
    expect(await of('url.example/a')).toMatchObject({ username: 'url', password: 'x' });
    expect(await of('redis:7')).toMatchObject({ username: 'hub' });
    expect(await of('docker.io/library/redis')).toMatchObject({ username: 'hub' });
    expect(await of('identity.example/a')).toEqual({
      identitytoken: 'idt',
      serveraddress: 'identity.example',
    });
    for (const image of ['plain.example/a', 'other.example/redis', 'localhost/redis']) {
      expect(await registryHeaders(image, environment)).toEqual({});
    }
  });

  it('says which file is no good, and does without one', async () => {
    await expect(registryHeaders('redis', configured('{'))).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('config.json cannot be read as JSON'),
    });
    expect(await registryHeaders('redis', { HOME: join(folder, 'nowhere') })).toEqual({});
    expect(await registryHeaders('redis', configured([]))).toEqual({});
  });
});

describe('credentials of a helper', () => {
  it('are asked for by the registry’s name, for that registry alone or for all', async () => {
    const one = configured({ credHelpers: { 'helped.example': 'script' } });
    const known = { username: 'ann', password: 's:1', serveraddress: 'helped.example' };
    expect(decoded(await registryHeaders('helped.example/a', one))).toEqual(known);
    expect(await registryHeaders('tokens.example/a', one)).toEqual({});
    const all = configured({ credsStore: 'script' });
    expect(decoded(await registryHeaders('tokens.example/a', all))).toEqual({
      identitytoken: 'tok',
      serveraddress: 'tokens.example',
    });
    expect(await registryHeaders('unknown.example/a', all)).toEqual({});
    const images = ['helped.example/a', 'helped.example/b', 'unknown.example/c'];
    expect(decoded(await registryConfigHeaders(images, all))).toEqual({ 'helped.example': known });
    expect(Object.keys(decoded(await allRegistriesHeaders(all)) as object).sort()).toEqual([
      'helped.example',
      'tokens.example',
    ]);
  });

  it('that is not installed knows nothing', async () => {
    const environment = configured({ credsStore: 'not-there' });
    expect(await registryHeaders('redis', environment)).toEqual({});
    expect(await allRegistriesHeaders(environment)).toEqual({});
  });
});
