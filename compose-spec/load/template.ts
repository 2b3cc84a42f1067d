// The `${…}` language: `$$`, `$NAME`, `${NAME}`, and `:-` `-` `:?` `?` `:+` `+` with nested text.
// Grammar and messages after compose-go's template package (compose.md §2.4). A default, error text
// or replacement is only evaluated when it is used, so it warns only then.

import { INTERPOLATION_DEPTH_MAX } from './limits.ts';

/** Value of a variable, `undefined` when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** Why a template has no value. */
export type TemplateFault =
  | { readonly kind: 'invalid'; readonly template: string }
  | { readonly kind: 'required'; readonly variable: string; readonly reason: string };

/** One use of a variable in a template, for `config --variables`. */
export interface VariableUse {
  readonly name: string;
  readonly required: boolean;
  readonly defaultValue?: string;
  readonly alternateValue?: string;
}

/** The text with variables filled in, or why not; `unset` lists variables that became blank. */
export type TemplateResult =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly fault: TemplateFault };

const NAME = /[_a-zA-Z][_a-zA-Z0-9]*/y;
const OPERATORS = [':-', ':?', ':+', '-', '?', '+'] as const;

/** Fills in the variables of `template`; `onUnset` hears of each that is replaced by nothing. */
export function substitute(
  template: string,
  lookup: Lookup,
  onUnset: (name: string) => void,
): TemplateResult {
  try {
    return { ok: true, text: expand(template, { lookup, onUnset, whole: template }, 0) };
  } catch (error) {
    if (error instanceof Fault) return { ok: false, fault: error.fault };
    throw error;
  }
}

/** The variables that a template names, outermost first. */
export function variablesOf(template: string): VariableUse[] {
  const uses: VariableUse[] = [];
  for (let i = template.indexOf('$'); i !== -1; i = template.indexOf('$', i)) {
    const parsed = parseAt(template, i);
    if (parsed.kind === 'variable') {
      const { name, operator, argument } = parsed;
      uses.push({
        name,
        required: operator.endsWith('?'),
        ...(operator.endsWith('-') ? { defaultValue: argument } : {}),
        ...(operator.endsWith('+') ? { alternateValue: argument } : {}),
      });
      uses.push(...variablesOf(argument));
    }
    i = parsed.end;
  }
  return uses;
}

class Fault extends Error {
  readonly fault: TemplateFault;
  constructor(fault: TemplateFault) {
    super(fault.kind);
    this.fault = fault;
  }
}

interface Context {
  readonly lookup: Lookup;
  readonly onUnset: (name: string) => void;
  /** The text that the user wrote, for messages. */
  readonly whole: string;
}

function expand(text: string, context: Context, depth: number): string {
  if (depth > INTERPOLATION_DEPTH_MAX)
    throw new Fault({ kind: 'invalid', template: context.whole });
  let result = '';
  let from = 0;
  for (let i = text.indexOf('$'); i !== -1; i = text.indexOf('$', from)) {
    result += text.slice(from, i);
    const parsed = parseAt(text, i);
    if (parsed.kind === 'literal') result += parsed.text;
    else if (parsed.kind === 'invalid')
      throw new Fault({ kind: 'invalid', template: context.whole });
    else result += evaluate(parsed, context, depth);
    from = parsed.end;
  }
  return result + text.slice(from);
}

interface VariablePart {
  readonly kind: 'variable';
  readonly name: string;
  readonly operator: string;
  readonly argument: string;
  readonly end: number;
}
type Part =
  | VariablePart
  | { readonly kind: 'literal'; readonly text: string; readonly end: number }
  | { readonly kind: 'invalid'; readonly end: number };

/** What starts with the `$` at `start`. */
function parseAt(text: string, start: number): Part {
  const next = text[start + 1];
  if (next === '$') return { kind: 'literal', text: '$', end: start + 2 };
  if (next !== '{') {
    const name = nameAt(text, start + 1);
    if (name === '') return { kind: 'literal', text: '$', end: start + 1 };
    return { kind: 'variable', name, operator: '', argument: '', end: start + 1 + name.length };
  }
  const name = nameAt(text, start + 2);
  const after = start + 2 + name.length;
  const invalid: Part = { kind: 'invalid', end: start + 2 };
  if (name === '') return invalid;
  if (text[after] === '}') {
    return { kind: 'variable', name, operator: '', argument: '', end: after + 1 };
  }
  const operator = OPERATORS.find((candidate) => text.startsWith(candidate, after));
  if (operator === undefined) return invalid;
  const close = closingBrace(text, after + operator.length);
  if (close === -1) return invalid;
  const argument = text.slice(after + operator.length, close);
  return { kind: 'variable', name, operator, argument, end: close + 1 };
}

function nameAt(text: string, index: number): string {
  NAME.lastIndex = index;
  return NAME.exec(text)?.[0] ?? '';
}

/** The `}` that ends what began before `from`; braces inside are balanced. */
function closingBrace(text: string, from: number): number {
  let open = 1;
  for (let i = from; i < text.length; i += 1) {
    if (text[i] === '{') open += 1;
    else if (text[i] === '}') {
      open -= 1;
      if (open === 0) return i;
    }
  }
  return -1;
}

function evaluate(part: VariablePart, context: Context, depth: number): string {
  const value = context.lookup(part.name);
  const missing = part.operator.startsWith(':')
    ? value === undefined || value === ''
    : value === undefined;
  switch (part.operator.slice(-1)) {
    case '-':
      return missing ? expand(part.argument, context, depth + 1) : (value ?? '');
    case '+':
      return missing ? '' : expand(part.argument, context, depth + 1);
    case '?':
      if (!missing) return value ?? '';
      throw new Fault({
        kind: 'required',
        variable: part.name,
        reason: expand(part.argument, context, depth + 1),
      });
    default:
      if (value === undefined) context.onUnset(part.name);
      return value ?? '';
  }
}

/** compose-go's sentence for a fault. */
export function describeFault(fault: TemplateFault): string {
  if (fault.kind === 'invalid') return `Invalid template: ${JSON.stringify(fault.template)}`;
  const reason = fault.reason === '' ? '' : `: ${fault.reason}`;
  return `required variable ${fault.variable} is missing a value${reason}`;
}

/** The warning for a variable that is not set. */
export function unsetWarning(name: string): string {
  return `The ${JSON.stringify(name)} variable is not set. Defaulting to a blank string.`;
}
