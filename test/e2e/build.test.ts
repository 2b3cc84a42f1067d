// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles and shells
// Builds with the real runtime on a busybox image: every instruction's effect is looked at in the
// image or in what a step prints. Goal: Docker's results, Docker's lines, and nothing left behind.
// Steps are in the node's own network namespace here. Needs root and busybox.
// Longer than 500 lines because all of it shares one builder, whose start costs more than most tests.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { createServer as createWebServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuildStepEvent, type EngineJson, FOREIGN_DOCKERFILE } from '#protocol/engine';
import { BuildCache } from '#worker/build/cache';
import { type BuildFixture, buildFixture, outputOf } from '../support/builds.ts';
import { type Files, streamOf, tarOf } from '../support/image-tar.ts';
import { linesOf } from '../support/images.ts';

const APPLETS = [
  'sh',
  'ls',
  'cat',
  'id',
  'echo',
  'sleep',
  'mkdir',
  'stat',
  'env',
  'rm',
  'touch',
  'readlink',
  'true',
  'false',
  'mv',
  'ln',
  'test',
  'chmod',
  'head',
  'mount',
];

let builds: BuildFixture;

beforeAll(async () => {
  builds = await buildFixture();
  const files: Record<string, string | Uint8Array> = {
    'bin/': '',
    'bin/busybox': await readFile('/bin/busybox'),
    'etc/': '',
    'etc/passwd': 'root:x:0:0::/root:/bin/sh\nweb:x:33:44::/:/bin/sh\n',
    'etc/group': 'root:x:0:\nweb:x:44:\nstaff:x:50:\n',
    'tmp/': '',
  };
  for (const name of APPLETS)
    files[`bin/${name}`] = '#!/bin/busybox sh\nexec /bin/busybox ${0##*/} "$@"\n';
  files['bin/sh'] = await readFile('/bin/busybox');
  const tar = await tarOf(files, { mode: 0o755 });
  const options = { repo: 'bb', tag: '1', message: '', changes: [] };
  await linesOf(builds.service.api.importTar(streamOf(tar), options));
});
afterAll(async () => {
  await builds.dispose();
});

async function output(files: Files, options = {}): Promise<string> {
  return outputOf(await builds.build(files, options));
}

/** Builds and prints, with a last step, what `command` says in the image. */
async function sees(
  dockerfile: string,
  command: string,
  files: Files = {},
  options = {},
): Promise<string> {
  const text = await output(
    { ...files, Dockerfile: `${dockerfile}\nRUN echo begin-look; ${command}; echo end-look\n` },
    { ...options, noCache: true },
  );
  const found = /\nbegin-look\n([\s\S]*)end-look\n/.exec(text)?.[1];
  if (found === undefined) throw new Error(`the build did not get there:\n${text}`);
  return found;
}

async function config(tag: string): Promise<Record<string, unknown>> {
  return (await builds.service.api.inspect(tag)).Config as Record<string, unknown>;
}

describe('instructions', () => {
  it('writes the classic lines, then takes every step from the cache', async () => {
    const files = { Dockerfile: 'FROM bb:1\nRUN echo hi\nCMD ["a"]\n' };
    const first = await output(files, { tags: ['lines:1', 'lines:2'] });
    const hex = '[0-9a-f]{12}';
    expect(first).toMatch(
      new RegExp(
        `^Step 1/3 : FROM bb:1\n ---> ${hex}\nStep 2/3 : RUN echo hi\n ---> Running in ${hex}\nhi\nRemoving intermediate container ${hex}\n ---> ${hex}\nStep 3/3 : CMD \\["a"\\]\n ---> ${hex}\nSuccessfully built ${hex}\nSuccessfully tagged lines:1\nSuccessfully tagged lines:2\n$`,
      ),
    );
    const second = await output(files, { tags: ['lines:1'] });
    expect(second.match(/ ---> Using cache\n/g)).toHaveLength(2);
    expect(second.slice(-70)).toContain(/Successfully built (\S+)/.exec(first)?.[1]);
    expect(await output(files, { noCache: true })).not.toContain('Using cache');
    expect(await output(files, { quiet: true })).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  });

  it('sets the configuration', async () => {
    const dockerfile = `FROM bb:1
MAINTAINER someone
ENV A=1 B="two words" C=$A
ENV C=$A$C
ENV OLD form with blanks
LABEL l1=v1 "l 2"='v 2'
EXPOSE 80 53/udp 8000-8002
VOLUME ["/data"]
VOLUME /more /evenmore
WORKDIR /w
WORKDIR sub
USER web:staff
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --timeout=2s --retries=4 --start-period=1m CMD test -f /ok
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT ["/bin/echo", "x"]
CMD hello $A
ONBUILD RUN echo triggered
`;
    await output({ Dockerfile: dockerfile }, { tags: ['cfg:1'], labels: { "it's": 'a "label"' } });
    const keep = await config('cfg:1');
    expect(keep).toMatchObject({
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'A=1',
        'B=two words',
        'C=1',
        'OLD=form with blanks',
      ],
      Labels: { l1: 'v1', 'l 2': 'v 2', "it's": 'a "label"' },
      ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {}, '8002/tcp': {} },
      Volumes: { '/data': {}, '/more': {}, '/evenmore': {} },
      WorkingDir: '/w/sub',
      User: 'web:staff',
      StopSignal: 'SIGQUIT',
      Healthcheck: {
        Test: ['CMD-SHELL', 'test -f /ok'],
        Interval: 5e9,
        Timeout: 2e9,
        Retries: 4,
        StartPeriod: 60e9,
      },
      Entrypoint: ['/bin/echo', 'x'],
      Cmd: ['/bin/sh', '-ec', 'hello $A'],
      OnBuild: ['RUN echo triggered'],
    });
    expect((await builds.service.api.inspect('cfg:1')).Author).toBe('someone');
    const child = await output(
      { Dockerfile: 'FROM cfg:1\nENTRYPOINT ["/other"]\n' },
      { tags: ['cfg:2'] },
    );
    expect(child).toContain('# Executing 1 build trigger\n');
    expect(child).toContain('\ntriggered\n');
    const changed = await config('cfg:2');
    expect(changed.Entrypoint).toEqual(['/other']);
    expect(changed.OnBuild).toBeNull();
    expect(changed.Cmd).toBeNull();
  });

  it('runs a step as the user, in the folder, with the variables', async () => {
    const text = await sees(
      'FROM bb:1\nARG P=p1\nARG Q\nENV E=e P2=$P\nWORKDIR /made/here\nUSER web',
      'id -u; id -g; echo $PWD $E $P $P2 q=$Q; stat -c "%U %a" .',
      {},
      { buildArgs: { Q: 'given' } },
    );
    expect(text).toBe('33\n44\n/made/here e p1 p1 q=given\nroot 755\n');
  });

  it('runs here-documents: for the shell, with an interpreter, into a file', async () => {
    const dockerfile = `FROM bb:1
ARG who=me
RUN <<EOF
echo one > /one
echo two > /two
EOF
RUN <<-"DOC" cat > /three
\tliteral $who
\tDOC
RUN <<'SCRIPT'
#!/bin/busybox ash
echo "script $0" > /four
SCRIPT
COPY <<A <<"B" /docs/
expanded $who "quoted" \\$who \\\\
A
kept $who
B
COPY --chmod=600 <<X /single
x
X`;
    const text = await sees(
      dockerfile,
      'cat /one /two /three /four /docs/A /docs/B /single; stat -c %a /single',
    );
    expect(text).toBe(
      'one\ntwo\nliteral $who\nscript /dev/build-script\nexpanded me "quoted" $who \\\nkept $who\nx\n600\n',
    );
  });

  it('reports a step that fails, with its code, and names what cannot be run', async () => {
    const lines = await builds.build({ Dockerfile: 'FROM bb:1\nRUN exit 7\n' });
    expect(lines.at(-1)).toEqual({
      errorDetail: {
        code: 7,
        message: "The command '/bin/sh -c exit 7' returned a non-zero code: 7",
      },
      error: "The command '/bin/sh -c exit 7' returned a non-zero code: 7",
    });
    const missing = await builds.build({ Dockerfile: 'FROM bb:1\nRUN ["/no/such"]\n' });
    expect(missing.at(-1)).toMatchObject({ errorDetail: { code: 127 } });
    const output127 = outputOf(missing);
    expect(output127).toContain("The command '/no/such' cannot be run");
    expect(output127).not.toContain('{"code"');
  });
});

describe('COPY and ADD', () => {
  const files: Files = {
    'a.txt': 'A',
    'b.txt': 'B',
    'a-b.txt': 'AB',
    'dir/': '',
    'dir/x': 'X',
    'dir/deep/': '',
    'dir/deep/y': 'Y',
    'src/main.c': 'int',
    'src/note.md': 'note',
    'secret.key': 'KEY',
    '.dockerignore': '*.key\n**/*.md\n!keep.md\n',
    'keep.md': 'kept',
  };

  it('follows the rules for destinations', async () => {
    const cases: readonly (readonly [string, string, string])[] = [
      ['COPY a.txt /new', 'cat /new', 'A'],
      ['COPY a.txt /newdir/', 'cat /newdir/a.txt', 'A'],
      ['COPY a.txt /tmp', 'cat /tmp/a.txt', 'A'],
      ['COPY dir /tmp/d', 'cat /tmp/d/x /tmp/d/deep/y', 'XY'],
      ['COPY ?.txt dir /many/', 'ls /many', 'a.txt\nb.txt\ndeep\nx\n'],
      ['WORKDIR /rel\nCOPY ["a.txt", "./sub/"]', 'cat /rel/sub/a.txt', 'A'],
      [
        'COPY . /all/',
        'ls -A /all /all/src',
        '/all:\n.dockerignore\nDockerfile\na-b.txt\na.txt\nb.txt\ndir\nkeep.md\nsrc\n\n/all/src:\nmain.c\n',
      ],
      [
        'COPY --chown=web:staff --chmod=0750 a.txt /o/',
        'stat -c "%u:%g %a" /o/a.txt /o',
        '33:50 750\n33:50 755\n',
      ],
      ['COPY a-*.t?t /dash/', 'ls /dash', 'a-b.txt\n'],
      [
        'RUN ln -s /tmp/real /lnk && ln -s /none/there /gone\nCOPY a.txt /lnk\nCOPY a.txt /gone',
        'cat /tmp/real /none/there; readlink /lnk; readlink /gone',
        'AA/tmp/real\n/none/there\n',
      ],
      ['COPY --chown=web a.txt /own', 'stat -c "%u:%g" /own', '33:44\n'],
      ['COPY --chmod=go=,u+x a.txt /m', 'stat -c "%a" /m', '700\n'],
      [
        'USER web\nWORKDIR /mine/below\nUSER root',
        'stat -c "%U:%G" /mine /mine/below',
        'web:web\nweb:web\n',
      ],
      ['USER ghost\nWORKDIR /theirs\nUSER root', 'stat -c "%U" /theirs', 'root\n'],
      ['COPY --chown=7 a.txt /o7', 'stat -c "%u:%g" /o7', '7:7\n'],
      ['COPY --exclude=deep dir /ex/', 'ls /ex', 'x\n'],
      ['RUN ln -s /tmp /lnk\nCOPY a.txt /lnk/', 'cat /tmp/a.txt; readlink /lnk', 'A/tmp\n'],
      [
        'RUN mkdir -p /usr/bin && ln -s usr/bin /sbin2\nCOPY sbin /sbinsrc\nCOPY root /',
        'readlink /sbin2; cat /usr/bin/tool',
        'usr/bin\nT',
      ],
    ];
    for (const [lines, look, expected] of cases) {
      const context = { ...files, 'sbin/': '', 'root/sbin2/tool': 'T', 'root/sbin2/': '' };
      const some = lines.startsWith('COPY .') ? files : context;
      expect(await sees(`FROM bb:1\n${lines}`, look, some), lines).toBe(expected);
    }
  });

  it('extracts archives with ADD and leaves them alone with COPY', async () => {
    const archive = gzipSync(await tarOf({ 'in/': '', 'in/f': 'F' }));
    const context = { 'x.tar.gz': archive, 'plain.gz': gzipSync('text') };
    const dockerfile =
      'FROM bb:1\nADD --chown=web x.tar.gz /added/\nCOPY x.tar.gz /copied/\nADD plain.gz /p/';
    const look = 'cat /added/in/f; stat -c %u /added/in/f; ls /copied /p';
    expect(await sees(dockerfile, look, context)).toBe('F0\n/copied:\nx.tar.gz\n\n/p:\nplain.gz\n');
  });

  it('takes the content into the key of the cache, not the time', async () => {
    const dockerfile = 'FROM bb:1\nCOPY f /f\nRUN cat /f\n';
    const build = async (content: string): Promise<string> =>
      output({ Dockerfile: dockerfile, f: content });
    expect(await build('1')).not.toContain('Using cache');
    expect((await build('1')).match(/Using cache/g)).toHaveLength(2);
    const changed = await build('2');
    expect(changed).not.toContain('Using cache');
  });

  it('refuses what it cannot do, and says why', async () => {
    const cases: readonly (readonly [string, string])[] = [
      [
        'COPY nope /x',
        'COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist',
      ],
      ['COPY secret.key /x', 'excluded by .dockerignore'],
      ['COPY *.nothing /x', 'COPY failed: no source files were specified'],
      ['COPY a.txt b.txt /x', 'the destination must be a directory and end with a /'],
      ['COPY ../../etc/passwd /x', 'forbidden path outside the build context'],
      ['ADD https://example.org/x.git /x', 'ADD https://example.org/x.git is not supported'],
      ['ADD --checksum=sha256:1 a.txt /x', '--checksum without a URL'],
      ['RUN --security=insecure true', 'security.insecure is not allowed'],
      ['COPY --chmod=rwx a.txt /x', "invalid chmod parameter: 'rwx'"],
      ['COPY --chown=nobody7 a.txt /x', "can't find nobody7"],
      ['RUN --mount=type=secret,id=s,required=true true', 'secret s: not found'],
    ];
    for (const [line, message] of cases) {
      expect(await output({ ...files, Dockerfile: `FROM bb:1\n${line}\n` }), line).toContain(
        message,
      );
    }
    // Where the fault is and what to do stand beside the message.
    const lines = await builds.build({
      Dockerfile: 'FROM bb:1\n\nCOPY --chmod=rwx Dockerfile /x\n',
    });
    expect(lines.at(-1)?.errorDetail).toMatchObject({
      field: 'Dockerfile:3',
      hint: expect.stringContaining('octal'),
    });
    const named = builds.build(
      { 'sub/My.file': 'FROM bb:1\nRUM x\n' },
      { dockerfile: 'sub/My.file' },
    );
    await expect(named).rejects.toMatchObject({
      message: 'dockerfile parse error on line 2 of sub/My.file: unknown instruction: RUM',
      field: 'sub/My.file:2',
      hint: 'Did you mean RUN?',
    });
  });

  it('does not let a link in the context lead out of it', async () => {
    const tar = await import('../support/image-tar.ts');
    const { simpleHeader, writeTar } = await import('#worker/images/tar/writer');
    const members = [
      ...tar.members({ Dockerfile: 'FROM bb:1\nCOPY evil /x\n' }),
      {
        header: {
          ...simpleHeader('evil', 'file', 0, 0),
          kind: 'symlink' as const,
          linkName: '/etc/hostname',
        },
      },
    ];
    const context = streamOf(await tar.join(writeTar(members)));
    const { BUILD_DEFAULTS } = await import('../support/builds.ts');
    const lines = await linesOf(
      builds.builder.build(context, BUILD_DEFAULTS, new AbortController().signal),
    );
    expect(outputOf(lines)).toContain('stat evil: file does not exist');
  });
});

describe('stages', () => {
  const dockerfile = `ARG BASE=bb
FROM \${BASE}:1 AS first
ARG BASE
RUN echo "from first \${BASE}" > /out
FROM bb:1 AS unused
RUN echo never-shown; exit 1
FROM first AS second
RUN echo second >> /out
FROM scratch
COPY --from=second /out /final
COPY --from=0 /out /zero
COPY --from=bb:1 /etc/group /group
`;

  it('runs only what the target needs, and copies between stages and images', async () => {
    const text = await output({ Dockerfile: dockerfile }, { tags: ['staged:1'] });
    expect(text).toContain('Step 1/9 : FROM ${BASE}:1 AS first');
    expect(text).not.toContain('never-shown');
    const look = 'FROM bb:1\nCOPY --from=staged:1 / /s/';
    expect(await sees(look, 'cat /s/final /s/zero; ls -A /s')).toBe(
      'from first bb\nsecond\nfrom first bb\nfinal\ngroup\nzero\n',
    );
    const target = await output({ Dockerfile: dockerfile }, { target: 'first', tags: ['t:1'] });
    expect(target).toContain('Step 1/3');
    await expect(builds.build({ Dockerfile: dockerfile }, { target: 'nope' })).rejects.toThrow(
      'failed to reach build target nope',
    );
  });

  it('mounts of RUN: bind from stage and context, cache over builds, tmpfs; no trace in the layer', async () => {
    const lines = `FROM bb:1 AS src
RUN mkdir /s && echo stage > /s/f
FROM bb:1
RUN --mount=from=src,source=/s,target=/m/one --mount=target=/ctx --mount=type=tmpfs,target=/t,size=1m \\
    --mount=type=cache,target=/cache/deep cat /m/one/f /ctx/file; touch /m/one/no 2>/dev/null || echo readonly; echo x >> /cache/deep/n; cat /cache/deep/n`;
    const first = await output({ Dockerfile: `${lines}\n`, file: 'ctx\n' }, { noCache: true });
    expect(first).toContain('\nstage\nctx\n');
    expect(first).toContain('readonly\nx\nRemoving');
    const again = await sees(lines, 'ls -d /m /t /cache /ctx 2>&1', { file: 'ctx\n' });
    expect(again.match(/No such file/g)).toHaveLength(4);
    // Where something is mounted, and from where, is part of the step.
    for (const mounts of [
      ['type=cache,target=/tmp/1', 'type=cache,target=/tmp/2'],
      ['from=src,src=/s,dst=/tmp/m', 'from=src,src=/bin,dst=/tmp/m'],
      ['type=tmpfs,target=/t', 'type=secret,id=none'],
    ]) {
      const texts: string[] = [];
      for (const mount of mounts) {
        const stage = 'FROM bb:1 AS src\nRUN mkdir /s\nFROM bb:1\n';
        texts.push(
          await output({ Dockerfile: `${stage}RUN --mount=${mount} ls /tmp /tmp/m; true\n` }),
        );
      }
      const cached = texts.map((text) => text.split(': RUN --mount')[1]?.includes('Using cache'));
      expect(cached, String(mounts)).toEqual([false, false]);
    }
  });

  it('secrets: a file, a variable, neither in the image; without one, nothing', async () => {
    const lines = `FROM bb:1
WORKDIR /tmp
RUN --mount=type=secret,id=pw --mount=type=secret,id=key,target=/k,uid=33,mode=0440 \\
    --mount=type=secret,id=pw,env=PW cat /run/secrets/pw /k; stat -c '%u %a' /k; echo "[$PW]"
RUN --mount=type=secret,id=pw ls /run/secrets 2>&1 || echo none`;
    const secrets = new Map([
      ['pw', Buffer.from('hush-hush\n')],
      ['key', Buffer.from('a key\n')],
    ]);
    const text = await output({ Dockerfile: `${lines}\n` }, { secrets, tags: ['sec:1'] });
    expect(text).toContain('\nhush-hush\na key\n33 440\n[hush-hush\n]');
    // Configurations, history and layers are all below this folder.
    const found = spawnSync('grep', ['-rl', 'hush-hush', builds.dir], { encoding: 'utf8' });
    expect([found.status, found.stdout]).toEqual([1, '']);
    expect(await sees('FROM sec:1', 'ls -d /run /k 2>&1')).toMatch(/(No such file[\s\S]*){2}/);
    // The cache does not hang on it, as with BuildKit.
    expect(await output({ Dockerfile: `${lines}\n` })).not.toContain('Running in');
  });

  it('ssh: the agent’s socket, under the name that programs look for', async () => {
    const path = builds.dataPath('agent.sock');
    const server = createServer((socket) => socket.end());
    await new Promise<void>((done) => server.listen(path, done));
    try {
      const Dockerfile =
        'FROM bb:1\nRUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo "at $SSH_AUTH_SOCK"\n';
      const text = await output({ Dockerfile }, { sshAgents: { default: path } });
      expect(text).toContain('at /run/buildkit/ssh_agent.0\n');
      const wanted = { Dockerfile: 'FROM bb:1\nRUN --mount=type=ssh,required true\n' };
      expect(await output(wanted)).toContain('SSH key default: not found');
    } finally {
      server.close();
    }
  });

  it('a bind that may be written is thrown away, a cache may begin with files', async () => {
    const lines = `FROM bb:1
RUN --mount=target=/ctx,rw echo changed > /ctx/file; cat /ctx/file
RUN --mount=type=cache,id=seeded,from=bb:1,source=/etc,target=/c cat /c/group | head -n 1
COPY file /kept`;
    const text = await output({ Dockerfile: `${lines}\n`, file: 'ctx\n' }, { noCache: true });
    expect(text).toContain('\nchanged\n');
    expect(text).toContain('\nroot:x:0:\n');
    expect(await sees(lines, 'cat /kept', { file: 'ctx\n' })).toBe('ctx\n');
  });

  it('further contexts: a folder, an image in the place of another', async () => {
    const lines = `FROM swapped
COPY --from=more sub/a.txt /a
RUN --mount=from=more,target=/m cat /m/sub/a.txt`;
    const more = { '.tswarm-contexts/': '', '.tswarm-contexts/more/': '' };
    const files = { ...more, '.tswarm-contexts/more/sub/a.txt': 'more\n', own: 'own\n' };
    const contexts = { more: '', swapped: 'docker-image://bb:1' };
    const look = 'cat /a; ls -A /ctx';
    const text = await sees(`${lines}\nCOPY . /ctx/`, look, files, { contexts });
    expect(text).toBe('more\nDockerfile\nown\n');
    const wrong = await output({ Dockerfile: 'FROM more\n' }, { contexts });
    expect(wrong).toContain('context more has not come along');
  });

  it('stages run side by side, and say what they say in order', async () => {
    // Each waits for the other's mark, which only comes when both run.
    const wait = (mine: string, other: string) =>
      `RUN --mount=type=cache,id=meet-${process.pid},target=/meet touch /meet/${mine}; i=0; while [ ! -e /meet/${other} ]; do sleep 0.1; i=x$i; [ \${#i} -lt 300 ] || exit 1; done; echo ${mine} met`;
    const Dockerfile = `FROM bb:1 AS one
${wait('a', 'b')}
FROM bb:1 AS two
${wait('b', 'a')}
FROM bb:1
COPY --from=one /tmp /one
COPY --from=two /tmp /two
`;
    const text = await output({ Dockerfile }, { noCache: true });
    const order = ['Step 1/7', 'a met', 'Step 3/7', 'b met', 'Step 5/7', 'Successfully built'];
    expect(order.map((part) => text.indexOf(part)).toSorted((a, b) => a - b)).toEqual(
      order.map((part) => text.indexOf(part)),
    );
    expect(text).toContain('b met');
  });

  it('stages and builds keep what they did in one list, at the same moment', async () => {
    const path = builds.dataPath('side-by-side.json');
    const cache = new BuildCache(path, builds.service.parts);
    const saves = Array.from({ length: 20 }, async (_, i) => {
      cache.add(`key${i}`, `sha256:${i}`, '');
      await cache.save();
      expect(Object.keys(JSON.parse(await readFile(path, 'utf8')))).toContain(`key${i}`);
    });
    await Promise.all(saves);
    expect(Object.keys(JSON.parse(await readFile(path, 'utf8')))).toHaveLength(20);
    await cache.prune(Number.POSITIVE_INFINITY);
    await rm(path);
  });

  it('a stage that fails ends the others, and its error is the build’s', async () => {
    const Dockerfile = `FROM bb:1 AS slow
RUN sleep 600
FROM bb:1
RUN false
COPY --from=slow / /x/
`;
    const lines = await builds.build({ Dockerfile }, { noCache: true, events: true });
    expect(outputOf(lines)).toContain("'/bin/sh -c false' returned");
    // Who follows the steps sees which one it was.
    const ends = lines.flatMap(({ aux }) => {
      const { stage, step, state } = (aux ?? {}) as Partial<BuildStepEvent>;
      return state === 'failed' || state === 'cancelled' ? [`${stage} ${step} ${state}`] : [];
    });
    expect(ends.sort()).toEqual(['1 2 failed', 'slow 2 cancelled']);
  });

  it('some stages without the cache', async () => {
    const Dockerfile = 'FROM bb:1 AS a\nRUN echo in-a\nFROM a\nRUN echo in-b\n';
    await output({ Dockerfile });
    const text = await output({ Dockerfile }, { noCacheFilter: ['a'] });
    expect(text).toMatch(/in-a[\s\S]*Running in[\s\S]*Removing/);
    expect(await output({ Dockerfile })).not.toContain('Running in');
  });

  it('a context from a URL: an archive in any packing, a Dockerfile alone, further contexts; what is neither is refused', async () => {
    const archive = await tarOf({
      'd/Dockerfile': 'FROM bb:1\nCOPY a.txt /\nCOPY --from=more x.txt /\nRUN cat a.txt x.txt\n',
      'a.txt': 'from a\n',
      'ignored.txt': '',
      '.dockerignore': 'ignored.txt\n',
    });
    const served: Record<string, string | Uint8Array> = {
      '/c.tar': archive,
      '/c.tar.gz': gzipSync(archive),
      '/c.tar.zst': zstdCompressSync(archive),
      '/c.tar.xz': spawnSync('xz', ['-c'], { input: archive }).stdout,
      '/more': gzipSync(await tarOf({ 'x.txt': 'from x\n' })),
      '/plain': 'FROM bb:1\nRUN echo alone; ls /\n',
      '/binary': Buffer.from([1, 2, 0, 4]),
    };
    const server = createWebServer((request, response) => {
      const path = request.url ?? '';
      response.statusCode = path === '/moved' ? 302 : path in served ? 200 : 404;
      if (path === '/moved') response.setHeader('location', '/c.tar.gz');
      response.end(served[path]);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const contexts = { more: `${url}/more` };
    try {
      for (const path of ['/c.tar', '/c.tar.gz', '/c.tar.zst', '/c.tar.xz', '/moved']) {
        const remote = `${url}${path}`;
        const options = { dockerfile: 'd/Dockerfile', remote, contexts, noCache: true };
        expect(await output({}, options)).toContain('from a\nfrom x\n');
      }
      // What is sent lies over it.
      const own = { [FOREIGN_DOCKERFILE]: 'FROM bb:1\nCOPY . /got/\nRUN ls /got\n' };
      const mixed = { dockerfile: FOREIGN_DOCKERFILE, remote: `${url}/c.tar` };
      expect(await output(own, mixed)).toContain('\na.txt\nd\n');
      const alone = await output({}, { dockerfile: 'other', remote: `${url}/plain` });
      expect(alone).toContain('alone');
      const failing = (remote: string): Promise<unknown> => builds.build({}, { remote });
      await expect(failing(`${url}/binary`)).rejects.toThrow('neither an archive nor a Dockerfile');
      await expect(failing(`${url}/no`)).rejects.toThrow('with status 404 Not Found');
      await expect(failing('git@h:x')).rejects.toThrow('no http or https address');
    } finally {
      server.close();
    }
  });

  it('ADD of a URL: name, mode, time and checksum; never unpacked', async () => {
    const archive = gzipSync(await tarOf({ 'x.txt': 'inside' }));
    const server = createWebServer((request, response) => {
      response.setHeader('last-modified', 'Sat, 01 Jan 2022 00:00:00 GMT');
      response.statusCode = request.url === '/missing' ? 404 : 200;
      response.end(request.url === '/d/f.tar.gz' ? archive : 'plain\n');
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    const digest = createHash('sha256').update('plain\n').digest('hex');
    try {
      const lines = `FROM bb:1
ADD ${url}/d/f.tar.gz /got/
ADD --chmod=0640 --checksum=sha256:${digest} ${url}/p /got/named`;
      const look = "cd /got; ls; stat -c '%a %Y' f.tar.gz named; cat named";
      expect(await sees(lines, look)).toBe(
        'f.tar.gz\nnamed\n600 1640995200\n640 1640995200\nplain\n',
      );
      const failing = async (line: string) => output({ Dockerfile: `FROM bb:1\n${line}\n` });
      expect(await failing(`ADD ${url}/missing /x`)).toContain('404');
      expect(await failing(`ADD --checksum=sha256:${'0'.repeat(64)} ${url}/p /x`)).toContain(
        'digest mismatch',
      );
      expect(await failing(`ADD ${url}/ /x/`)).toContain('cannot determine filename');
    } finally {
      server.close();
    }
  });

  it('COPY --parents keeps the folders of its sources', async () => {
    const files = { 'a/one.txt': '1', 'a/b/two.txt': '2', 'c/three.txt': '3' };
    const lines = 'FROM bb:1\nCOPY --parents a/b/two.txt c /all/\nCOPY --parents a/./b/*.txt /cut/';
    const look = 'ls -R /all /cut';
    expect(await sees(lines, look, files)).toBe(
      '/all:\na\nc\n\n/all/a:\nb\n\n/all/a/b:\ntwo.txt\n\n/all/c:\nthree.txt\n\n/cut:\nb\n\n/cut/b:\ntwo.txt\n',
    );
  });

  it('rights and limits of steps', async () => {
    const Dockerfile =
      'FROM bb:1\nRUN --security=insecure ulimit -n; mount -t tmpfs x /tmp && echo may\n';
    const options = {
      entitlements: ['security.insecure'],
      ulimits: [{ name: 'nofile', soft: 123, hard: 456 }],
      noCache: true,
    };
    expect(await output({ Dockerfile }, options)).toContain('\n123\n');
  });

  it('removes mount points only where no link leads', async () => {
    const lines = `FROM bb:1
RUN mkdir -p /victim/b
RUN --mount=type=tmpfs,target=/a/b mv /a /a2; ln -s /victim /a`;
    expect(await sees(lines, 'ls /victim; readlink /a')).toBe('b\n/victim\n');
  });
});

describe('clean-up', () => {
  it('leaves nothing of a cancelled build', async () => {
    const abort = new AbortController();
    const { BUILD_DEFAULTS } = await import('../support/builds.ts');
    const context = streamOf(await tarOf({ Dockerfile: 'FROM bb:1\nRUN echo now; sleep 600\n' }));
    const lines: EngineJson[] = [];
    for await (const line of await builds.builder.build(context, BUILD_DEFAULTS, abort.signal)) {
      lines.push(line);
      if (line.stream === 'now\n') abort.abort();
    }
    expect(lines.at(-1)?.error).toContain('cancelled');
    await expectNothingLeft();
  });

  it('leaves nothing of builds that ended or failed', async () => {
    await output({ Dockerfile: 'FROM bb:1\nRUN sleep 1000 & echo left a child\nRUN false\n' });
    await expectNothingLeft();
  });

  it('prunes the cache, and keeps what images need', async () => {
    await output({ Dockerfile: 'FROM bb:1\nRUN echo keep > /k\n' }, { tags: ['keep:1'] });
    await output({ Dockerfile: 'FROM bb:1\nRUN echo drop > /d\n' }, { tags: ['drop:1'] });
    await builds.service.api.remove('drop:1', { force: false, noPrune: false });
    // Younger than that.
    const young = await builds.builder.pruneCache({ until: ['1h'] });
    expect(young).toEqual({ CachesDeleted: null, SpaceReclaimed: 0 });
    const { SpaceReclaimed } = await builds.builder.pruneCache({});
    expect(Number(SpaceReclaimed)).toBeGreaterThan(0);
    const text = await output(
      { Dockerfile: 'FROM bb:1\nRUN echo keep > /k\n' },
      { tags: ['keep:1'] },
    );
    expect(text).toContain('Using cache');
    expect(await sees('FROM keep:1', 'cat /k')).toBe('keep\n');
  });
});

async function expectNothingLeft(): Promise<void> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  expect(mounts).not.toContain(builds.dir);
  for (const name of ['contexts', 'views', 'steps']) {
    expect(await readdir(builds.dataPath(name)), name).toEqual([]);
  }
  expect(builds.service.store.rootfsIds()).toEqual([]);
  expect(await readdir(`${builds.options.dataDir}/tmp`)).toEqual([]);
}
