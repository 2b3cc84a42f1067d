// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles and shells
// The Dockerfile's grammar, its variables and patterns, and which stages run. Cases follow Docker's
// reference.
import { describe, expect, it } from 'vitest';
import { applyChanges, joinDir } from '#worker/build/config-change';
import { matchesName } from '#worker/build/glob';
import { modeChange } from '#worker/build/mode';
import { parseDockerfile } from '#worker/build/parse/dockerfile';
import { expandText, expandWord, expandWords } from '#worker/build/parse/expand';
import { readInstruction } from '#worker/build/parse/instructions';
import { planBuild } from '#worker/build/plan';

function lines(source: string): string[] {
  return parseDockerfile(source).instructions.map(({ keyword, rest }) => `${keyword}|${rest}`);
}

describe('lines', () => {
  it('joins continuations, drops comments and empty lines inside them', () => {
    const source =
      '# comment\nFROM a\n\nRUN one \\\n  # inside\n\n  two \\\n\tthree\n  run  x\\y \\  \n z\n';
    expect(lines(source)).toEqual(['FROM|a', 'RUN|one   two \tthree', 'RUN|x\\y  z']);
    expect(lines('\ufeffFROM a\r\nRUN b \\\r\n c\r\n')).toEqual(['FROM|a', 'RUN|b  c']);
    expect(lines('RUN a\\\\\nRUN b')).toEqual(['RUN|a\\\\', 'RUN|b']);
    expect(lines('RUN end \\')).toEqual(['RUN|end']);
  });

  it('obeys directives at the top only', () => {
    expect(lines('# escape=`\nRUN a `\n b\\\nRUN c')).toEqual(['RUN|a  b\\', 'RUN|c']);
    expect(lines('# syntax=docker/dockerfile:1\n# check=skip=all\nFROM a')).toEqual(['FROM|a']);
    expect(lines('FROM a\n# escape=`\nRUN a \\\n b')).toEqual(['FROM|a', 'RUN|a  b']);
    expect(() => parseDockerfile('# escape=x\nFROM a')).toThrow('invalid escape token');
    expect(() => parseDockerfile('# escape=`\n# escape=`\nFROM a')).toThrow(
      'only one escape parser directive',
    );
  });

  it('takes here-documents', () => {
    const { instructions } = parseDockerfile(
      'RUN <<A cat <<-\'B\' && x\none\nA\n\ttwo $v\n\tB\nCOPY <<"C" /d\nA\nC\nCMD echo <<X\n',
    );
    expect(instructions[0]?.hereDocs).toEqual([
      { name: 'A', content: 'one\n', isExpanded: true, isChomped: false },
      { name: 'B', content: 'two $v\n', isExpanded: false, isChomped: true },
    ]);
    expect(instructions[1]?.hereDocs).toEqual([
      { name: 'C', content: 'A\n', isExpanded: false, isChomped: false },
    ]);
    expect(instructions[2]?.hereDocs).toEqual([]);
    expect(() => parseDockerfile('RUN <<A\nx\n')).toThrow('unterminated heredoc: A');
    expect(lines('RUN echo $((1<<3)) "<<no" 2<<<word')).toHaveLength(1);
  });
});

describe('variables', () => {
  const values = new Map([
    ['a', 'A'],
    ['empty', ''],
    ['path', '/x/y.tar.gz'],
    ['sp', 'one  two'],
  ]);
  const expand = (word: string): string => expandWord(word, values, '\\');

  it('puts them in', () => {
    const cases: Readonly<Record<string, string>> = {
      $a: 'A',
      '${a}b': 'Ab',
      $ab: '',
      x$: 'x$',
      $$: '',
      '\\$a': '$a',
      "'$a'": '$a',
      '"$a"': 'A',
      '${none:-d}': 'd',
      '${empty:-d}': 'd',
      '${empty-d}': '',
      '${none-d}': 'd',
      '${a:+s}': 's',
      '${empty:+s}': '',
      '${empty+s}': 's',
      '${none+s}': '',
      '${none:-${a}x}': 'Ax',
      '${none:-"q r"}': 'q r',
      '${a:?no}': 'A',
      '${path#*/}': 'x/y.tar.gz',
      '${path##*/}': 'y.tar.gz',
      '${path%.*}': '/x/y.tar',
      '${path%%.*}': '/x/y',
      '${path/x/Z}': '/Z/y.tar.gz',
      '${path//r/R}': '/x/y.taR.gz',
      '${path/[xy]/}': '//y.tar.gz',
      '"a\\"b"': 'a"b',
      '"a\\b"': 'a\\b',
      'a\\ b': 'a b',
      '"one two"three': 'one twothree',
      "''": '',
    };
    for (const [word, expected] of Object.entries(cases)) expect(expand(word), word).toBe(expected);
  });

  it('splits only where blanks are not quoted', () => {
    expect(expandWords('$sp "x y"', values, '\\')).toEqual(['one', 'two', 'x y']);
    expect(expandWords('"$sp"', values, '\\')).toEqual(['one  two']);
    expect(expandText('"$a" \\$a \'$a\' \\\\ \\x', values)).toBe('"A" $a \'A\' \\ x');
  });

  it('refuses what has no end or no meaning', () => {
    for (const word of ['"open', "'open", '${a', '${}', '${a:x}', '${a:=b}'])
      expect(() => expand(word), word).toThrow();
    expect(() => expand('${none:?is needed}')).toThrow('none: is needed');
    expect(() => expand('${none:-'.repeat(50) + '}'.repeat(50))).toThrow('nested too deeply');
    const doubling = new Map([['x', 'y'.repeat(1_000_000)]]);
    expect(() => expandWord('$x'.repeat(10), doubling, '\\')).toThrow('too long');
  });
});

describe('instructions', () => {
  const read = (source: string) => {
    const [raw] = parseDockerfile(source).instructions;
    if (raw === undefined) throw new Error('nothing there');
    return readInstruction(raw, '\\');
  };

  it('knows exec form, shell form and what looks like exec form', () => {
    expect(read('CMD ["a", "b c"]')).toMatchObject({
      command: { form: 'exec', args: ['a', 'b c'] },
    });
    expect(read("CMD ['a']")).toMatchObject({ command: { form: 'shell', text: "['a']" } });
    expect(read('RUN [ -f x ]')).toMatchObject({ command: { form: 'shell', text: '[ -f x ]' } });
    expect(read('ENTRYPOINT []')).toMatchObject({ command: { form: 'exec', args: [] } });
  });

  it('reads flags, pairs and lists', () => {
    expect(read('COPY --from=x --chown=a:b --link a "b c" d/')).toMatchObject({
      sources: ['a', '"b c"'],
      destination: 'd/',
      from: 'x',
      chown: 'a:b',
      isLink: true,
    });
    expect(read('RUN --mount=type=cache,target=/c,ro --network=none x')).toMatchObject({
      mounts: [{ type: 'cache', target: '/c', ro: 'true' }],
      network: 'none',
    });
    expect(read('ENV a=1 b="x y" c=a\\ b')).toMatchObject({
      pairs: [
        { name: 'a', value: '1' },
        { name: 'b', value: '"x y"' },
        { name: 'c', value: 'a\\ b' },
      ],
    });
    expect(read('ENV key some value')).toMatchObject({
      pairs: [{ name: 'key', value: 'some value' }],
    });
    expect(read('FROM --platform=linux/arm64 a:1 AS Name')).toMatchObject({
      base: 'a:1',
      name: 'name',
      platform: 'linux/arm64',
    });
    expect(read('HEALTHCHECK NONE')).toMatchObject({ command: undefined });
    expect(read('VOLUME ["/a b"]')).toMatchObject({ items: ['/a b'] });
  });

  it('refuses by name and line', () => {
    const cases: Readonly<Record<string, string>> = {
      'NOPE x': 'line 1: unknown instruction: NOPE',
      'COPY --bogus a b': 'unknown flag: --bogus (COPY)',
      'RUN --mount=type=disk,target=/x y': 'unsupported mount type "disk"',
      'RUN --mount=type=cache,target=/x,shared=locked y': "unexpected key 'shared'",
      'RUN --mount=type=cache,target=/x,sharing=mine y': "invalid value for 'sharing': mine",
      'RUN --mount=type=secret,id=a,size=3 y': "unexpected key 'size'",
      'RUN --mount=type=secret,id=a,mode=rw y': "invalid value for 'mode': rw",
      'RUN --mount=type=secret,id=a,required=yes y': "invalid value for 'required': yes",
      'RUN --mount=type=cache,id y': "invalid field 'id' must be a key=value pair",
      'RUN --mount=type=tmpfs y': 'target is missing',
      'CMD ["a", 1]': 'arrays must be comprised of strings only',
      'RUN --mount x': 'missing a value on flag: --mount',
      'COPY a': 'COPY requires at least two arguments',
      'FROM a b': 'FROM requires either one or three arguments',
      'FROM a AS 1x': 'invalid name for build stage',
      'ENV x': 'ENV must have two arguments',
      'ENV a=1 b': "can't find = in",
      'SHELL sh -c': 'JSON form',
      'ONBUILD FROM x': "FROM isn't allowed as an ONBUILD trigger",
      'ONBUILD ONBUILD RUN x': 'Chaining ONBUILD',
      'HEALTHCHECK TRY x': 'unknown type "TRY"',
      'RUN --security=loose x': 'security "loose" is not valid',
      'COPY --from=a --from=b x y': 'duplicate flag specified: --from',
      WORKDIR: 'requires at least one argument',
    };
    for (const [source, message] of Object.entries(cases))
      expect(() => read(source), source).toThrow(message);
  });
});

describe('changes of commit and import', () => {
  it('work like instructions', () => {
    const changed = applyChanges(
      { Env: ['A=1'], WorkingDir: '/w', Entrypoint: ['e'], Cmd: ['old'] },
      [
        'ENV A=2 B=$A',
        'WORKDIR sub/../x',
        'ENTRYPOINT ["n"]',
        'EXPOSE 53/udp',
        'HEALTHCHECK --interval=1m30s CMD ["t"]',
      ],
    );
    expect(changed).toEqual({
      Env: ['A=2', 'B=1'],
      WorkingDir: '/w/x',
      Entrypoint: ['n'],
      ExposedPorts: { '53/udp': {} },
      Healthcheck: { Test: ['CMD', 't'], Interval: 90e9 },
    });
    expect(() => applyChanges({}, ['RUN x'])).toThrow('RUN is not a valid change command');
    expect(() => applyChanges({}, ['EXPOSE 0'])).toThrow('invalid containerPort: 0');
    expect(() => applyChanges({}, ['HEALTHCHECK --interval=5 CMD x'])).toThrow('is not a duration');
    expect(() => applyChanges({}, ['STOPSIGNAL 99'])).toThrow('Invalid signal');
    expect(joinDir('/a/b', '../../../c/./d')).toBe('/c/d');
  });
});

describe('stages', () => {
  const options = {
    target: '',
    buildArgs: {},
    platformArgs: new Map([['TARGETARCH', 'amd64']]),
    triggersOf: (image: string) => (image === 'triggers' ? ['COPY --from=late /x /x'] : []),
  };
  const names = (source: string, more = {}): string[] =>
    planBuild(source, { ...options, ...more }).stages.map(
      (stage) => stage.name || String(stage.index),
    );

  it('run when the target needs them', () => {
    const source =
      'FROM x AS a\nFROM y AS b\nRUN --mount=from=a,target=/m z\nFROM b AS c\nFROM z AS d\nCOPY --from=0 / /\nFROM scratch\nCOPY --from=c / /\n';
    expect(names(source)).toEqual(['a', 'b', 'c', '4']);
    expect(names(source, { target: 'd' })).toEqual(['a', 'd']);
    expect(names(source, { target: '1' })).toEqual(['a', 'b']);
    expect(() => names(source, { target: 'zz' })).toThrow('failed to reach build target zz');
  });

  it('begin with what global arguments say', () => {
    const source = 'ARG V=1\nARG IMG=base-$V-$TARGETARCH\nFROM ${IMG}:$V\nARG V\n';
    expect(planBuild(source, options).target.base).toBe('base-1-amd64:1');
    expect(planBuild(source, { ...options, buildArgs: { V: '2' } }).target.base).toBe(
      'base-2-amd64:2',
    );
    const order = (source: string): number[] =>
      planBuild(source, options).stages.map(({ index }) => index);
    // A stage may copy from a later one; then that one runs first.
    expect(order('FROM x AS a\nCOPY --from=b / /\nFROM y AS b\nFROM a\n')).toEqual([1, 0, 2]);
    expect(order('FROM x AS a\nFROM y AS b\nFROM z\nCOPY --from=b / /\nCOPY --from=a / /')).toEqual(
      [0, 1, 2],
    );
    expect(order('FROM triggers AS t\nFROM y AS late\nFROM t')).toEqual([1, 0, 2]);
    expect(order('FROM x AS late\nFROM y AS t\nONBUILD COPY --from=late / /\nFROM t')).toEqual([
      0, 1, 2,
    ]);
    expect(order('FROM x\nFROM y\nFROM z\nCOPY --from=$WHICH / /')).toEqual([0, 1, 2]);
    for (const circle of [
      'FROM x AS a\nCOPY --from=a / /',
      'FROM x\nCOPY --from=0 / /',
      'FROM x AS a\nCOPY --from=b / /\nFROM a AS b',
      'FROM x AS a\nRUN --mount=from=b,target=/m y\nFROM z AS b\nCOPY --from=a / /',
    ])
      expect(() => planBuild(circle, options), circle).toThrow('circular dependency detected');
    expect(() => planBuild('FROM $NONE', options)).toThrow('should not be blank');
    expect(() => planBuild('RUN x\nFROM a', options)).toThrow('no build stage in current context');
    expect(() => planBuild('# only a comment', options)).toThrow('No image was generated');
  });
});

describe('patterns', () => {
  it('match as Go’s filepath.Match', () => {
    const yes: readonly (readonly [string, string])[] = [
      ['*', 'abc'],
      ['a?c', 'abc'],
      ['[a-c]x', 'bx'],
      ['[^a]x', 'bx'],
      ['\\*', '*'],
      ['*.t[x]t', 'f.txt'],
      ['a.b', 'a.b'],
      ['[]a]', ']'],
    ];
    const no: readonly (readonly [string, string])[] = [
      ['a?c', 'ac'],
      ['[^a]x', 'ax'],
      ['a.b', 'axb'],
      ['*.txt', 'txt'],
      ['(x)', 'x'],
    ];
    for (const [pattern, text] of yes) expect(matchesName(pattern, text), pattern).toBe(true);
    for (const [pattern, text] of no) expect(matchesName(pattern, text), pattern).toBe(false);
    expect(() => matchesName('[a', 'a')).toThrow('syntax error in pattern');
  });
});

describe('modes', () => {
  const change = (text: string, mode: number, isFolder = false): string | undefined =>
    modeChange(text)?.(mode, isFolder).toString(8);

  it('are octal numbers, or letters that change what is there', () => {
    expect(change('0640', 0o777)).toBe('640');
    expect(change('u+x,go-r', 0o644)).toBe('700');
    expect(change('a=rX', 0o644)).toBe('444');
    expect(change('a=rX', 0o711)).toBe('555');
    expect(change('a=rX', 0o600, true)).toBe('555');
    expect(change('g=u,o=', 0o754)).toBe('770');
    expect(change('+x', 0o644)).toBe('755');
    expect(change('u=rwxs,g+s', 0o644)).toBe('6744');
    expect(change('u-x+w=r', 0o755)).toBe('455');
    expect(change('=', 0o7777)).toBe('0');
    expect(change('o+t', 0o644)).toBe('644');
    expect(change('+t', 0o755)).toBe('1755');
  });

  it('are refused when they are neither', () => {
    for (const text of ['rwx', '8', '77777', 'u+q', 'u', 'u+x,', 'z+x', '0x7'])
      expect(modeChange(text), text).toBeUndefined();
  });
});
