// Goal: docs/compose-keys.md says what this version does with each of the 93 keys of a service. Method: the table is made from the tables that decide, and compared with the file;
// `vitest run --project unit test/unit/compose-spec/deploy/compose-keys.test.ts -u` writes it.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KEY_NOTES } from '#compose-spec/deploy/key-notes';
import { PEERS, type Peer, type Treatment, treatmentsOf } from '#compose-spec/deploy/peers';
import { SERVICE_SUPPORT, type Support } from '#compose-spec/deploy/support';
import { SERVICE_KEYS } from '#compose-spec/load/schema';
import { problemsOf } from './planned.ts';

const FILE = join(import.meta.dirname, '../../../../docs/compose-keys.md');

/** Forms of keys that are done otherwise: what is asked for, as a service's fields and the rest of a file. */
const REFUSED_FORMS: readonly (readonly [string, string])[] = [
  ['logging: {driver: splunk}', ''],
  ['build: "ftp://h/context.tar"', ''],
  ['userns_mode: keep-id', ''],
  ['network_mode: vpn', ''],
  ['volumes: [{type: npipe, source: p, target: /p}]', ''],
  ['volumes: [{type: cluster, source: v, target: /v}]', ''],
  ['pre_start: [{command: [a], per_replica: true}, {command: [b]}]', ''],
  ['networks: [n]', 'networks: {n: {driver: macvlan}}'],
  ['networks: [n]', 'networks: {n: {driver_opts: {com.docker.network.bridge.name: br0}}}'],
  ['networks: [n]', 'networks: {n: {enable_ipv4: false}}'],
  ['networks: [n]', 'networks: {n: {ipam: {driver: dhcp}}}'],
  ['volumes: ["data:/d"]', 'volumes: {data: {driver: rexray}}'],
  ['secrets: [s]', 'secrets: {s: {driver: vault, file: /p/pw}}'],
  ['extends: {file: "https://h/base.yaml", service: b}', ''],
];

/** What is said of each: the reason, and what to do. */
function refusedRows(): string[] {
  return REFUSED_FORMS.map(([fields, more]) => {
    const [error] = problemsOf(fields, more);
    const form = more === '' ? fields : more;
    return `| \`${form}\` | ${error?.message ?? 'done'} | ${error?.hint ?? ''} |`;
  });
}

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
    '## Forms that are refused',
    '',
    'Of the keys that are done, these forms are refused when a file is read. Hosts refuse what only they can know: `storage_opt` on file systems without project quotas, `runtime`, AppArmor profiles and',
    'devices that are not there, labels where SELinux is on.',
    '',
    '| asked for | answer | what to do |',
    '| --- | --- | --- |',
    ...refusedRows(),
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

it('says of each refused form where it is and what to do', () => {
  for (const [fields, more] of REFUSED_FORMS) {
    const problems = problemsOf(fields, more);
    expect([fields, more, problems.length]).toEqual([fields, more, 1]);
    expect(problems[0]?.hint ?? '').not.toBe('');
  }
});

it('is what docs/compose-keys.md says', async () => {
  await expect(table()).toMatchFileSnapshot(FILE);
});
