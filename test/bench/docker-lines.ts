// `npm run bench:docker`: the command lines of docker-lines.txt, one after the other, with the stock client against dockerd 20.10 and against tswarm; prints
// the share with the same exit code and equivalent output, and what differs. Equivalent means equal after the rules below: what no two engines can have in
// common (ids, times, sizes, addresses, digests, random names) is replaced by a word, and a hint that tswarm adds behind docker's sentence is no difference.
// Both run in network namespaces of their own, from the same image.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerDockerd } from '../support/peer-dockerd.ts';
import { type Result, run, TestNode } from '../support/test-node.ts';

const SHARE_WANTED = 0.95;
const LINE_MS = 30_000;
/** The newest that dockerd 20.10 speaks: newer ones mean other things by some calls. */
const DOCKER_API_VERSION = '1.41';
const HERE: string = import.meta.dirname;

interface Line {
  readonly text: string;
  readonly args: readonly string[];
  readonly isLoose: boolean;
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
      const isLoose = line.startsWith('~');
      const bare = isLoose ? line.slice(1) : line;
      return { text: bare, args: wordsOf(bare), isLoose };
    });
}

/**
 * In this order: what is longer before what it contains. Beside what is by chance: Swarm's "rpc error: code = … desc = " in front of a sentence, process
 * ids, versions of engines, and how often a client has drawn the progress of a rollout.
 */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/rpc error: code = \w+ desc = /g, ''],
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

/** Undefined = equivalent. */
function differenceOf(line: Line, theirs: Result, ours: Result): string | undefined {
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
  mkdirSync(join(folder, 'image'));
  mkdirSync(join(folder, 'nodockerfile'));
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
    makeFiles(folder, join(node.folder, 'busybox.tar'));
    const options = { timeoutMs: LINE_MS, env: { DOCKER_BUILDKIT: '0', DOCKER_API_VERSION } };
    process.once('SIGTERM', () => {
      isEnding = true;
    });
    for (const line of lines) {
      if (isEnding) throw new Error('ended by a signal');
      const args = line.args.map((word) => word.replaceAll('{folder}', folder));
      // The same files are written by both: one after the other.
      const theirs = await peer.docker(args, options);
      const ours = await run('docker', ['-H', `unix://${node.socket}`, ...args], options);
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
