// Goal: docs/compose-keys.md says what this version does with each of the 93 keys of a service. Method: the table is made from the tables that decide, and compared with the file;
// `vitest run --project unit test/unit/compose-spec/deploy/compose-keys.test.ts -u` writes it.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KEY_NOTES } from '#compose-spec/deploy/key-notes';
import { PEERS, type Peer, type Treatment, treatmentsOf } from '#compose-spec/deploy/peers';
import { SERVICE_SUPPORT, type Support } from '#compose-spec/deploy/support';
import { SERVICE_KEYS } from '#compose-spec/load/schema';

const FILE = join(import.meta.dirname, '../../../../docs/compose-keys.md');

const MARKS: Readonly<Record<Treatment, string>> = {
  ignores: '**ignored**',
  warns: 'warned',
  refuses: 'refused',
};

function statusOf(support: Support): string {
  switch (support.kind) {
    case 'done':
      return 'done';
    case 'emulated':
      return `emulated: ${support.how}`;
    case 'idle':
      return `no effect, with a notice: ${support.why}`;
    case 'refused':
      return `refused${support.reason === '' ? '' : `: ${support.reason}`}`;
  }
}

function table(): string {
  const peers = Object.keys(PEERS) as Peer[];
  const rows = Object.keys(SERVICE_KEYS)
    .sort()
    .map((key) => {
      const treatments = treatmentsOf(key);
      const others = peers.map((peer) => {
        const treatment = treatments[peer];
        return treatment === undefined ? '' : MARKS[treatment];
      });
      const support = SERVICE_SUPPORT[key];
      const cells = [`\`${key}\``, support ? statusOf(support) : '?', KEY_NOTES[key] ?? '?'];
      return `| ${[...cells, ...others].join(' | ')} |`;
    });
  const count = (kind: Support['kind']): number =>
    Object.values(SERVICE_SUPPORT).filter((support) => support.kind === kind).length;
  return [
    '# The keys of a service',
    '',
    `What tswarm does with each of the ${rows.length} keys of a service in a compose file: ${count('done')} done, ${count('emulated')} emulated, ${count('refused')} refused by name. Nothing is dropped in silence.`,
    'On the right, what other tools do where they do not do all of it: ignored without a word, ignored with a warning, refused. `tcompose check` says it for a file, with parts of keys',
    '(`deploy.update_config`) as well.',
    '',
    `| key | tswarm | on a cluster | ${peers.map((peer) => PEERS[peer]).join(' | ')} |`,
    `| --- | --- | --- |${' --- |'.repeat(peers.length)}`,
    ...rows,
    '',
    'Written by test/unit/compose-spec/deploy/compose-keys.test.ts.',
    '',
  ].join('\n');
}

it('has a note for each key, and for no other', () => {
  expect(Object.keys(KEY_NOTES).sort()).toEqual(Object.keys(SERVICE_KEYS).sort());
});

it('refuses only what there is no way to do', () => {
  const refused = Object.entries(SERVICE_SUPPORT).flatMap(([key, { kind }]) =>
    kind === 'refused' ? [key] : [],
  );
  expect(refused.sort()).toEqual([
    'cpu_count',
    'cpu_percent',
    'cpu_rt_period',
    'cpu_rt_runtime',
    'credential_spec',
    'isolation',
    'models',
    'provider',
  ]);
});

it('is what docs/compose-keys.md says', async () => {
  await expect(table()).toMatchFileSnapshot(FILE);
});
