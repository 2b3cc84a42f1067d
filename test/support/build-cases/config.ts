// Instructions that change the image's configuration, and how the file itself is read: quotes, forms, directives, comments, line ends.
import { type BuildCase, lines } from './case.ts';

const OLD = 'newer than this builder';

export const CONFIG_CASES: readonly BuildCase[] = [
  {
    name: 'forms of ENV',
    dockerfile: lines(
      'FROM base:1',
      'ENV OLD  the old   form "kept" # all of it ',
      'ENV A=1 B="two words" C=three\\ words D=\'single $A\' E="esc \\" q" F=',
      'ENV G=a=b H="x"y\'z\' PATH=/x:$PATH',
      'ENV I="multi \\',
      'line" J=1',
      'ENV A=again',
      'ENV TAB="a\tb"',
      'ENV K=back\\\\slash L="back\\\\slash" M=\'back\\\\slash\' N="\\n"',
    ),
  },
  {
    name: 'forms of LABEL',
    dockerfile: lines(
      'FROM base:1',
      'LABEL a=1 "b c"="d e" e=\'f "g"\' h="i \\"j\\""',
      'LABEL old form of it',
      'LABEL com.example.v="${PATH}" k="multi\\',
      ' line"',
      'LABEL a=2 empty=""',
    ),
  },
  {
    name: '--label and LABEL',
    dockerfile: lines('FROM base:1', 'LABEL a=file b=file'),
    flags: ['--label', 'a=flag', '--label', 'c=has space', '--label', "d=it's $HOME"],
  },
  {
    name: 'shell forms of CMD and ENTRYPOINT',
    dockerfile: lines('FROM base:1', 'ENTRYPOINT exec  top "-b"', 'CMD echo  $HOME'),
  },
  {
    name: 'exec forms, the last counts',
    dockerfile: lines(
      'FROM base:1',
      'CMD ["a"]',
      'CMD ["b", "c d", "\\"q\\"", "ü", "\\u00e9"]',
      'ENTRYPOINT ["x"]',
      'ENTRYPOINT ["y"]',
    ),
  },
  {
    name: 'what is no JSON is for the shell',
    dockerfile: lines('FROM base:1', "CMD ['a', 'b']", 'ENTRYPOINT ["a",]'),
  },
  { name: 'empty exec forms', dockerfile: lines('FROM base:1', 'ENTRYPOINT []', 'CMD []') },
  {
    name: 'SHELL for what follows',
    dockerfile: lines(
      'FROM base:1',
      'SHELL ["/bin/sh", "-e", "-c"]',
      'RUN false; echo not reached > /x || true',
    ),
    expect: { fails: /non-zero code: 1/ },
  },
  {
    name: 'SHELL in CMD, ENTRYPOINT, HEALTHCHECK and the stage on top',
    dockerfile: lines(
      'FROM base:1 AS a',
      'SHELL ["/bin/ash", "-c"]',
      'CMD one',
      'FROM a',
      'ENTRYPOINT two',
      'HEALTHCHECK CMD three',
      'RUN echo $0 > /zero',
    ),
    differs: { buildah: 'forgets SHELL of a stage before' },
  },
  {
    name: 'HEALTHCHECK with all options',
    dockerfile: lines(
      'FROM base:1',
      'HEALTHCHECK --interval=1m30s --timeout=3s --start-period=500ms --retries=5 CMD ["/check", "it"]',
    ),
  },
  {
    name: 'HEALTHCHECK: the shell form, then none, then again',
    dockerfile: lines(
      'FROM base:1',
      'HEALTHCHECK CMD curl -f http://localhost/ || exit 1',
      'HEALTHCHECK NONE',
      'HEALTHCHECK --retries=1 CMD last',
    ),
  },
  { name: 'HEALTHCHECK NONE', dockerfile: lines('FROM base:1', 'HEALTHCHECK NONE') },
  {
    name: 'HEALTHCHECK --start-interval',
    dockerfile: lines('FROM base:1', 'HEALTHCHECK --start-interval=2s CMD x'),
    differs: { buildkit: OLD, classic: OLD, buildah: OLD },
    expect: { config: { Healthcheck: { Test: ['CMD-SHELL', 'x'], StartInterval: 2e9 } } },
  },
  {
    name: 'EXPOSE: ranges, protocols, several, again',
    dockerfile: lines(
      'FROM base:1',
      'ENV P=9000',
      'EXPOSE 80 443/tcp 53/udp 8000-8003 $P 7/TCP',
      'EXPOSE 80/tcp 81-82/udp',
    ),
    differs: { buildah: 'keeps ranges and capitals as they are written' },
  },
  { name: 'STOPSIGNAL by name', dockerfile: lines('FROM base:1', 'STOPSIGNAL SIGQUIT') },
  { name: 'STOPSIGNAL by number', dockerfile: lines('FROM base:1', 'STOPSIGNAL 9') },
  {
    name: 'USER with a group, by numbers, by variable',
    dockerfile: lines('FROM base:1', 'USER web:adm', 'ENV U=12', 'USER ${U}:34'),
  },
  {
    name: 'VOLUME in both forms',
    dockerfile: lines('FROM base:1', 'VOLUME /a /b/', 'VOLUME ["/c", "/d e"]', 'VOLUME "/f"'),
    differs: { buildah: 'makes some of the folders' },
  },
  { name: 'MAINTAINER', dockerfile: lines('FROM base:1', 'MAINTAINER Some One <a@b.c>') },
  {
    name: 'the escape directive',
    dockerfile: lines(
      '# escape=`',
      'FROM base:1',
      'ENV A=c:\\windows\\',
      'ENV B=one` two',
      'RUN echo a `',
      ' b > /c',
      'COPY f /d\\e',
    ),
    files: { f: 'F' },
    differs: { buildah: 'takes a backslash whatever the directive says' },
  },
  {
    name: 'directives that only look like it',
    dockerfile: lines('# a comment', '# escape=`', 'FROM base:1', 'ENV A=a\\ b'),
  },
  {
    name: 'the syntax and check directives',
    dockerfile: lines(
      '# syntax=docker/dockerfile:1',
      '# check=skip=all;error=true',
      'FROM base:1',
      'ENV A=1',
    ),
    differs: { buildkit: 'fetches that frontend from a registry' },
  },
  {
    name: 'comments and empty lines inside an instruction',
    dockerfile: lines(
      'FROM base:1',
      'RUN echo one \\',
      '  # a comment',
      '# another',
      '',
      '  two \\',
      '  # last',
      '  > /x',
      'RUN echo "# kept" > /y # for the shell',
    ),
  },
  {
    name: 'continuations: blanks after the mark, at the end of the file',
    dockerfile: 'FROM base:1\nENV A=1 \\  \n  B=2\nRUN echo a\\\nb > /x\nENV C=3 \\',
  },
  {
    name: 'lines that end as on Windows',
    dockerfile: 'FROM base:1\r\nENV A=1 \\\r\n  B=2\r\nRUN echo x > /x\r\nLABEL l="v"\r\n',
  },
  { name: 'a byte order mark', dockerfile: '\ufeffFROM base:1\nENV A=1\n' },
  {
    name: 'lower case, tabs, blanks before',
    dockerfile: 'from base:1\n\tenv A=1\n   run\techo x > /x\n  label\ta=b\n',
  },
  {
    name: 'text of the whole world',
    dockerfile: lines(
      'FROM base:1',
      'ENV Ü=ü EMOJI="🐳 日本語"',
      'LABEL "ключ"="значение"',
      'RUN echo "naïve 🐳" > /ü',
    ),
  },
  {
    name: 'a Dockerfile of another name in a folder',
    dockerfile: lines('FROM base:1', 'ENV WRONG=1'),
    files: { 'sub/My.file': lines('FROM base:1', 'COPY sub/My.file /f'), a: 'A' },
    flags: ['-f', 'sub/My.file'],
  },
  {
    name: 'the base’s configuration stays',
    before: lines(
      'FROM base:1',
      'ENV A=1',
      'USER web',
      'WORKDIR /w',
      'EXPOSE 1',
      'VOLUME /v',
      'LABEL l=1',
      'STOPSIGNAL SIGINT',
      'HEALTHCHECK CMD x',
      'ENTRYPOINT ["e"]',
      'CMD ["c"]',
      'SHELL ["/bin/ash", "-c"]',
    ),
    dockerfile: lines('FROM before:1', 'LABEL m=2'),
    differs: { classic: 'makes the folder of WORKDIR as root' },
  },
];
