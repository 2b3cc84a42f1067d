// `npm run bench:docker`: the command lines of docker-lines.txt, one after the other, with the stock client against dockerd 20.10 and against tswarm; prints
// the share with the same exit code and equivalent output, and what differs. Equivalent means equal after the rules below: what no two engines can have in
// common (ids, times, sizes, addresses, digests, random names) is replaced by a word, and a hint that tswarm adds behind docker's sentence is no difference.
// Both run in network namespaces of their own, from the same image.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registryInside } from '../support/node-registry.ts';
import { PeerDockerd } from '../support/peer-dockerd.ts';
import { Terminal } from '../support/terminal.ts';
import { type Result, type RunOptions, run, TestNode } from '../support/test-node.ts';

const SHARE_WANTED = 0.95;
const LINE_MS = 30_000;
/** The newest that dockerd 20.10 speaks: newer ones mean other things by some calls. */
const DOCKER_API_VERSION = '1.41';
const HERE: string = import.meta.dirname;

interface Line {
  readonly text: string;
  readonly args: readonly string[];
  /** About this host: only the exit code counts, and that something is said. */
  readonly isLoose: boolean;
  /** The client's input and output are a terminal. */
  readonly isTerminal: boolean;
  readonly input: string;
}

/** Words of a line: blanks separate, single quotes hold together. */
export function wordsOf(text: string): string[] {
  return [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

function linesOf(text: string): readonly Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, mark, text = '', input] = /^([~+]?)(.*?)(?: <<< (.*))?$/.exec(line) ?? [];
      return {
        text,
        args: wordsOf(text),
        isLoose: mark === '~',
        isTerminal: mark === '+',
        input: input === undefined ? '' : `${input}\n`,
      };
    });
}

/**
 * In this order: what is longer before what it contains. Beside what is by chance: Swarm's "rpc error: code = … desc = " in front of a sentence and
 * containerd's ": unknown" behind one, process ids, versions of engines, how often a client has drawn the progress of a rollout, and the length of a manifest.
 */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/rpc error: code = \w+ desc = /g, ''],
  [/: unknown$/gm, ''],
  [/(digest: \S+ size: )\d+/g, '$1SIZE'],
  [/^(overall progress|\d+\/\d+|verify): .*\n?/gm, ''],
  [/\b20\.10\.\d+\S*|\b0\.1\.0\b/g, 'VERSION'],
  [/SWMTKN-1-\S+/g, 'TOKEN'],
  [/SWMKEY-1-\S+/g, 'KEY'],
  [/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g, 'CERTIFICATE'],
  [/sha256:[0-9a-f]{12,64}/g, 'DIGEST'],
  [/\b[0-9a-f]{64}\b/g, 'ID'],
  [/\b[0-9a-z]{25}\b/g, 'ID'],
  [/\b[0-9a-f]{12}\b/g, 'ID'],
  [/\b(?=[0-9a-z]*\d)[0-9a-z]{12}\b/g, 'ID'],
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d{4}( \w+)?|Z)?/g, 'TIME'],
  [/\b(Less than a second|About an? \w+|\d+ (second|minute|hour)s?)( ago)?\b/gi, 'AGE'],
  [/\b\d+(\.\d+)?\s?(B|kB|MB|GB|KiB|MiB|GiB)\b/g, 'SIZE'],
  [/\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b/g, 'ADDRESS'],
  [/\b[a-z]+_[a-z]+\b(?= *$)/gm, 'NAME'],
  [/tswarm-(peer|node)-\w+/g, 'FOLDER'],
  [/\/(theirs|ours)\//g, '/SIDE/'],
  [/\b\d{4,7}\b/g, 'NUMBER'],
  [/[ \t]+/g, ' '],
  [/ $/gm, ''],
];

/** What a text says, without what is by chance. */
export function normalised(text: string): string {
  let out = text;
  for (const [pattern, word] of RULES) out = out.replace(pattern, word);
  return out.trim();
}

/** How a command line ended, and what it said. */
export type Said = Pick<Result, 'code' | 'stdout' | 'stderr'>;

/** Undefined = equivalent. */
export function differenceOf(
  line: Pick<Line, 'isLoose'>,
  theirs: Said,
  ours: Said,
): string | undefined {
  if (theirs.code !== ours.code) return `exit code ${theirs.code} / ${ours.code}`;
  const [their, our] = [theirs, ours].map(({ stdout }) => normalised(stdout)) as [string, string];
  if (line.isLoose) {
    return their === '' && our !== '' ? 'says something' : undefined;
  }
  if (their !== our) return `stdout\n    ${their}\n    ${our}`;
  const [theirError, ourError] = [theirs, ours].map(({ stderr }) => normalised(stderr)) as [
    string,
    string,
  ];
  // Newer engines begin some sentences with a small letter.
  const wanted = theirError.replace(/[.\s]+$/, '').toLowerCase();
  if (ourError.toLowerCase().startsWith(wanted)) return undefined;
  return `stderr\n    ${theirError}\n    ${ourError}`;
}

function makeFiles(folder: string, busybox: string): void {
  for (const name of ['image', 'nodockerfile', 'failing', 'client'])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'failing/Dockerfile'), 'FROM busybox:test\nRUN exit 7\n');
  writeFileSync(join(folder, 'wrong.yaml'), 'version: "3.8"\nservices:\n  a:\n    nope: 1\n');
  writeFileSync(
    join(folder, 'image/Dockerfile'),
    'FROM busybox:test\nENV A=b\nCMD ["echo", "built"]\n',
  );
  writeFileSync(join(folder, 'busybox.txt'), 'no archive\n');
  const compose =
    'version: "3.8"\nservices:\n  a:\n    image: busybox:test\n    command: sleep 1000\n';
  writeFileSync(join(folder, 'compose.yaml'), compose);
  writeFileSync(join(folder, 'busybox.tar'), readFileSync(busybox));
}

type Side = (args: readonly string[], options: RunOptions) => Promise<Result>;

function runLine(line: Line, side: Side, folder: string): Promise<Result> {
  const args = line.args.map((word) => word.replaceAll('{folder}', folder));
  const env = { DOCKER_BUILDKIT: '0', DOCKER_API_VERSION, DOCKER_CONFIG: join(folder, 'client') };
  return side(args, { timeoutMs: LINE_MS, env, input: line.input });
}

/** The stock client, on a terminal when the line wants one. */
function client(socket: string, isTerminal: boolean): Side {
  return async (args, options) => {
    const words = ['-H', `unix://${socket}`, ...args];
    if (!isTerminal) return run('docker', words, options);
    const started = performance.now();
    const terminal = new Terminal(['docker', ...words], {
      ...(options.env && { env: options.env }),
    });
    const timer = setTimeout(() => terminal.close(), LINE_MS);
    const code = await terminal.exited;
    clearTimeout(timer);
    return { code, stdout: terminal.output, stderr: '', ms: performance.now() - started };
  };
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-lines-'));
  const lines = linesOf(readFileSync(join(HERE, 'docker-lines.txt'), 'utf8'));
  const node = new TestNode();
  const peer = new PeerDockerd();
  const differing: string[] = [];
  let isEnding = false;
  try {
    await Promise.all([node.start(), peer.start()]);
    await node.importBusybox();
    await node.docker(['rmi', '-f', 'busybox:test']);
    const folders = { theirs: join(folder, 'theirs'), ours: join(folder, 'ours') };
    for (const one of Object.values(folders)) makeFiles(one, join(node.folder, 'busybox.tar'));
    await using _theirs = await registryInside(peer);
    await using _ours = await registryInside(node);
    process.once('SIGTERM', () => {
      isEnding = true;
    });
    for (const line of lines) {
      if (isEnding) throw new Error('ended by a signal');
      const [theirs, ours] = await Promise.all([
        runLine(line, client(peer.socket, line.isTerminal), folders.theirs),
        runLine(line, client(node.socket, line.isTerminal), folders.ours),
      ]);
      const difference = differenceOf(line, theirs, ours);
      if (difference !== undefined) differing.push(`${line.text}\n  ${difference}`);
    }
  } finally {
    await node[Symbol.asyncDispose]();
    await peer[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
  for (const text of differing) process.stdout.write(`differs: docker ${text}\n`);
  const share = 1 - differing.length / lines.length;
  const percent = (share * 100).toFixed(1);
  process.stdout.write(
    `\n${lines.length} command lines: ${lines.length - differing.length} equivalent (${percent} %), ${differing.length} not\n`,
  );
  process.exitCode = share >= SHARE_WANTED ? 0 : 1;
}

if (import.meta.main) await main();
