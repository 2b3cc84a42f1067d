// Syntax errors in the words that go-yaml has for them, so that what people search for is what they
// read. The parser that finds them (npm `yaml`) looks at documents differently; where no sentence of
// go-yaml's fits for certain, its own is used.

import type { YAMLError } from 'yaml';
import type { Diagnostics } from './errors.ts';
import type { SourceFile } from './source.ts';

/** Errors of one file that are worth reading; what follows is mostly caused by these. */
const SYNTAX_ERRORS_MAX = 5;

/** Reports one error per line of `file`. */
export function reportSyntaxErrors(
  file: SourceFile,
  faults: readonly YAMLError[],
  diagnostics: Diagnostics,
): void {
  const lines = new Set<number>();
  for (const fault of faults) {
    const offset = offsetOf(file, fault);
    const { line } = file.lineAt(offset);
    if (lines.has(line)) continue;
    lines.add(line);
    if (lines.size > SYNTAX_ERRORS_MAX) return;
    const { sentence, hint } = describe(file, fault, offset);
    const message = `failed to parse ${file.path}: yaml: ${sentence}`;
    diagnostics.error('yaml', message, { at: { file, offset }, hint });
  }
}

function offsetOf(file: SourceFile, fault: YAMLError): number {
  const start = fault.pos[0];
  if (fault.code === 'MISSING_CHAR' && /closing ['"]/.test(fault.message)) {
    // The text ends far away; what helps is the quote that nobody closed.
    return (
      openingQuote(file.text.slice(0, start), fault.message.includes("'") ? "'" : '"') ?? start
    );
  }
  if (fault.code === 'BLOCK_AS_IMPLICIT_KEY' || fault.code === 'MULTILINE_IMPLICIT_KEY') {
    // The mistake is the colon that makes a mapping of what was a value.
    const colon = /:(\s|$)/.exec(file.text.slice(start, start + 10_000));
    if (colon !== null) return start + colon.index;
  }
  return start;
}

/** Offset of the quote in the last line that has an odd number of them. */
function openingQuote(text: string, quote: string): number | undefined {
  for (let end = text.length; end >= 0; ) {
    const begin = text.lastIndexOf('\n', end - 1) + 1;
    const line = text.slice(begin, end);
    if (line.split(quote).length % 2 === 0) return begin + line.lastIndexOf(quote);
    end = begin - 1;
  }
  return undefined;
}

function describe(
  file: SourceFile,
  fault: YAMLError,
  offset: number,
): { sentence: string; hint?: string } {
  const { line, column, text } = file.lineAt(offset);
  const at = `line ${line}, column ${column}`;
  switch (fault.code) {
    case 'TAB_AS_INDENT':
      return {
        sentence: `while scanning for the next token at ${at}: found character that cannot start any token`,
        hint: 'indent with spaces: YAML does not allow tabs here',
      };
    case 'BAD_SCALAR_START':
      return {
        sentence: `while scanning for the next token at ${at}: found character that cannot start any token`,
        hint: 'put the value in quotes',
      };
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return {
        sentence: `${at}: mapping values are not allowed in this context`,
        hint: 'check the indentation, or put a value that contains ": " in quotes',
      };
    case 'MISSING_CHAR':
      if (fault.message.includes('quote')) {
        return {
          sentence: `while scanning a quoted scalar: ${at}: found unexpected end of stream`,
          hint: 'a quote is not closed',
        };
      }
      return {
        sentence: `while scanning a simple key: ${at}: could not find expected ':'`,
        hint: `\`${text.trim()}\` needs a colon, or more indentation`,
      };
    case 'BAD_INDENT':
      if (fault.message.includes('Flow')) {
        const list = fault.message.includes('sequence');
        return {
          sentence: `while parsing a flow ${list ? 'sequence' : 'mapping'}: ${at}: did not find expected ',' or '${list ? ']' : '}'}'`,
          hint: 'a bracket is not closed',
        };
      }
      return {
        sentence: `while parsing a block mapping: ${at}: did not find expected key`,
        hint: 'keys of one mapping must be indented alike',
      };
    case 'UNEXPECTED_TOKEN':
      return {
        sentence: `while parsing: ${at}: did not find expected key (${lowerFirst(fault.message)})`,
      };
    case 'BAD_DQ_ESCAPE':
      return {
        sentence: `while parsing a quoted scalar: ${at}: found unknown escape character`,
        hint: 'use single quotes, or double the backslash',
      };
    case 'RESOURCE_EXHAUSTION':
      return { sentence: `${at}: nested too deeply` };
    default:
      return { sentence: `${at}: ${lowerFirst(fault.message)}` };
  }
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
