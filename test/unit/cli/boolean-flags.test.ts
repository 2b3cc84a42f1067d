// Goal: yes-or-no flags may carry a value, as with docker's command line, and nothing else on the line changes. Method: lines for the real tree of tcompose.
import { describe, expect, it } from 'vitest';
import { plainBooleans } from '#cli/boolean-flags';
import { program as tcompose } from '#cli/tcompose/program';
import { program as tswarm } from '#cli/tswarm/main';

describe('plainBooleans', () => {
  it.each([
    ['up --detach=true web', 'up --detach web'],
    ['up --detach=false', 'up'],
    ['up --no-deps=true', 'up --no-deps'],
    ['up --no-deps=false', 'up'],
    ['up --build=false', 'up'],
    ['up --build=1', 'up --build'],
    ['watch --prune=false', 'watch --no-prune'],
    ['watch --prune=true', 'watch'],
    ['attach --sig-proxy=F web', 'attach --no-sig-proxy web'],
    ['attach --sig-proxy web', 'attach web'],
    // Not a truth value, or a flag with a value of its own: commander's to judge.
    ['up --detach=maybe', 'up --detach=maybe'],
    ['up --scale=web=2', 'up --scale=web=2'],
    ['-f --detach=true up', '-f --detach=true up'],
    // The command line of the program inside is not ours.
    ['exec --detach=true web cmd --detach=false', 'exec --detach web cmd --detach=false'],
    ['run -e A=1 --rm=true web cmd --rm=true', 'run -e A=1 --rm web cmd --rm=true'],
    ['ps -- --all=true', 'ps -- --all=true'],
  ])('%s', (line, expected) => {
    expect(plainBooleans(tcompose, line.split(' ')).join(' ')).toBe(expected);
  });

  it.each([
    ['service update --read-only web', 'service update --read-only=true web'],
    ['service update --read-only=false web', 'service update --read-only=false web'],
    ['service create -t image tool -t', 'service create --tty=true image tool -t'],
    ['service create --detach=false image', 'service create image'],
  ])('%s, which knows "off" from "not said"', (line, expected) => {
    expect(plainBooleans(tswarm, line.split(' ')).join(' ')).toBe(expected);
  });
});
