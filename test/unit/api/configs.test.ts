// GET /configs: data is fetched from the manager, some at a time, from a state that is known to be new enough; who is removed meanwhile is left out.
import { expect, it } from 'vitest';
import type { Context } from '#api/context';
import { secretConfigRoutes } from '#api/engine/secrets-configs';
import type { Reply } from '#api/http/reply';
import { type ApiRequest, LOCAL_CALLER, Query } from '#api/http/request';
import { CONFIGS_AT_ONCE_MAX } from '#api/limits';
import { TswarmError } from '#protocol/errors';
import { type GetObjectRequest, ObjectUnion } from '#protocol/generated/control';
import { Config } from '#protocol/generated/objects';
import { ConfigSpec } from '#protocol/generated/specs';

const COUNT = 40;
const INDEX = 77;

function listWith(getObject: (request: GetObjectRequest) => Promise<unknown>): Promise<unknown> {
  const configs = Array.from({ length: COUNT }, (_, n) =>
    Config.create({ id: `id${n}`, spec: ConfigSpec.create({ name: `name${n}` }) }),
  );
  const cache = { isReady: true, index: INDEX, all: () => configs.values() };
  const session = { cache, control: { getObject } };
  const context = { node: { session: () => session } } as unknown as Context;
  const route = secretConfigRoutes(context).find(
    ({ method, pattern }) => method === 'GET' && pattern === '/configs',
  );
  const signal = new AbortController().signal;
  const request = { query: new Query(''), caller: LOCAL_CALLER, signal } as unknown as ApiRequest;
  return new Promise((resolve, reject) => {
    const reply = { json: (_: number, value: unknown) => resolve(value) } as unknown as Reply;
    route?.handler(request, reply).catch(reject);
  });
}

it('asks for no proof of its own for each config, keeps their order, and few at a time', async () => {
  let present = 0;
  let most = 0;
  const asked: number[] = [];
  const rows = (await listWith(async ({ id, knownIndex }) => {
    asked.push(knownIndex);
    most = Math.max(most, ++present);
    // The later ones answer first.
    for (let turns = CONFIGS_AT_ONCE_MAX - (asked.length % CONFIGS_AT_ONCE_MAX); turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve));
    present--;
    const spec = ConfigSpec.create({ name: `of ${id}`, data: new TextEncoder().encode(id) });
    return { object: ObjectUnion.create({ config: Config.create({ id, spec }) }) };
  })) as readonly { ID: string; Spec: { Name: string; Data: string } }[];
  expect(rows.map(({ ID }) => ID)).toEqual(Array.from({ length: COUNT }, (_, n) => `id${n}`));
  expect(rows[7]?.Spec).toMatchObject({ Name: 'of id7', Data: btoa('id7') });
  expect(asked).toEqual(new Array(COUNT).fill(INDEX));
  expect(most).toBe(CONFIGS_AT_ONCE_MAX);
});

it('leaves out what was removed meanwhile, and hides no other fault', async () => {
  const gone = new TswarmError('not_found', 'config id3 not found');
  const object = (id: string) => ({
    object: ObjectUnion.create({ config: Config.create({ id }) }),
  });
  const rows = await listWith(async ({ id }) => {
    if (id === 'id3') throw gone;
    return object(id);
  });
  expect(rows).toHaveLength(COUNT - 1);
  const broken = listWith(async () => {
    throw new TswarmError('unavailable', 'no manager');
  });
  await expect(broken).rejects.toThrow('no manager');
});
