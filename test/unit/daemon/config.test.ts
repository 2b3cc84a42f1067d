// Settings: flags before environment before file before defaults, and what is refused.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCommand } from '#daemon/config';

const FACTS = { nativeDir: '/usr/lib/tswarm', version: '1.2.3' };
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: unknown): string {
  const path = join(folder, `${Math.random()}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function parse(args: readonly string[], environment: Record<string, string> = {}) {
  const command = parseCommand(args, environment, FACTS);
  if (command.type !== 'run') throw new Error(command.text);
  return command.config;
}

describe('settings', () => {
  it('takes flags before environment before file before defaults', () => {
    const path = file({ dataRoot: '/file', runRoot: '/file', listenAddr: '1.1.1.1:1' });
    const config = parse(['--config', path, '--data-root', '/flag'], {
      TSWARM_DATA_ROOT: '/env',
      TSWARM_RUN_ROOT: '/env',
    });
    expect(config).toMatchObject({
      dataRoot: '/flag',
      runRoot: '/env',
      listenAddr: '1.1.1.1:1',
      logLevel: 'info',
      nativeDir: '/usr/lib/tswarm',
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('takes port and address of the mesh, and refuses what is none', () => {
    expect(parse(['--mesh-port', '4000', '--mesh-addr', '2001:db8::1'])).toMatchObject({
      meshPort: '4000',
      meshAddr: '2001:db8::1',
    });
    expect(() => parse(['--mesh-port', '70000'])).toThrow('mesh-port: "70000" is not a port');
    expect(() => parse(['--mesh-addr', 'eth0'])).toThrow('mesh-addr: "eth0" is no IP address');
  });

  it('refuses unknown flags, unknown keys, wrong levels, files that are no JSON', () => {
    expect(() => parse(['--data-rot', '/x'])).toThrow(/--data-rot/);
    expect(() => parse(['extra'])).toThrow(/extra/);
    expect(() => parse(['--config', file({ dataRot: '/x' })])).toThrow(/unknown setting dataRot/);
    expect(() => parse(['--config', file('{')])).toThrow(/config file/);
    expect(() => parse(['--config', join(folder, 'none.json')])).toThrow(/ENOENT/);
    expect(() => parse(['--log-level', 'loud'])).toThrow(/loud is not a level/);
  });

  it('prints settings, version and help instead of running', () => {
    const text = (args: string[]): string => {
      const command = parseCommand(args, {}, FACTS);
      return command.type === 'print' ? command.text : '';
    };
    expect(JSON.parse(text(['--print-config', '--run-root', '/r']))).toMatchObject({
      runRoot: '/r',
    });
    expect(text(['--version'])).toBe('tswarmd 1.2.3\n');
    expect(text(['--help'])).toContain('TSWARM_DATA_ROOT');
  });
});
