// Stages, arguments, variables and triggers.
import { type BuildCase, lines } from './case.ts';

const OLD = 'newer than this builder';
const CLASSIC_ALL = 'builds stages that the target does not need';

export const STAGE_CASES: readonly BuildCase[] = [
  {
    name: 'copy between stages by name, number and other case',
    dockerfile: lines(
      'FROM base:1 AS Build',
      'RUN echo one > /one',
      'FROM base:1',
      'RUN echo two > /two',
      'FROM base:1',
      'COPY --from=build /one /a',
      'COPY --from=BUILD /one /b',
      'COPY --from=0 /one /c',
      'COPY --from=1 /two /d',
    ),
    differs: { buildah: 'takes names of stages as written' },
  },
  {
    name: 'a stage in the middle is the target',
    dockerfile: lines(
      'FROM base:1 AS first',
      'RUN echo first > /x',
      'FROM first AS mid',
      'ENV MID=yes',
      'FROM base:1',
      'RUN false',
    ),
    flags: ['--target', 'MID'],
    differs: { buildah: 'takes names of stages as written' },
  },
  {
    name: 'a target by its number',
    dockerfile: lines('FROM base:1', 'ENV A=0', 'FROM base:1', 'ENV A=1', 'FROM base:1', 'ENV A=2'),
    flags: ['--target', '1'],
    differs: { buildkit: 'wants a name', classic: 'wants a name' },
  },
  {
    name: 'a stage that nobody needs is not built',
    dockerfile: lines('FROM base:1 AS broken', 'RUN exit 3', 'FROM base:1', 'ENV A=1'),
    differs: { classic: CLASSIC_ALL },
  },
  {
    name: 'a stage on a stage inherits the configuration',
    dockerfile: lines(
      'FROM base:1 AS a',
      'ENV X=1 Y=2',
      'WORKDIR /w',
      'USER web',
      'LABEL l=v',
      'CMD ["a"]',
      'EXPOSE 80',
      'FROM a',
      'ENV Y=3',
      'RUN id -u > /tmp/id; pwd > /tmp/pwd',
    ),
  },
  {
    name: 'an argument of a stage in the stage on top of it',
    differs: { classic: 'forgets it', buildah: 'forgets it' },
    dockerfile: lines('FROM base:1 AS a', 'ARG V=deep', 'FROM a', 'RUN echo "[$V]" > /v'),
  },
  {
    name: 'scratch with files',
    dockerfile: lines('FROM scratch', 'COPY f /f', 'COPY d /d', 'WORKDIR /w', 'CMD ["/f"]'),
    files: { f: 'F', 'd/x': 'X' },
  },
  {
    name: 'scratch with a label alone',
    differs: {
      buildkit: 'cannot save an image without layers',
      classic: 'cannot save an image without layers',
    },
    dockerfile: lines('FROM scratch', 'LABEL only=label'),
  },
  {
    name: 'empty stages on each other',
    dockerfile: lines('FROM base:1 AS a', 'FROM a AS b', 'FROM b AS c', 'FROM c'),
  },
  {
    name: 'a stage that is named like an image',
    dockerfile: lines(
      'FROM base:1 AS busybox',
      'RUN echo stage > /who',
      'FROM base:1',
      'COPY --from=busybox /who /who',
    ),
  },
  {
    name: 'a stage that is named like the image that it begins with',
    dockerfile: lines('FROM base:1 AS base', 'ENV A=1', 'FROM base', 'ENV B=2'),
  },
  {
    name: 'copy from an image',
    differs: { buildkit: 'writes / as the folder of an image on scratch' },
    dockerfile: lines('FROM scratch', 'COPY --from=base:1 /etc/passwd /data /there/'),
  },
  {
    name: 'copy from a stage that comes later',
    dockerfile: lines(
      'FROM base:1 AS a',
      'COPY --from=b /x /y',
      'FROM base:1 AS b',
      'RUN echo x > /x',
      'FROM a',
    ),
    expect: { tree: { '/y': 'file 0644 0:0 "x\\n"' } },
    differs: {
      buildkit: 'copies from the image that the later stage begins with',
      classic: 'knows earlier stages alone',
      buildah: 'knows earlier stages alone',
    },
  },
  {
    name: 'stages that copy from each other',
    dockerfile: lines(
      'FROM base:1 AS a',
      'COPY --from=b /x /x',
      'FROM base:1 AS b',
      'COPY --from=a /x /x',
    ),
    expect: { fails: /circular dependency/ },
  },
  {
    name: 'copy from the own stage',
    dockerfile: lines('FROM base:1 AS a', 'COPY --from=a /etc/passwd /x'),
    expect: { fails: /circular dependency/ },
  },
  {
    name: 'two stages of one name: the last counts',
    differs: { classic: 'refuses it' },
    dockerfile: lines(
      'FROM base:1 AS same',
      'RUN echo 1 > /n',
      'FROM base:1 AS same',
      'RUN echo 2 > /n',
      'FROM base:1',
      'COPY --from=same /n /n',
    ),
  },
  {
    name: 'ARG before FROM, with its default',
    dockerfile: lines('ARG TAG=1', 'ARG NAME=base', 'FROM ${NAME}:${TAG}', 'ENV A=1'),
  },
  {
    name: 'ARG before FROM, given',
    dockerfile: lines('ARG TAG=none', 'FROM base:$TAG', 'ENV A=1'),
    flags: ['--build-arg', 'TAG=1'],
  },
  {
    name: 'ARG before FROM with operators',
    dockerfile: lines('ARG TAG', 'FROM base:${TAG:-1}', 'ENV A=1'),
  },
  {
    name: 'ARG before FROM: not in the stage, unless declared again',
    dockerfile: lines(
      'ARG G=global',
      'FROM base:1',
      'RUN echo "[$G]" > /a',
      'ARG G',
      'RUN echo "[$G]" > /b',
      'ARG G=own',
      'RUN echo "[$G]" > /c',
    ),
  },
  {
    name: 'ARG counts from its line on',
    dockerfile: lines(
      'FROM base:1',
      'ENV E1=${A:-none}',
      'ARG A=yes',
      'ENV E2=${A:-none}',
      'RUN echo $A > /a',
    ),
    flags: ['--build-arg', 'A=given'],
  },
  {
    name: 'ENV wins over ARG',
    differs: { buildkit: 'an ARG after the ENV wins there, against the reference' },
    dockerfile: lines(
      'FROM base:1',
      'ARG A=arg',
      'ENV A=env',
      'RUN echo $A > /a',
      'ARG A=again',
      'RUN echo $A > /b',
    ),
    flags: ['--build-arg', 'A=given'],
  },
  {
    name: 'ARG of a value that stands on another',
    dockerfile: lines(
      'FROM base:1',
      'ARG A=1',
      'ARG B=${A}2',
      'ARG C="${B} three"',
      'ENV R=$A-$B-$C',
    ),
    flags: ['--build-arg', 'A=x'],
  },
  {
    name: 'several ARGs in a line',
    dockerfile: lines('FROM base:1', 'ARG A=1 B C="c c"', 'ENV R=$A-$B-$C'),
    flags: ['--build-arg', 'B=b'],
  },
  {
    name: 'ARG without a value',
    dockerfile: lines(
      'FROM base:1',
      'ARG A',
      'RUN echo "${A-unset}" > /a',
      'ENV E=${A:+set} F=${A:-unset}',
    ),
  },
  {
    name: 'ARG given as empty',
    dockerfile: lines(
      'FROM base:1',
      'ARG A=full',
      'RUN echo "[${A-unset}]" > /a',
      'ENV F=${A:-empty}',
    ),
    flags: ['--build-arg', 'A='],
  },
  {
    name: 'proxy arguments need no declaration',
    dockerfile: lines('FROM base:1', 'RUN echo "$HTTP_PROXY $no_proxy" > /p'),
    flags: ['--build-arg', 'HTTP_PROXY=http://p:1', '--build-arg', 'no_proxy=x'],
  },
  {
    name: 'arguments of the platform',
    dockerfile: lines(
      'FROM --platform=$BUILDPLATFORM base:1',
      'ARG TARGETPLATFORM',
      'ARG TARGETOS',
      'ARG TARGETARCH',
      'ARG BUILDPLATFORM',
      'ARG BUILDARCH',
      'RUN echo "$TARGETPLATFORM $TARGETOS $TARGETARCH $BUILDPLATFORM $BUILDARCH" > /p',
    ),
    differs: { classic: OLD },
  },
  {
    name: 'arguments of the platform are not there undeclared',
    dockerfile: lines('FROM base:1', 'RUN echo "[$TARGETARCH]" > /p'),
  },
  {
    name: 'operators of variables where they count',
    dockerfile: lines(
      'FROM base:1',
      'ENV A=a EMPTY=""',
      'ENV R1=${A:-x} R2=${N:-x} R3=${EMPTY:-x} R4=${A:+x} R5=${N:+x} R6=${EMPTY:+x}',
      'ENV R7=${N:-${A}b} R8=${N:-"q q"} R9=$A$A R10=${A}${N} R11=\\$A R12="\\$A" R13=\'$A\'',
      'LABEL l1=${A:+l} l2="${N:-d e}"',
      'WORKDIR /w/${A}/${N:-d}',
      'COPY ${N:-f} /c/${A}',
      'USER ${N:-web}',
      'STOPSIGNAL ${N:-SIGINT}',
      'EXPOSE ${N:-8080}/tcp',
      'VOLUME /v/${A}',
    ),
    files: { f: 'F' },
    differs: { buildah: 'makes folders for volumes' },
  },
  {
    name: 'operators without a colon',
    dockerfile: lines('FROM base:1', 'ENV E=""', 'ENV R1=${E-x} R2=${N-x} R3=${E+x} R4=${N+x}'),
    expect: { config: { Env: ['PATH=/bin', 'E=', 'R1=', 'R2=x', 'R3=x', 'R4='] } },
    differs: { buildkit: OLD, classic: OLD, buildah: OLD },
  },
  {
    name: 'patterns of variables',
    dockerfile: lines(
      'FROM base:1',
      'ENV P=/a/b/c.tar.gz',
      'ENV R1=${P#*/} R2=${P##*/} R3=${P%.*} R4=${P%%.*} R5=${P/b/X} R6=${P//a/Y}',
    ),
    expect: {
      config: {
        Env: [
          'PATH=/bin',
          'P=/a/b/c.tar.gz',
          'R1=a/b/c.tar.gz',
          'R2=c.tar.gz',
          'R3=/a/b/c.tar',
          'R4=/a/b/c',
          'R5=/a/X/c.tar.gz',
          'R6=/Y/b/c.tYr.gz',
        ],
      },
    },
    differs: { buildkit: OLD, classic: OLD, buildah: OLD },
  },
  {
    name: 'a variable that must be set',
    dockerfile: lines('FROM base:1', 'ENV A=${NEEDED:?give-it}'),
    expect: { fails: /NEEDED: give-it/ },
  },
  {
    name: 'ENV sees what was before the instruction',
    dockerfile: lines('FROM base:1', 'ENV abc=hello', 'ENV abc=bye def=$abc', 'ENV ghi=$abc'),
  },
  {
    name: 'triggers of an image',
    before: lines(
      'FROM base:1',
      'ONBUILD ARG A=triggered',
      'ONBUILD ENV E=${A}',
      'ONBUILD COPY f /from-trigger',
      'ONBUILD RUN echo $A > /ran',
      'ONBUILD WORKDIR /onbuild',
      'ONBUILD CMD ["from", "trigger"]',
    ),
    dockerfile: lines('FROM before:1', 'RUN pwd > /pwd'),
    files: { f: 'F' },
    flags: ['--build-arg', 'A=given'],
  },
  {
    name: 'triggers do not run for grandchildren',
    before: lines('FROM base:1', 'ONBUILD RUN echo x >> /log'),
    dockerfile: lines('FROM before:1 AS child', 'FROM child', 'RUN echo y >> /log'),
  },
  {
    name: 'a trigger in the same file',
    dockerfile: lines('FROM base:1 AS t', 'ONBUILD RUN echo ran > /ran', 'FROM t', 'ENV A=1'),
  },
  {
    name: 'a trigger that copies from a stage of the child',
    before: lines('FROM base:1', 'ONBUILD COPY --from=tools /t /t'),
    dockerfile: lines('FROM base:1 AS tools', 'RUN echo t > /t', 'FROM before:1'),
    differs: {
      buildkit: 'looks for the file in the context',
      buildah: 'looks for an image of that name',
    },
  },
  {
    name: 'the trigger itself in the image',
    dockerfile: lines('FROM base:1', 'ONBUILD run  echo  "a  b"', 'ONBUILD COPY a b /c/'),
  },
  {
    name: 'a trigger with a here-document',
    dockerfile: lines('FROM base:1 AS t', 'ONBUILD RUN <<EOF', 'echo one > /one', 'EOF', 'FROM t'),
    expect: { tree: { '/one': 'file 0644 0:0 "one\\n"' } },
    differs: { buildkit: OLD, classic: OLD, buildah: OLD },
  },
  {
    name: 'CMD of the base goes with a new ENTRYPOINT',
    dockerfile: lines('FROM base:1 AS a', 'CMD ["x"]', 'FROM a', 'ENTRYPOINT ["/e"]'),
  },
  {
    name: 'CMD of the same stage stays with ENTRYPOINT',
    dockerfile: lines('FROM base:1', 'CMD ["x"]', 'ENTRYPOINT ["/e"]'),
  },
];
