// Builds odd Dockerfiles with our builder and with dockerd 20.10 (BuildKit and classic) and buildah, and prints what differs: files with mode, owner and content, fields of the
// image's configuration, whether the build fails. `npm run conformance:build [-- --only TEXT] [--verbose]`, as root, after a build. What a case expects itself counts before any peer
// (no peer here may know the feature); a peer's difference needs a reason in the case. Exit code 1 when one has none.
import { BAD_CASES } from '#test/support/build-cases/bad';
import { type BuildCase, PEERS } from '#test/support/build-cases/case';
import { CONFIG_CASES } from '#test/support/build-cases/config';
import { FILE_CASES } from '#test/support/build-cases/files';
import { RUN_CASES } from '#test/support/build-cases/run';
import { STAGE_CASES } from '#test/support/build-cases/stages';
import { BuildPeers, type Built, type Side } from '#test/support/build-peers';

const PARTS: Readonly<Record<string, readonly BuildCase[]>> = {
  stages: STAGE_CASES,
  files: FILE_CASES,
  run: RUN_CASES,
  config: CONFIG_CASES,
  bad: BAD_CASES,
};

const CASES: readonly BuildCase[] = Object.entries(PARTS).flatMap(([part, cases]) =>
  cases.map((one) => ({ ...one, name: `${part}: ${one.name}` })),
);

/** Written by the one or the other, and no part of what was asked for. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['Image', 'Hostname', 'Domainname', 'ArgsEscaped']);

type Fields = Readonly<Record<string, unknown>>;

/** Fields of the configuration that say something; what is empty is not there. */
function configOf({ config }: Built): Map<string, string> {
  const fields = new Map<string, string>();
  const { architecture, os, author, config: process } = config as Fields & { config?: Fields };
  for (const [key, value] of Object.entries({ architecture, os, author, ...process })) {
    if (OWN_FIELDS.has(key) || isEmpty(value)) continue;
    const kept = key === 'Labels' ? withoutOwnLabels(value as Fields) : value;
    // In which order variables stand means nothing, and builders differ in it.
    const plain = key === 'Env' ? (kept as readonly string[]).toSorted() : kept;
    if (!isEmpty(plain)) fields.set(key, JSON.stringify(sorted(plain)));
  }
  return fields;
}

function withoutOwnLabels(labels: Fields): Fields {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => key !== 'io.buildah.version'));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

function compare(ours: ReadonlyMap<string, string>, theirs: ReadonlyMap<string, string>): string[] {
  return [...new Set([...ours.keys(), ...theirs.keys()])].toSorted().flatMap((key) => {
    const [a = 'nothing', b = 'nothing'] = [ours.get(key), theirs.get(key)];
    return a === b ? [] : [`${key}: ours ${a}, theirs ${b}`];
  });
}

/** What the two made differs in. */
function differences(ours: Built, theirs: Built): string[] {
  if (ours.code !== theirs.code) {
    const failed = ours.code !== 0 ? ours : theirs;
    return [`${failed === ours ? 'ours' : 'theirs'} fails: ${failed.message.slice(-300)}`];
  }
  return [...compare(ours.tree, theirs.tree), ...compare(configOf(ours), configOf(theirs))];
}

/** What the case itself asks for and ours lacks. */
function unmet(ours: Built, { expect }: BuildCase): string[] {
  if (expect?.fails !== undefined) {
    if (ours.code === 0) return ['must fail, and does not'];
    return expect.fails.test(ours.message) ? [] : [`another message: ${ours.message}`];
  }
  if (expect !== undefined && ours.code !== 0) return [`fails: ${ours.message}`];
  const tree = Object.entries(expect?.tree ?? {}).flatMap(([path, want]) =>
    ours.tree.get(path) === want ? [] : [`${path}: ${ours.tree.get(path)}, wanted ${want}`],
  );
  const config = configOf(ours);
  const fields = Object.entries(expect?.config ?? {}).flatMap(([key, want]) => {
    const plain = key === 'Env' ? (want as readonly string[]).toSorted() : want;
    const text = JSON.stringify(sorted(plain));
    return config.get(key) === text ? [] : [`${key}: ${config.get(key)}, wanted ${text}`];
  });
  return [...tree, ...fields];
}

interface Tally {
  equal: number;
  explained: number;
  unexplained: number;
}

async function main(): Promise<void> {
  const asked = process.argv.indexOf('--only');
  const only = asked < 0 ? '' : (process.argv[asked + 1] ?? '');
  const isVerbose = process.argv.includes('--verbose');
  const isAlone = process.argv.includes('--alone');
  const peers = isAlone ? [] : PEERS;
  const sides: readonly Side[] = ['tswarm', ...peers];
  const tallies = new Map<string, Tally>(
    peers.map((peer) => [peer, { equal: 0, explained: 0, unexplained: 0 }]),
  );
  const cases = CASES.filter(({ name }) => name.includes(only));
  let faults = 0;
  let asExpected = 0;
  await using builders = new BuildPeers(sides);
  await builders.start();
  for (const one of cases) {
    const ours = await builders.build('tswarm', one);
    const missing = unmet(ours, one);
    if (missing.length === 0) asExpected += 1;
    else faults += 1;
    for (const line of missing) console.log(`${one.name}\n  expected: ${line}`);
    if (isVerbose) console.log(`${one.name}\n  ours: ${ours.code} ${ours.message}`);
    for (const peer of peers) {
      const tally = tallies.get(peer);
      const theirs = await builders.build(peer, one);
      const found = differences(ours, theirs);
      const reason = one.differs?.[peer];
      if (tally && found.length === 0) tally.equal += 1;
      else if (tally && reason !== undefined) tally.explained += 1;
      else if (tally) tally.unexplained += 1;
      if (found.length > 0 && (reason === undefined || isVerbose)) {
        console.log(`${one.name}\n${found.map((line) => `  ${peer}: ${line}`).join('\n')}`);
      }
      if (found.length === 0 && reason !== undefined)
        console.log(`${one.name}\n  ${peer}: equal, although the case says: ${reason}`);
    }
  }
  console.log(`${cases.length} cases; as the case expects: ${asExpected}`);
  for (const [peer, { equal, explained, unexplained }] of tallies) {
    faults += unexplained;
    console.log(
      `${peer}: ${equal} equal, ${explained} differ with a reason, ${unexplained} without`,
    );
  }
  process.exitCode = faults === 0 ? 0 : 1;
}

await main();
