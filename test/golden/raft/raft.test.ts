// Goal: the core's behaviour, message by message, stays what it is. Method: every script in this
// folder is run and must print what it holds. After a change that is meant, rewrite them with `npm
// run golden -- --rewrite` or TSWARM_GOLDEN_REWRITE=1, and read the difference line by line: do not
// commit a change that you cannot explain.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { printScript } from '#test/support/raft-script/parse';
import { runScript } from '#test/support/raft-script/run';

const FOLDER = new URL('.', import.meta.url);
const isRewrite = process.env.TSWARM_GOLDEN_REWRITE === '1';

describe('raft scripts', () => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));
  it.each(names)('%s', (name) => {
    const path = new URL(name, FOLDER);
    const source = readFileSync(path, 'utf8');
    const { parts, results } = runScript(source);
    const printed = printScript(parts, results);
    if (isRewrite) writeFileSync(path, printed);
    else expect(printed).toBe(source);
  });

  it('has scripts', () => expect(names.length).toBeGreaterThan(10));
});
