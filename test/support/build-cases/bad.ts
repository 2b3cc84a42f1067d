// Files that no builder takes: each must be refused before anything is built where the fault is in the file, with the line and what to do.
import { type BuildCase, lines } from './case.ts';

function bad(name: string, text: string, fails: RegExp): BuildCase {
  const differs = PASSES.has(name) ? { buildah: 'lets it pass' } : {};
  return { name, dockerfile: text, expect: { fails }, differs };
}

/** What buildah lets pass, and the others refuse as ours does. */
const PASSES: ReadonlySet<string> = new Set([
  'an instruction before FROM',
  'a stage of a bad name',
  'LABEL without a name',
  'EXPOSE of no port',
  'EXPOSE of a range that runs backwards',
]);

export const BAD_CASES: readonly BuildCase[] = [
  bad(
    'an unknown instruction',
    lines('FROM base:1', 'RUM true'),
    /line 2: unknown instruction: RUM/,
  ),
  bad(
    'an unknown flag',
    lines('FROM base:1', '', 'COPY --frm=x a b'),
    /line 3: unknown flag: --frm/,
  ),
  bad('an instruction before FROM', lines('RUN true', 'FROM base:1'), /line 1/),
  bad(
    'FROM with two words',
    lines('FROM base:1 build'),
    /line 1: FROM requires either one or three/,
  ),
  bad('FROM of nothing', lines('ARG X', 'FROM $X'), /should not be blank/),
  bad('a stage of a bad name', lines('FROM base:1 AS 1st'), /line 1: invalid name for build stage/),
  {
    ...bad('a target that is not there', lines('FROM base:1 AS a'), /target/),
    flags: ['--target', 'none'],
  },
  bad('COPY of one word', lines('FROM base:1', 'COPY a'), /line 2: COPY requires at least two/),
  bad('COPY from a number that is none', lines('FROM base:1', 'COPY --from=7 a b'), /from.*7/),
  bad('ENV without a value', lines('FROM base:1', 'ENV A'), /line 2: ENV must have two/),
  bad('ENV where one has no =', lines('FROM base:1', 'ENV A=1 B'), /line 2.*can't find = in "B"/),
  bad('LABEL without a name', lines('FROM base:1', 'LABEL =x'), /line 2.*blank/),
  bad('ONBUILD FROM', lines('FROM base:1', 'ONBUILD FROM x'), /line 2.*FROM isn't allowed/),
  bad('ONBUILD ONBUILD', lines('FROM base:1', 'ONBUILD ONBUILD RUN x'), /line 2.*ONBUILD/),
  bad('SHELL in words', lines('FROM base:1', 'SHELL bash -c'), /line 2: SHELL requires.*JSON/),
  bad(
    'HEALTHCHECK of a bad time',
    lines('FROM base:1', 'HEALTHCHECK --interval=often CMD x'),
    /interval/,
  ),
  bad('HEALTHCHECK without CMD', lines('FROM base:1', 'HEALTHCHECK curl x'), /line 2.*HEALTHCHECK/),
  bad('EXPOSE of no port', lines('FROM base:1', 'EXPOSE http'), /http/),
  bad('EXPOSE of a range that runs backwards', lines('FROM base:1', 'EXPOSE 90-80'), /90-80/),
  bad('STOPSIGNAL of no signal', lines('FROM base:1', 'STOPSIGNAL SIGNONE'), /SIGNONE/),
  bad('a quote that does not end', lines('FROM base:1', 'ENV A="open'), /quote/),
  bad('a brace that does not end', lines('FROM base:1', 'ENV A=${B'), /substitution|"}"/),
  bad('an operator that is none', lines('FROM base:1', 'ENV A=${B:=x}'), /unsupported modifier/),
  bad('an empty file', '\n', /empty/),
  bad('comments alone', lines('# nothing'), /Dockerfile/),
  bad('arguments alone', lines('ARG A=1'), /Dockerfile/),
  bad('an escape directive that is none', lines('# escape=x', 'FROM base:1'), /escape token 'x'/),
  bad('a directive twice', lines('# escape=`', '# escape=\\', 'FROM base:1'), /only one escape/),
  bad('WORKDIR of nothing', lines('FROM base:1', 'WORKDIR'), /line 2: WORKDIR requires/),
  bad('VOLUME of an empty name', lines('FROM base:1', 'VOLUME [""]'), /VOLUME/),
  bad('an image that nobody has', lines('FROM 127.0.0.1:1/none:1'), /127\.0\.0\.1/),
  bad(
    'a flag that is given twice',
    lines('FROM base:1', 'COPY --from=a --from=b c d'),
    /line 2: duplicate flag/,
  ),
];
