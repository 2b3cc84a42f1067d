// Names, digests, platforms and challenges: Docker's rules, checked by its own words.
import { describe, expect, it } from 'vitest';
import { chainIds, isDigest, sha256 } from '#worker/images/digest';
import { choosePlatform, parsePlatform, platformText } from '#worker/images/platform';
import {
  familiarName,
  familiarText,
  fullText,
  joinReference,
  parseReference,
  parseTagged,
} from '#worker/images/reference';
import { parseChallenges } from '#worker/images/registry/challenge';

const DIGEST = `sha256:${'a1'.repeat(32)}`;

describe('references', () => {
  it('completes and shortens names', () => {
    const cases: readonly (readonly [string, string, string])[] = [
      ['redis', 'docker.io/library/redis:latest', 'redis:latest'],
      ['redis:7', 'docker.io/library/redis:7', 'redis:7'],
      ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
      ['docker.io/library/redis', 'docker.io/library/redis:latest', 'redis:latest'],
      ['index.docker.io/redis', 'docker.io/library/redis:latest', 'redis:latest'],
      ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
      [
        'localhost:5000/a/b_c.d--e:T.1-x',
        'localhost:5000/a/b_c.d--e:T.1-x',
        'localhost:5000/a/b_c.d--e:T.1-x',
      ],
      ['[::1]:5000/x', '[::1]:5000/x:latest', '[::1]:5000/x:latest'],
      [`ghcr.io/o/app@${DIGEST}`, `ghcr.io/o/app@${DIGEST}`, `ghcr.io/o/app@${DIGEST}`],
      [`app:1@${DIGEST}`, `docker.io/library/app:1@${DIGEST}`, `app:1@${DIGEST}`],
      ['library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
    ];
    for (const [text, full, familiar] of cases) {
      expect(fullText(parseTagged(text)), text).toBe(full);
      expect(familiarText(parseTagged(text)), text).toBe(familiar);
    }
  });

  it('refuses what Docker refuses', () => {
    const bad = [
      '',
      ':',
      'a:',
      'a//b',
      '/a',
      'a/',
      'a@sha256:short',
      `a@sha256:${'A'.repeat(64)}`,
      'a..b/',
      '-a',
      'a b',
      'a:t:u',
      `a:${'t'.repeat(129)}`,
      'x/UPPER',
      '../etc',
      'a/../b',
      `a@${DIGEST}@${DIGEST}`,
      'f'.repeat(64),
      `${'a'.repeat(250)}/b`,
    ];
    for (const text of bad) expect(() => parseReference(text), text).toThrow();
    expect(() => parseReference('x/UPPER')).toThrow('repository name (x/UPPER) must be lowercase');
  });

  it('joins repository and tag of the Engine API', () => {
    expect(fullText(joinReference('app', '1'))).toBe('docker.io/library/app:1');
    expect(fullText(joinReference('app:1', ''))).toBe('docker.io/library/app:1');
    expect(fullText(joinReference('app', DIGEST))).toBe(`docker.io/library/app@${DIGEST}`);
    expect(() => joinReference('app', 'no/tag')).toThrow('invalid tag format');
    expect(familiarName(parseReference('docker.io/library/app'))).toBe('app');
  });
});

describe('digests', () => {
  it('lets no other text through', () => {
    expect(isDigest(DIGEST)).toBe(true);
    for (const text of [
      'sha256:../../x',
      `SHA256:${'a'.repeat(64)}`,
      `md5:${'a'.repeat(32)}`,
      `${DIGEST}\n`,
      `${DIGEST}0`,
    ]) {
      expect(isDigest(text), text).toBe(false);
    }
  });

  it('chains as the image specification says', () => {
    const [a, b] = [sha256('a'), sha256('b')];
    expect(chainIds([])).toEqual([]);
    expect(chainIds([a, b])).toEqual([a, sha256(`${a} ${b}`)]);
  });
});

describe('platforms', () => {
  it('chooses the nearest, and never what cannot run', () => {
    const arm = (variant: string) => ({ os: 'linux', architecture: 'arm', variant });
    const offered = [arm('v5'), arm('v6'), arm('v7'), { os: 'linux', architecture: 'amd64' }];
    expect(choosePlatform(parsePlatform('linux/arm/v6', 'amd64'), offered)).toBe(1);
    expect(choosePlatform(parsePlatform('linux/arm', 'amd64'), offered)).toBe(2);
    expect(choosePlatform(parsePlatform('', 'amd64'), offered)).toBe(3);
    expect(choosePlatform(parsePlatform('linux/arm64', 'amd64'), offered)).toBe(-1);
    expect(choosePlatform(parsePlatform('windows/amd64', 'amd64'), offered)).toBe(-1);
    expect(choosePlatform(parsePlatform('linux/arm/v5', 'amd64'), [arm('v7')])).toBe(-1);
    expect(platformText(parsePlatform('x86_64', 'arm64'))).toBe('linux/amd64');
    expect(() => parsePlatform('linux/arm/v7/x', 'amd64')).toThrow('invalid platform specifier');
  });
});

describe('challenges', () => {
  it('reads quoting, escapes and several schemes in one header', () => {
    const header =
      'Negotiate, Bearer realm="https://a/t?x=\\"1\\"",service=reg,scope="repository:a:pull,push" , Basic realm="b, c"';
    expect(parseChallenges(header)).toEqual([
      { scheme: 'negotiate', parameters: {} },
      {
        scheme: 'bearer',
        parameters: { realm: 'https://a/t?x="1"', service: 'reg', scope: 'repository:a:pull,push' },
      },
      { scheme: 'basic', parameters: { realm: 'b, c' } },
    ]);
    for (const odd of ['', ',,,', 'Bearer realm=', '"', 'Bearer realm="open']) {
      expect(() => parseChallenges(odd)).not.toThrow();
    }
  });
});
