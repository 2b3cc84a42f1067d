// RUN: mounts, networks, here-documents, users, forms; and what a step leaves in its layer.
import { type BuildCase, lines } from './case.ts';

const OLD = 'newer than this builder';
const NO_MOUNTS = 'the classic builder has no RUN --mount';
const LEAVES = 'leaves the mount points behind, which newer ones do not';
const NO_DOCS = { buildkit: OLD, classic: OLD, buildah: OLD };

export const RUN_CASES: readonly BuildCase[] = [
  {
    name: 'user, folder and variables of a step',
    dockerfile: lines(
      'FROM base:1',
      'ENV HELLO=world',
      'WORKDIR /work',
      'RUN chmod 777 /work',
      'USER web',
      'RUN id > id; pwd > pwd; echo $HELLO $HOME > env; umask > umask; touch made',
      'USER web:adm',
      'RUN id > id2',
      'USER 1234',
      'RUN id > id3',
      'USER 1234:77',
      'RUN id > id4',
    ),
    differs: { buildkit: 'does not count the own group among the groups' },
  },
  {
    name: 'exec form: no shell, no variables',
    dockerfile: lines('FROM base:1', 'ENV A=1', 'RUN ["touch", "/$A", "/b c"]'),
  },
  {
    name: 'what looks like the exec form and is none',
    dockerfile: lines('FROM base:1', "RUN [ 'x' = 'x' ] && echo yes > /yes"),
  },
  {
    name: 'a step deletes, replaces and renames what was below',
    dockerfile: lines(
      'FROM base:1',
      'RUN mkdir -p /d/sub && echo 1 > /d/sub/f && echo 2 > /g && ln -s /g /l',
      'RUN rm -r /d && mkdir /d && echo new > /d/n && rm /g && mkdir /g && touch /g/in && mv /l /l2',
      'RUN rm -rf /g && echo file > /g && chmod 600 /etc/passwd && chown 5:6 /etc/group',
    ),
  },
  {
    name: 'kinds of files that a step makes',
    dockerfile: lines(
      'FROM base:1',
      'RUN mkfifo /fifo; touch /a; ln /a /b; ln -s nowhere /dangling; chmod 4755 /a; mkdir -m 1777 /sticky; mkdir -m 2750 /setgid; chown 7:8 /sticky',
    ),
  },
  {
    name: 'nothing of the step’s own mounts stays',
    dockerfile: lines(
      'FROM base:1',
      'RUN ls /proc/self > /dev/null; ls /dev | head -1 > /dev/null; true',
    ),
  },
  {
    name: 'standard input is empty',
    dockerfile: lines('FROM base:1', 'RUN cat > /in; echo $? >> /in'),
  },
  {
    name: 'a program that is left running ends with the step',
    dockerfile: lines('FROM base:1', 'RUN sleep 1000 & echo started > /s'),
  },
  {
    name: 'a step that fails',
    dockerfile: lines('FROM base:1', 'RUN exit 9'),
    expect: { fails: /returned a non-zero code: 9/ },
  },
  {
    name: 'a step that kills itself',
    dockerfile: lines('FROM base:1', "RUN sh -c 'kill -9 $$'; exit $?"),
    expect: { fails: /returned a non-zero code: 137/ },
  },
  {
    name: 'a program that is not there',
    dockerfile: lines('FROM base:1', 'RUN ["/none"]'),
    expect: { fails: /\/none/ },
  },
  {
    name: 'a user that is not there',
    dockerfile: lines('FROM base:1', 'USER nobody-of-that-name', 'RUN true'),
    expect: { fails: /nobody-of-that-name/ },
  },
  {
    name: 'no network',
    dockerfile: lines(
      'FROM base:1',
      'RUN --network=none ls /sys/class/net | grep -v lo | wc -l > /n',
    ),
    differs: {
      classic: 'has the flag for the whole build only',
      buildah: 'has no flag for one step',
      buildkit: 'asks for a newer syntax',
    },
    expect: { tree: { '/n': 'file 0644 0:0 "0\\n"' } },
  },
  {
    name: 'bind of the context',
    dockerfile: lines(
      'FROM base:1',
      'RUN --mount=target=/src cat /src/f > /out',
      'RUN --mount=type=bind,source=d,target=/m ls /m > /ls',
    ),
    files: { f: 'F', 'd/x': '', 'd/y': '' },
    differs: { classic: NO_MOUNTS, buildkit: LEAVES },
  },
  {
    name: 'bind of one file, and of a stage',
    dockerfile: lines(
      'FROM base:1 AS s',
      'RUN mkdir /o && echo made > /o/made',
      'FROM base:1',
      'RUN --mount=type=bind,source=f,target=/tmp/one cat /tmp/one > /a',
      'RUN --mount=type=bind,from=s,source=/o,target=/o cat /o/made > /b',
      'RUN --mount=type=bind,from=0,src=/o/made,dst=/x/y/z cat /x/y/z > /c',
    ),
    files: { f: 'F' },
    differs: { classic: NO_MOUNTS, buildkit: 'knows no numbers of stages there', buildah: LEAVES },
  },
  {
    name: 'a bind that may be written, and one that may not',
    dockerfile: lines(
      'FROM base:1',
      'RUN --mount=type=bind,target=/src,rw echo new > /src/new && cat /src/new > /a',
      'RUN --mount=type=bind,target=/src ls /src > /b; touch /src/x || echo refused > /c',
    ),
    files: { f: 'F' },
    differs: {
      classic: NO_MOUNTS,
      buildkit: 'lets both be written',
      buildah: 'writes into the context itself',
    },
  },
  {
    name: 'a cache over steps',
    dockerfile: lines(
      'FROM base:1',
      'RUN --mount=type=cache,target=/c,id=first echo 1 > /c/f',
      'RUN --mount=type=cache,target=/other,id=first cat /other/f > /a',
      'RUN --mount=type=cache,target=/c ls -A /c | wc -l > /b',
    ),
    differs: { classic: NO_MOUNTS, buildkit: LEAVES },
  },
  {
    name: 'a cache with owner, mode and sharing',
    dockerfile: lines(
      'FROM base:1',
      "RUN --mount=type=cache,target=/c,id=owned,uid=7,gid=8,mode=0750,sharing=locked stat -c '%a %u:%g' /c > /a",
      "RUN --mount=type=cache,target=/d,id=plain,sharing=private stat -c '%a %u:%g' /d > /b",
    ),
    differs: { classic: NO_MOUNTS, buildkit: LEAVES, buildah: 'has no sharing=private' },
  },
  {
    name: 'a cache that begins with files of a stage',
    dockerfile: lines(
      'FROM base:1 AS s',
      'RUN mkdir /seed && echo seed > /seed/s',
      'FROM base:1',
      'RUN --mount=type=cache,target=/c,id=seeded,from=s,source=/seed cat /c/s > /a && echo more > /c/m',
      'RUN --mount=type=cache,target=/c,id=seeded,from=s,source=/seed ls /c > /b',
    ),
    differs: { classic: NO_MOUNTS, buildkit: LEAVES },
  },
  {
    name: 'a cache that may not be written',
    dockerfile: lines(
      'FROM base:1',
      'RUN --mount=type=cache,target=/c,ro touch /c/x || echo refused > /a',
    ),
    differs: { classic: NO_MOUNTS, buildkit: LEAVES },
  },
  {
    name: 'memory',
    dockerfile: lines(
      'FROM base:1',
      'RUN --mount=type=tmpfs,target=/m echo x > /m/x && grep -c " /m tmpfs " /proc/mounts > /a',
    ),
    differs: { classic: NO_MOUNTS, buildkit: LEAVES },
  },
  {
    name: 'memory of a size',
    dockerfile: lines(
      'FROM base:1',
      'RUN --mount=type=tmpfs,target=/m,size=1m dd if=/dev/zero of=/m/x bs=4k count=1000 2>/dev/null || echo full > /a',
    ),
    differs: { classic: NO_MOUNTS, buildkit: OLD, buildah: 'has the key under another name' },
    expect: { tree: { '/a': 'file 0644 0:0 "full\\n"', '/m': undefined } },
  },
  {
    name: 'a secret, its place, owner and mode',
    dockerfile: lines(
      'FROM base:1',
      "RUN --mount=type=secret,id=s cat /run/secrets/s > /a; stat -c '%a %u:%g' /run/secrets/s > /b",
      "RUN --mount=type=secret,id=s,target=/x/y,uid=7,gid=8,mode=0440 cat /x/y > /c; stat -c '%a %u:%g' /x/y > /d",
    ),
    files: { key: 'not so secret' },
    flags: ['--secret', 'id=s,src=key'],
    differs: { classic: NO_MOUNTS, buildkit: LEAVES, buildah: LEAVES },
  },
  {
    name: 'a secret that nobody gave, and does not need to',
    dockerfile: lines(
      'FROM base:1',
      'RUN --mount=type=secret,id=s ls /run/secrets 2>/dev/null | wc -l > /a',
    ),
    differs: { classic: NO_MOUNTS },
  },
  {
    name: 'a secret that nobody gave, and has to',
    dockerfile: lines('FROM base:1', 'RUN --mount=type=secret,id=s,required=true true'),
    expect: { fails: /secret s: not found/ },
  },
  {
    name: 'a secret as a variable',
    dockerfile: lines(
      'FROM base:1',
      'RUN --mount=type=secret,id=s,env=S echo "$S" > /a; ls /run/secrets 2>/dev/null | wc -l >> /a',
      'RUN echo "[$S]" > /b',
    ),
    files: { key: 'value' },
    flags: ['--secret', 'id=s,src=key'],
    differs: { classic: NO_MOUNTS, buildkit: OLD, buildah: OLD },
    expect: { tree: { '/a': 'file 0644 0:0 "value\\n0\\n"', '/b': 'file 0644 0:0 "[]\\n"' } },
  },
  {
    name: 'an SSH agent that nobody gave',
    dockerfile: lines('FROM base:1', 'RUN --mount=type=ssh echo "[$SSH_AUTH_SOCK]" > /a'),
    differs: { classic: NO_MOUNTS, buildkit: 'sets the variable without an agent' },
  },
  {
    name: 'a mount in a folder that was there, and in one that was not',
    dockerfile: lines(
      'FROM base:1',
      'RUN --mount=type=tmpfs,target=/data --mount=type=tmpfs,target=/new/deep touch /data/x /new/deep/y',
      'WORKDIR /work',
      'RUN --mount=type=cache,target=rel touch rel/x; ls > /ls',
    ),
    differs: { classic: NO_MOUNTS, buildkit: LEAVES, buildah: 'wants absolute targets' },
  },
  {
    name: 'an unknown key of a mount',
    dockerfile: lines('FROM base:1', 'RUN --mount=type=cache,target=/c,sise=3 true'),
    expect: { fails: /sise/ },
  },
  {
    name: 'an unknown kind of mount',
    dockerfile: lines('FROM base:1', 'RUN --mount=type=disk,target=/c true'),
    expect: { fails: /disk/ },
  },
  {
    name: 'a mount without a target',
    dockerfile: lines('FROM base:1', 'RUN --mount=type=cache true'),
    expect: { fails: /target/ },
  },
  {
    name: 'here-documents for the shell',
    dockerfile: lines(
      'FROM base:1',
      'ARG A=arg',
      'RUN <<EOF',
      '# not a comment of the Dockerfile',
      'echo "$A" > /a',
      '',
      'echo two \\',
      '  more >> /a',
      'EOF',
      "RUN <<'QUOTED'",
      'echo "$A" > /b',
      'QUOTED',
    ),
    differs: NO_DOCS,
    expect: { tree: { '/a': 'file 0644 0:0 "arg\\ntwo more\\n"', '/b': 'file 0644 0:0 "arg\\n"' } },
  },
  {
    name: 'here-documents: tabs, several, into a program, between other words',
    dockerfile: lines(
      'FROM base:1',
      'RUN <<-EOF',
      '\techo tab > /a',
      '\tEOF',
      'RUN cat <<ONE > /b && cat <<TWO >> /b',
      'one $((1+1))',
      'ONE',
      'two',
      'TWO',
      'RUN cat > /c <<"EOF"',
      'kept $HOME',
      'EOF',
    ),
    differs: NO_DOCS,
    expect: {
      tree: {
        '/a': 'file 0644 0:0 "tab\\n"',
        '/b': 'file 0644 0:0 "one 2\\ntwo\\n"',
        '/c': 'file 0644 0:0 "kept $HOME\\n"',
      },
    },
  },
  {
    name: 'here-documents with an interpreter',
    dockerfile: lines(
      'FROM base:1',
      'RUN <<EOF',
      '#!/bin/awk -f',
      'BEGIN { print "awk" > "/a" }',
      'EOF',
    ),
    differs: NO_DOCS,
    expect: { tree: { '/a': 'file 0644 0:0 "awk\\n"' } },
  },
  {
    name: 'here-documents as files',
    dockerfile: lines(
      'FROM base:1',
      'ARG A=arg',
      'COPY <<one.txt <<"two.txt" f /d/',
      'a $A ${A:+set} \\$A "q"',
      'one.txt',
      'b $A',
      'two.txt',
      'COPY --chown=web:webs --chmod=0640 <<EOF /e',
      'text',
      'EOF',
      'ADD <<-EOF /f',
      '\t\tindented',
      '\tEOF',
    ),
    files: { f: 'F' },
    differs: NO_DOCS,
    expect: {
      tree: {
        '/d/one.txt': 'file 0644 0:0 "a arg set $A \\"q\\"\\n"',
        '/d/two.txt': 'file 0644 0:0 "b $A\\n"',
        '/d/f': 'file 0644 0:0 "F"',
        '/e': 'file 0640 101:102 "text\\n"',
        '/f': 'file 0644 0:0 "indented\\n"',
      },
    },
  },
  {
    name: 'a here-document that does not end',
    dockerfile: lines('FROM base:1', 'RUN <<EOF', 'echo'),
    expect: { fails: /line 2.*heredoc/ },
  },
];
