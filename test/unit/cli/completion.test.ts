// Goal: completion offers what the trees of commands have, where it fits, and names of the project and cluster where those fit. Method: the real trees with names from a table; the scripts in
// the shells that this machine has.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { complete } from '#cli/completion/candidates';
import { completionScript, SHELLS } from '#cli/completion/scripts';
import { program as tcompose } from '#cli/tcompose/program';
import { program as tswarm } from '#cli/tswarm/main';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  services: ['web', 'worker'],
  service: ['web', 'worker'],
  node: ['m1'],
  nodes: ['m1'],
};

async function words(program: typeof tcompose, ...line: readonly string[]): Promise<string[]> {
  const { candidates, files } = await complete(
    program,
    line,
    async ({ argument }) => NAMES[argument] ?? [],
  );
  return [...candidates.map(({ word }) => word), ...(files ? [':files'] : [])];
}

describe('tcompose', () => {
  it.each<readonly [readonly string[], readonly string[]]>([
    [['st'], ['stop', 'start', 'stats']],
    [['-f', 'x.yaml', 'unp'], ['unpause']],
    [
      ['logs', 'w'],
      ['web', 'worker'],
    ],
    [
      ['logs', '--follow', 'web', ''],
      ['web', 'worker'],
    ],
    [
      ['up', '--wai'],
      ['--wait', '--wait-timeout'],
    ],
    [['--progress', 'p'], ['plain']],
    [['--progress=p'], ['--progress=plain']],
    [['-f', ''], [':files']],
    [['up', '--plan', ''], [':files']],
    [['exec', 'we'], ['web']],
    [['exec', 'web', 'ls', '--'], []],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['nonsense', ''], []],
  ])('%j', async (line, expected) => {
    expect(await words(tcompose, ...line)).toEqual(expected);
  });

  it('shows no hidden command, but help', async () => {
    const all = await words(tcompose, '');
    expect(all).toContain('plan');
    expect(all.filter((word) => word.startsWith('_'))).toEqual([]);
  });
});

describe('tswarm', () => {
  it.each<readonly [readonly string[], readonly string[]]>([
    [['service', 'insp'], ['inspect']],
    [['service', 'ps', 'we'], ['web']],
    [['node', 'inspect', ''], ['m1']],
    [['image', 'load', '--input', ''], [':files']],
  ])('%j', async (line, expected) => {
    expect(await words(tswarm, ...line)).toEqual(expected);
  });
});

describe('the script', () => {
  it.each(SHELLS)('of %s is one that the shell understands', (shell) => {
    const folder = mkdtempSync(join(tmpdir(), 'tswarm-completion-'));
    const script = join(folder, shell);
    writeFileSync(script, completionScript(shell, 'tcompose'));
    const { error, status, stderr } = spawnSync(shell, ['-n', script], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    if (error) return; // A machine without this shell.
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('of bash offers the words, the value after = alone, and no more than fits', () => {
    const stub = 'tcompose() { printf "%b\\n" "--scale=web\\tx" "--scale=worker"; }';
    const probe = `${stub}
${completionScript('bash', 'tcompose')}
COMP_LINE='tcompose up --scale=w' COMP_POINT=21
_tcompose
printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = spawnSync('bash', ['-c', probe], { encoding: 'utf8' });
    expect(stdout).toBe('web\nworker\n');
  });
});
