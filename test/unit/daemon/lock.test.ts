// Goal: one daemon per data root, whatever killed ones have left. Method: real files in a folder of the test's own.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTimeOf, takeLock } from '#daemon/lock';

/** Beyond every pid (PID_MAX_LIMIT is 2^22). */
const NO_PID = 5_000_000;

describe('takeLock', () => {
  let folder = '';
  const lock = (): string => join(folder, 'tswarmd.lock');

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tswarm-lock-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('names the holder, leaves nothing behind', () => {
    const release = takeLock(folder);
    expect(readFileSync(lock(), 'utf8')).toBe(`${process.pid} ${startTimeOf(process.pid)}\n`);
    expect(readdirSync(folder)).toEqual(['tswarmd.lock']);
    expect(() => takeLock(folder)).toThrow(`tswarmd ${process.pid} uses it`);
    expect(readdirSync(folder)).toEqual(['tswarmd.lock']);
    release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.for([
    ['a process that is gone', `${NO_PID} 77\n`],
    ['a process whose number another one has now', `${process.pid} 1\n`],
    ['nobody (a power cut took the contents)', ''],
  ])('takes over from %s', ([, content = '']) => {
    writeFileSync(lock(), content);
    takeLock(folder)();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('looks again before it succeeds a holder: somebody else may have done so', () => {
    writeFileSync(lock(), `${NO_PID} 77\n`);
    const other = `${process.ppid} ${startTimeOf(process.ppid)}\n`;
    let times = 0;
    const meanwhile = (): void => {
      times += 1;
      rmSync(lock());
      writeFileSync(lock(), other);
    };
    expect(() => takeLock(folder, meanwhile)).toThrow(`tswarmd ${process.ppid} uses it`);
    expect(times).toBe(1);
    expect(readFileSync(lock(), 'utf8')).toBe(other);
    expect(readdirSync(folder)).toEqual(['tswarmd.lock']);
  });

  it('leaves the succession to who has claimed it, unless that one is gone as well', () => {
    writeFileSync(lock(), `${NO_PID} 77\n`);
    const claim = `${lock()}.${NO_PID}-77`;
    writeFileSync(claim, `${process.ppid} ${startTimeOf(process.ppid)}\n`);
    expect(() => takeLock(folder)).toThrow(`tswarmd ${process.ppid} uses it`);
    writeFileSync(claim, `${NO_PID + 1} 78\n`);
    takeLock(folder)();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('removes the drafts of killed ones, and of nobody else', () => {
    writeFileSync(`${lock()}.${NO_PID}`, `${NO_PID} 77\n`);
    writeFileSync(`${lock()}.${NO_PID + 1}`, '');
    const living = `${lock()}.${process.ppid}`;
    writeFileSync(living, `${process.ppid} ${startTimeOf(process.ppid)}\n`);
    takeLock(folder)();
    expect(readdirSync(folder)).toEqual([`tswarmd.lock.${process.ppid}`]);
  });
});
