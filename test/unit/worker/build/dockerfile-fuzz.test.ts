// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
// Goal: no Dockerfile ends the parser, the plan or the variables in another way than by an error with words of its own, and none takes long. Method: a good file with pieces of it exchanged, cut, repeated
// or spoilt, words and patterns out of the characters that mean something, from fixed seeds; a failure prints its input. TSWARM_FUZZ_ROUNDS=50 TSWARM_FUZZ_SEED=100000 tries more of them, from there on.
import { describe, expect, it } from 'vitest';
import { Dockerignore } from '#protocol/dockerignore';
import { TswarmError } from '#protocol/errors';
import { expandGlob, matchesName } from '#worker/build/glob';
import { modeChange } from '#worker/build/mode';
import { expandText, expandWord, expandWords } from '#worker/build/parse/expand';
import { planBuild } from '#worker/build/plan';
import type { RootView } from '#worker/build/root-view';
import { Prng } from '../../../support/prng.ts';

const ROUNDS = Number(process.env.TSWARM_FUZZ_ROUNDS ?? '1');
const SEED = Number(process.env.TSWARM_FUZZ_SEED ?? '0');
/** On a busy machine, too. */
const SLOW_MS = 5_000;

const GOOD = `# syntax=docker/dockerfile:1
# escape=\\
ARG VERSION=1.2 BASE=alpine
FROM --platform=$BUILDPLATFORM \${BASE:-busybox}:\${VERSION%.*} AS one
ARG VERSION
ENV A=1 B="two words" C=\${A:+x}\\ y
ENV OLD form of it
RUN --mount=type=cache,target=/c,sharing=locked,id=x --mount=type=secret,id=s,env=S \\
  # a comment inside
  echo one && \\

  echo two
RUN <<EOF cat <<-'END' > /b
first $A
EOF
	second
	END
COPY --chown=1:2 --chmod=u=rwX,go=rX --link --exclude=*.o src/*.c [ab]?/ /dst/
COPY ["a b", "/c d/"]
COPY <<"T" /t
text
T
ADD --checksum=sha256:0123 https://h/x.tar.gz /x
SHELL ["/bin/sh", "-ec"]
HEALTHCHECK --interval=1s --retries=3 CMD ["true"]
ONBUILD COPY --from=one / /
FROM one AS two
WORKDIR /a/../b
USER a:b
EXPOSE 80/tcp 1000-1010 $A
VOLUME ["/v", "/w"]
LABEL a.b="c" d='e f'
STOPSIGNAL SIGTERM
FROM scratch
COPY --from=two --parents ./a/./b* /
COPY --from=0 /etc /etc
ENTRYPOINT ["/b"]
CMD echo $A
`;

const PIECES: readonly string[] = [
  '\\',
  '`',
  '"',
  "'",
  '$',
  '${',
  '}',
  '${A:-${B:+${C}}}',
  '${A##*[a-}',
  '${A//x/y}',
  '${A:?}',
  '[',
  ']',
  '["',
  '[1]',
  '[null]',
  '<<',
  '<<E',
  '<<-"E"',
  '--',
  '--mount=',
  '--mount=type=bind,from=two',
  '--from=',
  '--chmod=9',
  '=',
  ',',
  '#',
  '# escape=`\n',
  'ONBUILD ',
  'FROM ',
  'AS ',
  'HEALTHCHECK ',
  '\u0000',
  '\u2028',
  '\ufeff',
  '\ud800',
  '\t',
  '\r',
  '\n',
  '\r\n',
  '99999999999999999999',
  '-1',
  '*',
  '**',
  '..',
  '/',
];

const pieceOf = (prng: Prng): string => PIECES[prng.below(PIECES.length)] ?? '';

const DAMAGE: readonly ((text: string, prng: Prng) => string)[] = [
  (text, prng) => text.slice(0, prng.below(text.length + 1)),
  (text, prng) => text.slice(prng.below(text.length + 1)),
  (text, prng) => {
    const at = prng.below(text.length + 1);
    return text.slice(0, at) + text.slice(at + 1 + prng.below(5));
  },
  (text, prng) => {
    const at = prng.below(text.length + 1);
    return text.slice(0, at) + pieceOf(prng) + text.slice(at);
  },
  (text, prng) => {
    const lines = text.split('\n');
    const [from, to] = [prng.below(lines.length), prng.below(lines.length)];
    lines.splice(to, prng.below(2), lines[from] ?? '');
    return lines.join('\n');
  },
  (text, prng) => {
    const words = text.split(/(?<=[\s=,])/);
    const [from, to] = [prng.below(words.length), prng.below(words.length)];
    words[to] = words[from] ?? '';
    return words.join('');
  },
  (text, prng) => text.replace(/[^\s]+/g, (word) => (prng.below(40) === 0 ? pieceOf(prng) : word)),
];

const OPTIONS = {
  target: '',
  buildArgs: { VERSION: '3', EMPTY: null },
  platformArgs: new Map([['BUILDPLATFORM', 'linux/amd64']]),
  triggersOf: () => ['RUN x'],
};

/** Does it, in time; an error that is ours is an answer. */
function survive(input: unknown, work: () => unknown): void {
  const started = performance.now();
  try {
    work();
  } catch (error) {
    if (!(error instanceof TswarmError) || error.code === 'internal') {
      throw new Error(`${String(error)}\nfor ${JSON.stringify(input)}`, { cause: error });
    }
  }
  const ms = performance.now() - started;
  if (ms > SLOW_MS) throw new Error(`took ${ms.toFixed(0)} ms for ${JSON.stringify(input)}`);
}

describe('a good Dockerfile, spoilt', () => {
  it('is good to begin with', () => {
    expect(planBuild(GOOD, OPTIONS).stages).toHaveLength(3);
  });

  it.each(Array.from({ length: 4 * ROUNDS }, (_, part) => part))('seeds of part %i', (part) => {
    const first = SEED + part * 500;
    for (let seed = first; seed < first + 500; seed += 1) {
      const prng = new Prng(seed);
      let text = GOOD;
      for (let i = prng.below(4); i >= 0; i -= 1) {
        text = DAMAGE[prng.below(DAMAGE.length)]?.(text, prng) ?? text;
      }
      survive(text, () => planBuild(text, OPTIONS));
    }
  });
});

describe('words and patterns of what means something', () => {
  const scope = new Map([
    ['A', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'],
    ['B', ''],
  ]);
  const SMALL = ['a', 'b', '*', '?', '[', ']', '^', '-', '!', '\\', '/', '.', '$', '{', '}', '"'];
  const wordOf = (prng: Prng): string =>
    Array.from({ length: prng.below(24) }, () =>
      prng.below(4) === 0 ? pieceOf(prng) : (SMALL[prng.below(SMALL.length)] ?? ''),
    ).join('');

  it.each(Array.from({ length: 4 * ROUNDS }, (_, part) => part))('seeds of part %i', (part) => {
    const first = SEED + part * 500;
    for (let seed = first; seed < first + 500; seed += 1) {
      const prng = new Prng(seed);
      const word = wordOf(prng);
      survive(word, () => expandWord(word, scope, '\\'));
      survive(word, () => expandWords(`\${A##${word}}`, scope, '`'));
      survive(word, () => expandText(word, scope));
      survive(word, () => modeChange(word));
      const name = 'a'.repeat(60);
      survive(word, () => matchesName(word, name));
      survive(word, () => new Dockerignore(word).ignores(`${name}/${name}`));
    }
  });
});

describe('what grows', () => {
  const stars = '*a'.repeat(30);
  const long = 'a'.repeat(5_000);
  it.each<[string, () => unknown]>([
    ['stars of a file name', () => matchesName(`${stars}b`, long)],
    ['stars of an ignore file', () => new Dockerignore(`${stars}b`).ignores(long)],
    [
      'two stars of an ignore file',
      () => new Dockerignore('**/a'.repeat(20)).ignores('a/'.repeat(500)),
    ],
    ['stars of a variable', () => expandWord(`\${A%%${stars}b}`, new Map([['A', long]]), '\\')],
    [
      'stars that are replaced',
      () => expandWord(`\${A//${stars}b/x}`, new Map([['A', long]]), '\\'),
    ],
    ['variables in variables', () => expandWord('${A:-'.repeat(20_000), new Map(), '\\')],
    ['a continued line', () => planBuild(`FROM a\nRUN x${' \\\n y'.repeat(200_000)}`, OPTIONS)],
    ['lines', () => planBuild(`FROM a\n${'RUN x\n'.repeat(200_000)}`, OPTIONS)],
    ['stages', () => planBuild('FROM a\n'.repeat(20_000), OPTIONS)],
    ['here-documents', () => planBuild(`FROM a\nRUN ${'<<E '.repeat(20_000)}\n`, OPTIONS)],
    ['flags', () => planBuild(`FROM a\nCOPY ${'--link '.repeat(100_000)} a b\n`, OPTIONS)],
    ['triggers of triggers', () => planBuild(`FROM a\n${'ONBUILD '.repeat(20_000)}RUN x`, OPTIONS)],
    ['brackets', () => planBuild(`FROM a\nCMD ${'['.repeat(200_000)}`, OPTIONS)],
    ['one word', () => planBuild(`FROM ${'x'.repeat(4_000_000)}`, OPTIONS)],
  ])('%s', (what, work) => {
    survive(what, work);
  });
});

it('folders upon folders, and as many stars', async () => {
  const deep = `/${Array.from({ length: 40 }, () => 'a').join('/')}`;
  const info = { isDirectory: (): boolean => true };
  const view = {
    resolve: (path: string) => Promise.resolve({ path, info }),
    list: (path: string) =>
      Promise.resolve(`${deep}/`.startsWith(`${path === '/' ? '' : path}/a/`) ? ['a'] : []),
  } as unknown as RootView;
  const started = performance.now();
  expect(await expandGlob(view, '**/a/'.repeat(12))).toHaveLength(29);
  expect(performance.now() - started).toBeLessThan(SLOW_MS);
});
