// Replays recorded command lines of the stock docker client against a node of its own and prints what ends otherwise than recorded:
// `npm run conformance:engine -- DIR [--only TEXT]` (after a build). DIR has engine-api/*.jsonl: a line of JSON per command line (id, cmd, tty, rc, out, err), in
// the order in which they were recorded, one node for each file. What is by chance counts as in test/bench/docker-lines.ts; of objects printed as JSON the names of
// the fields are compared, since values are the host's. Exit code 1 when less than 95 % are equivalent. Lines that need what only the recording host had are named.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { differenceOf, type Said } from '#test/bench/docker-lines';
import { registryInside } from '#test/support/node-registry';
import { Terminal } from '#test/support/terminal';
import { TestNode } from '#test/support/test-node';

const SHARE_WANTED = 0.95;
const LINE_MS = 90_000;
/** The engine of the recordings spoke it. */
const DOCKER_API_VERSION = '1.41';
const RECORDED_REGISTRY = '127.0.0.1:5000';
const RECORDED_HOST = 'vm';

const SKIPPED: Readonly<Record<string, string>> = {
  'run-pull': 'pulls from Docker Hub',
  'img.pull-q': 'pulls from Docker Hub',
  'img.pull-plat': 'pulls from Docker Hub',
  'img.search': 'asks Docker Hub',
  'img.build-buildkit-cli20': 'another client, which builds with BuildKit',
  'context.ls': 'about the client alone',
};

/** Differences that stay, each with its reason. One of them that is gone counts as equivalent. */
const ACCEPTED: Readonly<Record<string, string>> = {
  'run-nocmd':
    'words: the recording engine names containerd and runc; the sentence of the cause is the same',
  'run-tty': 'the recorded terminal had no size',
  'run-missing-image': 'words of a name lookup that fails',
  'start-ai': 'the shell of another busybox greets',
  'logs-opts': 'the last of two lines on two streams, which come in no order',
  'exec-nocmd': '127, as newer engines say',
  'exec-priv-detachkeys': 'the recording host could not give the rights',
  'img.pull-a': 'all tags of a repository at once are not pulled',
  'sw.update': 'old snapshots are not kept (--max-snapshots): a backup has what they are for',
  'node.inspect-pretty': 'other log and network drivers, and another key',
  'net.ls': 'published ports need no ingress network and no docker_gwbridge',
  'net.ls-filter': 'published ports need no ingress network',
  'net.inspect-ingress': 'published ports need no ingress network',
  'svc.create-full': 'waits for a task that has no place; the recording was cut off after a minute',
  'svc.ps': 'a port is said once, not for each address family',
  'svc.ps-filter': 'a port is said once, not for each address family',
  'svc.ps-noimage': 'the task says what the registry answered, and is tried again later',
  'task.inspect': 'the platforms are what a registry says of the image, which is none here',
};

/** Nobody waits longer for a line that was cut off when it was recorded. */
const RECORDED_LIMIT_MS = 60_000;
const CUT_OFF_MS = 10_000;

/** The order of what is listed is by chance. */
const ORDERLESS = /^(diff|stack\.(deploy|redeploy|deploy-attached|rm))$/;

/** What is said is about the host, its other images, or the moment. */
const LOOSE =
  /^(ps-s|top|stats|img\.(ls|ls-f|history)|builder\.prune|(img|sys)\.|nosw\.info|events)/;

interface Recorded {
  readonly id: string;
  readonly cmd: string;
  readonly tty?: boolean;
  readonly rc: number;
  /** How long it took. */
  readonly ms: number;
  readonly out: string;
  readonly err: string;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The objects of a text that is JSON, or a line of JSON each; undefined = it is not. */
function objectsOf(text: string): readonly unknown[] | undefined {
  if (!/^[[{]/.test(text)) return undefined;
  const parse = (part: string): readonly unknown[] => [JSON.parse(part)].flat();
  try {
    return parse(text);
  } catch {
    try {
      return text.trim().split('\n').flatMap(parse);
    } catch {
      return undefined;
    }
  }
}

/** Names of fields that the first has and the second lacks; of lists the first element counts. */
function lacking(want: unknown, have: unknown, where: string): string[] {
  if (Array.isArray(want) && Array.isArray(have)) {
    return want.length === 0 || have.length === 0 ? [] : lacking(want[0], have[0], `${where}[]`);
  }
  if (!isFields(want)) return [];
  // Null and nothing are the same to a client as an empty object.
  if (!isFields(have)) return Object.keys(want).length === 0 ? [] : [where];
  return Object.entries(want).flatMap(([name, value]) => {
    // Ids, ports and labels are names as well.
    if (/[<./:-]/.test(name)) return [];
    return name in have ? lacking(value, have[name], `${where}.${name}`) : [`${where}.${name}`];
  });
}

/** How far something had come when it was looked at, which digest a registry knew, and addresses of interfaces. */
const MOMENT: readonly (readonly [RegExp, string])[] = [
  [/\((health: starting|healthy)\)/g, '(HEALTH)'],
  [
    /\b(New|Pending|Assigned|Accepted|Preparing|Ready|Starting|Running) (?=\d+ |Less than|About)/g,
    'COMING ',
  ],
  [/^active tasks: .*\n?/gm, ''],
  [/(?<=\s)\d+\/(?=\d+\s)/g, 'N/'],
  [/(?<=:[\w.]+)@(DIGEST|sha256:[0-9a-f]{64})/g, ''],
  [/\b02:42(:[0-9a-f]{2}){4}\b/g, 'MAC'],
];

/** Both as the same kind of text: neither a terminal's bytes, nor names of this host. */
function plain(text: string, folder: string): string {
  const words = plainWords(text, folder);
  return MOMENT.reduce((out, [pattern, word]) => out.replace(pattern, word), words);
}

function plainWords(text: string, folder: string): string {
  return text
    .replaceAll('\x1b', '')
    .replace(/\[\d+[A-Z]/g, '')
    .replaceAll('^@', '')
    .replace(/\r+\n?/g, '\n')
    .replaceAll(folder, '$W')
    .replaceAll(hostname(), RECORDED_HOST)
    .replace(/(sha256:)?<HEX64>/g, (_, digest) => (digest ? 'DIGEST' : 'ID'))
    .replace(/<(HEX12|ID25)>/g, 'ID')
    .replaceAll('<PEM>', 'CERTIFICATE')
    .replaceAll('<UNLOCKKEY>', 'KEY')
    .replace(/<(TIME|TOKEN)>/g, '$1');
}

/** Undefined = equivalent. A recording ends with … where it was cut. */
function difference(recorded: Recorded, ours: Said, folder: string): string | undefined {
  if (recorded.rc !== ours.code) {
    return `exit code ${recorded.rc} / ${ours.code} ${ours.stderr.trim().slice(0, 300)}`;
  }
  const [want, have] = [objectsOf(recorded.out), objectsOf(ours.stdout)];
  if (want && have) {
    const names = lacking(want, have, '');
    return names.length > 0 ? `lacks ${[...new Set(names)].join(' ')}` : undefined;
  }
  const shown = (text: string): string => {
    const out = plain(text, folder);
    return ORDERLESS.test(recorded.id) ? out.split('\n').sort().join('\n') : out;
  };
  const isCut = recorded.out.endsWith('…') || recorded.err.endsWith('…');
  return differenceOf(
    { isLoose: isCut || LOOSE.test(recorded.id) },
    { code: recorded.rc, stdout: shown(recorded.out), stderr: shown(recorded.err) },
    { code: ours.code, stdout: shown(ours.stdout), stderr: shown(ours.stderr) },
  );
}

/** What the command lines find in $W: a folder to build, and a stack (which they also print). */
function makeFiles(folder: string, recorded: readonly Recorded[]): void {
  mkdirSync(path.join(folder, 'hw'), { recursive: true });
  mkdirSync(path.join(folder, 'stk'), { recursive: true });
  const dockerfile = 'FROM alpine:3.10\nRUN echo hw > /hw\nCMD ["echo","Hello from Docker!"]\n';
  writeFileSync(path.join(folder, 'hw/Dockerfile'), dockerfile);
  const stack = recorded.find(({ id }) => id === 'stack.config')?.out ?? '';
  writeFileSync(path.join(folder, 'stk/docker-compose.yml'), stack.replaceAll('$W', folder));
  for (const name of ['s.txt', 'c.txt']) writeFileSync(path.join(folder, 'stk', name), `${name}\n`);
}

async function runLine(
  node: TestNode,
  { cmd, tty, ms }: Recorded,
  place: { readonly folder: string; readonly registry: string },
): Promise<Said> {
  const line = cmd.replaceAll(RECORDED_REGISTRY, place.registry);
  const env = {
    W: place.folder,
    DOCKER_HOST: `unix://${node.socket}`,
    DOCKER_CONFIG: path.join(place.folder, 'client'),
    DOCKER_API_VERSION,
    DOCKER_BUILDKIT: '0',
  };
  if (tty !== true) {
    const timeoutMs = ms < RECORDED_LIMIT_MS ? LINE_MS : CUT_OFF_MS;
    return node.inside('bash', ['-c', line], { env, cwd: place.folder, timeoutMs });
  }
  const words = ['nsenter', `--net=${node.netns}`, 'bash', '-c', line];
  const terminal = new Terminal(words, { env, cwd: place.folder });
  const timer = setTimeout(() => terminal.close(), LINE_MS);
  const code = await terminal.exited;
  clearTimeout(timer);
  return { code, stdout: terminal.output, stderr: '' };
}

/** A signal ends the run behind the present line, with the node taken away. */
const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ending.abort());

interface Count {
  readonly replayed: number;
  readonly equivalent: number;
  readonly accepted: number;
}

const countText = ({ replayed, equivalent, accepted }: Count): string =>
  `${equivalent} of ${replayed} equivalent, ${accepted} accepted`;

/** One file of recordings. */
async function replay(file: string, only: string): Promise<Count> {
  const all = readFileSync(file, 'utf8').trim().split('\n');
  const recorded = all.map((line) => JSON.parse(line) as Recorded);
  await using node = new TestNode();
  await node.start();
  await node.importBusybox('busybox:test');
  const made = await node.docker(['build', '-t', 'alpine:3.10', '-'], {
    input: 'FROM busybox:test\nRUN mkdir -m 1777 /tmp\n',
    env: { DOCKER_BUILDKIT: '0' },
  });
  if (made.code !== 0) throw new Error(made.stderr);
  for (const name of ['hello-world:latest', 'busybox:latest', 'debian:latest', 'nginx:latest']) {
    await node.docker(['tag', 'alpine:3.10', name]);
  }
  await using registry = await registryInside(node);
  const folder = path.join(node.folder, 'lines');
  makeFiles(folder, recorded);
  let [replayed, equivalent, accepted] = [0, 0, 0];
  for (const line of recorded) {
    if (ending.signal.aborted) throw new Error('ended by a signal');
    if (!line.id.includes(only)) continue;
    const reason = SKIPPED[line.id];
    if (reason !== undefined) {
      process.stdout.write(`skipped  ${line.id}: ${reason}\n`);
      continue;
    }
    const ours = await runLine(node, line, { folder, registry: registry.host });
    const text = difference(line, ours, folder);
    replayed += 1;
    const isAccepted = ACCEPTED[line.id] !== undefined;
    if (text === undefined) equivalent += 1;
    else if (isAccepted) {
      accepted += 1;
      process.stdout.write(`accepted ${line.id}: ${ACCEPTED[line.id]}\n`);
    } else process.stdout.write(`differs  ${line.id}: ${line.cmd.slice(0, 120)}\n  ${text}\n`);
  }
  const count = { replayed, equivalent, accepted };
  process.stdout.write(`${path.basename(file)}: ${countText(count)}\n`);
  return count;
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const at = args.indexOf('--only');
  const only = at < 0 ? '' : (args[at + 1] ?? '');
  const given = args.find((arg, n) => !arg.startsWith('--') && (at < 0 || n !== at + 1));
  if (given === undefined) {
    process.stderr.write('usage: npm run conformance:engine -- DIR [--only TEXT]\n');
    return 2;
  }
  const inside = path.resolve(given, 'engine-api');
  const root = existsSync(inside) ? inside : path.resolve(given);
  const files = readdirSync(root).filter((name) => name.endsWith('.jsonl'));
  let [replayed, equivalent, accepted] = [0, 0, 0];
  for (const name of files.sort()) {
    const count = await replay(path.join(root, name), only);
    replayed += count.replayed;
    equivalent += count.equivalent;
    accepted += count.accepted;
  }
  const share = replayed === 0 ? 0 : (equivalent + accepted) / replayed;
  const all = { replayed, equivalent, accepted };
  process.stdout.write(`${countText(all)}: ${(share * 100).toFixed(1)} %\n`);
  return share >= SHARE_WANTED ? 0 : 1;
}

process.exitCode = await main();
