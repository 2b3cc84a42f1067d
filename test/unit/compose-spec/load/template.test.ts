// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates are what is tested
// Goal: `${…}` means what it means to compose-go. Method: templates with their results, by hand from
// the grammar of compose.md §2.4.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeFault, substitute, variablesOf } from '#compose-spec/load/template';

const VARIABLES: Readonly<Record<string, string>> = { SET: 'v', EMPTY: '', braces: '{x}' };

function run(template: string): { text: string; unset: string[] } {
  const unset: string[] = [];
  const result = substitute(
    template,
    (name) => VARIABLES[name],
    (name) => unset.push(name),
  );
  return { text: result.ok ? result.text : describeFault(result.fault), unset };
}

describe('substitution', () => {
  test.each([
    ['$SET and ${SET}', 'v and v'],
    ['$$SET $${SET}', '$SET ${SET}'],
    ['${EMPTY:-d} ${EMPTY-d} ${NO-d}', 'd  d'],
    ['${SET:+r} ${EMPTY:+r} ${EMPTY+r} ${NO+r}', 'r  r '],
    ['${NO:-${ALSO:-${SET}}}', 'v'],
    ['${NO:-{"a":{"b":1}}}', '{"a":{"b":1}}'],
    ['${NO:-a:-b-c?d+e}', 'a:-b-c?d+e'],
    ['a $ b $1 $} $', 'a $ b $1 $} $'],
    ['${SET?never} ${EMPTY?never}', 'v '],
    ['$SETX', ''],
    ['${braces}', '{x}'],
  ])('%s', (template, text) => {
    expect(run(template).text).toBe(text);
  });

  test.each(['${', '${}', '${ SET}', '${SET }', '${SET!}', '${SET/a/b}', '${NO:-x', '${1A}'])(
    '%s is refused',
    (template) => {
      expect(run(template).text).toBe(`Invalid template: ${JSON.stringify(template)}`);
    },
  );

  test('a required variable names its reason, itself a template', () => {
    expect(run('${NO:?set ${SET}}').text).toBe('required variable NO is missing a value: set v');
    expect(run('${EMPTY:?}').text).toBe('required variable EMPTY is missing a value');
  });

  test('only what is used warns', () => {
    expect(run('${SET:-${NO}} ${NO:+${ALSO}}').unset).toEqual([]);
    expect(run('${NO} ${NOT:-${ALSO}}').unset).toEqual(['NO', 'ALSO']);
  });

  test('text without a dollar sign is unchanged, and no text makes it throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { text: result } = run(text);
        if (!text.includes('$')) expect(result).toBe(text);
      }),
    );
  });

  test('deep nesting ends in an error, not in a stack overflow', () => {
    const deep = `${'${A:-'.repeat(50_000)}x${'}'.repeat(50_000)}`;
    expect(run(deep).text).toMatch(/^Invalid template/);
  });

  test('variables are listed with what happens when they are missing', () => {
    expect(variablesOf('${A:-${B}} ${C:?why} $D ${E:+f} $$G')).toEqual([
      { name: 'A', required: false, defaultValue: '${B}' },
      { name: 'B', required: false },
      { name: 'C', required: true },
      { name: 'D', required: false },
      { name: 'E', required: false, alternateValue: 'f' },
    ]);
  });
});
