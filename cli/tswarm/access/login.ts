// tswarm login: signs in to a cluster over the network with a token. The cluster's root certificate is fetched over a connection that proves nothing, checked
// against the digest in the token, and only then is the token sent, over a connection that this root has verified: as a node joins. What is found good
// becomes a context. logout removes it.
import { createHash } from 'node:crypto';
import { request as requestTls } from 'node:https';
import type { WhoAmI } from '#api/cluster/types';
import { parseAccessToken } from '#protocol/access';
import { messageOf, TswarmError } from '#protocol/errors';
import { caDigestText } from '#protocol/join-token';
import { type ClusterContext, ContextStore } from '../../client/contexts.ts';
import { endpointOf, parseTcp } from '../../client/endpoint.ts';
import { ApiClient } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { readSecret } from '../../output/read-secret.ts';

const ROOT_BYTES_MAX = 64 * 1024;
const ROOT_TIMEOUT_MS = 10_000;

export async function login(
  place: string,
  options: { readonly name?: string; readonly description?: string },
): Promise<number> {
  const { host, port } = parseTcp(place);
  const token = (await readSecret('Token: ')).trim();
  const { caDigest } = parseAccessToken(token);
  const ca = await fetchRoot(host, port);
  checkRoot(ca, caDigest, place);
  const context: ClusterContext = {
    format: 1,
    host: `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`,
    description: options.description ?? '',
    ca,
    token,
    cert: '',
    key: '',
  };
  const who = await new ApiClient(endpointOf(context)).get<WhoAmI>('/tswarm/v1/access');
  const store = new ContextStore(process.env);
  const name = options.name ?? host.replaceAll(':', '-');
  store.save(name, context);
  store.use(name);
  process.stdout.write(
    `Signed in as ${who.name} (${who.role}). Commands go to ${context.host} now: context "${name}".\n`,
  );
  return EXIT.ok;
}

export async function logout(name: string | undefined): Promise<number> {
  const store = new ContextStore(process.env);
  const which = name ?? store.current();
  store.remove(which, true);
  process.stdout.write(
    `Signed out: context "${which}" is removed. Its token is still good until it is removed: tswarm token rm.\n`,
  );
  return EXIT.ok;
}

/** From whoever answers there. */
function fetchRoot(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(
        new TswarmError('unavailable', `cannot reach ${host}:${port}: ${messageOf(error)}`, {
          hint: 'Does tswarmd there run with --api-addr, on a manager?',
        }),
      );
    const asked = requestTls(
      {
        host,
        port,
        path: '/tswarm/v1/ca',
        rejectUnauthorized: false,
        timeout: ROOT_TIMEOUT_MS,
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('error', fail);
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > ROOT_BYTES_MAX) response.destroy(new Error('the answer is too long'));
        });
        response.on('end', () => {
          if (response.statusCode === 200) resolve(text);
          else fail(new Error(`it answers with status ${response.statusCode}`));
        });
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', fail);
    asked.end();
  });
}

function checkRoot(ca: string, digest: string, place: string): void {
  const found = caDigestText(new Uint8Array(createHash('sha256').update(ca, 'utf8').digest()));
  if (found === digest) return;
  throw new TswarmError('unauthenticated', `${place} is not of the cluster that the token is of`, {
    hint: 'Check the address. After a change of the root certificate tokens have to be made anew: tswarm token create.',
  });
}
