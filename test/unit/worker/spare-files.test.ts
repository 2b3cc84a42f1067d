// Goal: on a full disk small files that exist are replaced as a whole, with their mode, and new ones are not made. Method: the spare files themselves (a disk is filled up in
// test/e2e/long/full-disk.test.ts).
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SPARE_FILES_BYTES } from '#worker/limits';
import { keepSpareFiles, takeSpareFile, writeIntoSpare } from '#worker/spare-files';

const LARGEST = SPARE_FILES_BYTES.at(-1) ?? 0;

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tswarm-spare-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Sizes by name. */
const spares = (): number[] =>
  readdirSync(join(root, 'spare'))
    .sort((a, b) => Number(a) - Number(b))
    .map((name) => statSync(join(root, 'spare', name)).size);
const inode = (path: string): number => statSync(join(root, path)).ino;
const replace = (path: string, text: string): Promise<boolean> =>
  writeIntoSpare({
    path,
    temporary: `${path}.tmp`,
    bytes: Buffer.from(text),
    mode: 0o640,
    sync: true,
  });

it('are written in full and put in place of files that exist, which are spare then', async () => {
  await keepSpareFiles(root);
  expect(spares()).toEqual(SPARE_FILES_BYTES);
  const state = join(root, 'state');
  writeFileSync(state, 'x'.repeat(3000));
  const [before, spare] = [inode('state'), inode('spare/0')];
  expect(await replace(state, 'short')).toBe(true);
  expect(readFileSync(state, 'utf8')).toBe('short');
  expect(statSync(state).mode & 0o777).toBe(0o640);
  expect([inode('state'), inode('spare/0')]).toEqual([spare, before]);
  for (let n = 0; n < 100; n++) expect(await replace(state, `text ${n}`)).toBe(true);
  expect(readFileSync(state, 'utf8')).toBe('text 99');
  // A hundred times, and the large ones are as they were.
  expect(spares()).toHaveLength(SPARE_FILES_BYTES.length);
  expect(spares().filter((bytes) => bytes === LARGEST)).toHaveLength(8);
  expect(readdirSync(root).sort()).toEqual(['spare', 'state']);
});

it('are as large as wanted again when there is room', async () => {
  await keepSpareFiles(root);
  const images = join(root, 'images');
  writeFileSync(images, 'small');
  expect(await replace(images, 'x'.repeat(LARGEST))).toBe(true);
  expect(Math.min(...spares())).toBe(5);
  expect(takeSpareFile(root, join(root, 'lock'))).toBe(true);
  await keepSpareFiles(root);
  expect(spares()).toEqual(SPARE_FILES_BYTES);
});

it('refuse new files, large ones, and those of other folders', async () => {
  await keepSpareFiles(root);
  expect(await replace(join(root, 'new'), 'text')).toBe(false);
  const old = join(root, 'old');
  writeFileSync(old, 'old');
  expect(await replace(old, 'x'.repeat(LARGEST + 1))).toBe(false);
  const other = join(mkdtempSync(`${root}-`), 'old');
  writeFileSync(other, 'old');
  expect(await replace(other, 'text')).toBe(false);
  rmSync(dirname(other), { recursive: true });
  expect(readFileSync(old, 'utf8')).toBe('old');
  expect(spares()).toEqual(SPARE_FILES_BYTES);
});
