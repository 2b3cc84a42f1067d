// tcompose check: what of these files other tools would drop without a word, what they warn of or refuse, and what tswarm does by other means or refuses itself.
// Exit code 1 when tswarm cannot deploy the project; with --detailed-exitcode 2 when the tools that were asked about would not do all of it.
import { isAbsolute, relative } from 'node:path';
import { type CheckResult, checkProject, type Finding } from '#compose-spec/deploy/check';
import { PEERS, type Peer, type Treatment } from '#compose-spec/deploy/peers';
import { TswarmError } from '#protocol/errors';
import { EXIT } from '../output/fail.ts';
import { type Style, styleFor } from '../output/style.ts';
import { formatTable } from '../output/table.ts';
import type { ComposeContext } from './context.ts';
import { planEnvironment } from './deploy.ts';

export interface CheckOptions {
  /** Only these tools; all when empty. */
  readonly target?: readonly string[];
  readonly format?: string;
  readonly detailedExitcode?: boolean;
}

/** Exit code of `--detailed-exitcode` when a tool would not do all of the file. */
const EXIT_DROPPED = 2;

export async function check(context: ComposeContext, options: CheckOptions): Promise<number> {
  const { format = 'text' } = options;
  if (format !== 'text' && format !== 'json')
    throw new TswarmError('invalid_argument', `--format ${format}: must be text or json`);
  const targets = targetsOf(options.target ?? []);
  const { project, locate } = context.load();
  const all = checkProject(project, locate, planEnvironment());
  const result = { ...all, peers: all.peers.flatMap((finding) => onlyFor(finding, targets)) };
  process.stdout.write(
    format === 'json'
      ? `${JSON.stringify({ project: project.name, targets, ...result }, null, 2)}\n`
      : checkText(result, targets, styleFor(process.stdout, process.env)),
  );
  if (!result.deploys) return EXIT.failed;
  return options.detailedExitcode === true && result.peers.length > 0 ? EXIT_DROPPED : EXIT.ok;
}

function targetsOf(asked: readonly string[]): readonly Peer[] {
  const known = Object.keys(PEERS) as Peer[];
  for (const target of asked) {
    if (known.some((peer) => peer === target)) continue;
    throw new TswarmError('invalid_argument', `--target ${target}: must be ${known.join(', ')}`);
  }
  return asked.length === 0 ? known : known.filter((peer) => asked.includes(peer));
}

function onlyFor(finding: Finding, targets: readonly Peer[]): Finding[] {
  const entries = Object.entries(finding.peers).filter(([peer]) => targets.includes(peer as Peer));
  return entries.length === 0 ? [] : [{ ...finding, peers: Object.fromEntries(entries) }];
}

function checkText(result: CheckResult, targets: readonly Peer[], style: Style): string {
  return [
    peersText(result, targets, style),
    ownText(result, style),
    summary(result, targets, style),
  ].join('');
}

const WORDS: Readonly<Record<Treatment, string>> = {
  ignores: 'ignores',
  warns: 'warns',
  refuses: 'refuses',
};

function peersText({ peers }: CheckResult, targets: readonly Peer[], style: Style): string {
  if (peers.length === 0) return '';
  const rows = peers.map((finding) => [
    placeOf(finding),
    finding.path,
    ...targets.map((peer) => treatmentText(finding.peers[peer], style)),
  ]);
  const header = ['PLACE', 'KEY', ...targets.map((peer) => PEERS[peer].toUpperCase())];
  return `${formatTable(header, rows)}\n`;
}

function treatmentText(treatment: Treatment | undefined, style: Style): string {
  if (treatment === undefined) return style.dim('·');
  const paint = { ignores: style.red, warns: style.yellow, refuses: style.yellow }[treatment];
  return paint(WORDS[treatment]);
}

function placeOf({ file, line }: { readonly file?: string; readonly line?: number }): string {
  if (file === undefined) return '';
  const near = relative(process.cwd(), file);
  const shown = isAbsolute(near) || near.startsWith('../../') ? file : near;
  return line === undefined ? shown : `${shown}:${line}`;
}

function ownText({ own }: CheckResult, style: Style): string {
  if (own.length === 0) return '';
  const rows = own.map((finding) => {
    const paint = finding.kind === 'refused' ? style.red : style.dim;
    return [placeOf(finding), finding.path, paint(finding.kind), finding.message];
  });
  return `${formatTable(['PLACE', 'KEY', 'TSWARM', ''], rows)}\n`;
}

function summary(result: CheckResult, targets: readonly Peer[], style: Style): string {
  const lines = targets.map((peer) => {
    const counts = (['ignores', 'warns', 'refuses'] as const)
      .map((treatment) => ({
        treatment,
        count: result.peers.filter((finding) => finding.peers[peer] === treatment).length,
      }))
      .filter(({ count }) => count > 0);
    const words =
      counts.length === 0
        ? 'does everything in these files'
        : counts.map(({ treatment, count }) => sentence(treatment, count)).join(', ');
    return `${style.bold(PEERS[peer])}: ${words}\n`;
  });
  const refused = result.own.filter(({ kind }) => kind === 'refused').length;
  const ours = result.deploys ? 'does everything in these files' : `refuses ${refused}`;
  return `${lines.join('')}${style.bold('tswarm')}: ${ours}\n`;
}

function sentence(treatment: Treatment, count: number): string {
  if (treatment === 'ignores') return `ignores ${count} without a word`;
  return treatment === 'warns' ? `ignores ${count} with a warning` : `refuses ${count}`;
}
