// What the node makes of the network helper's answers when the helper is of another version than itself, as after an installation that was not finished.
// Method: a program in place of the helper that answers one request with what it was given.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createLog } from '#protocol/transport/node-world';
import { NetHelper } from '#worker/network/net-helper';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function paths(answer: object): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-net-helper-'));
  folders.push(folder);
  const text = JSON.stringify({ id: 1, ok: true, ...answer });
  const script = `#!/bin/sh\nread -r line\necho '${text}'\nread -r line\n`;
  writeFileSync(join(folder, 'tswarm-net'), script, { mode: 0o755 });
  const listener = {
    onChanged: () => {},
    onHostChanged: () => {},
    onEnded: () => {},
    onLost: () => {},
  };
  const log = createLog({ level: 'error', format: 'text' });
  const helper = new NetHelper(folder, listener, log);
  try {
    return await helper.paths(['192.0.2.1', '192.0.2.2']);
  } finally {
    await helper.stop();
  }
}

describe('the ways to other hosts', () => {
  const whole = { mtus: [1500, null], links: ['eth0', null], gateways: ['192.0.2.254', ''] };

  it('are links, sizes and next hops; undefined where there is none', async () => {
    const found = { link: 'eth0', mtuBytes: 1500, gateway: '192.0.2.254' };
    expect(await paths(whole)).toEqual([found, undefined]);
  });

  it.each(['mtus', 'links', 'gateways'] as const)(
    'without %s are those of another version: said so, with what to do',
    async (part) => {
      const { [part]: _, ...rest } = whole;
      await expect(paths(rest)).rejects.toMatchObject({
        message: expect.stringMatching(/tswarm-net answers path-mtu as another version/),
        hint: expect.stringContaining('of one release'),
      });
    },
  );
});
