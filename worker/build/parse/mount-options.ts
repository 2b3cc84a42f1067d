// `RUN --mount=key=value,…`: which kinds there are, which keys each takes, and what their values may be as far as the text alone says (a value with a variable in it is looked at
// when it is known). An unknown key is refused by name: a misspelt `sharing` or `required` would else be lost. Keys: Docker's Dockerfile reference.
import { parseError, type RawInstruction } from './dockerfile.ts';

/** Keys of one `--mount`, values as written. */
export type MountOptions = Readonly<Record<string, string>>;

const SOURCE = ['source', 'src'];
const TARGET = ['target', 'dst', 'destination'];
const WRITABLE = ['ro', 'readonly', 'rw', 'readwrite'];
const OWNED = ['mode', 'uid', 'gid'];

const KEYS: Readonly<Record<string, readonly string[]>> = {
  bind: ['from', ...SOURCE, ...TARGET, ...WRITABLE],
  cache: ['id', 'from', 'sharing', ...SOURCE, ...TARGET, ...WRITABLE, ...OWNED],
  tmpfs: ['size', ...TARGET],
  secret: ['id', 'env', 'required', ...SOURCE, ...TARGET, ...OWNED],
  ssh: ['id', 'required', ...TARGET, ...OWNED],
};

/** Kinds that stand nowhere without being told where. */
const NEEDS_TARGET: ReadonlySet<string> = new Set(['bind', 'cache', 'tmpfs']);
const SWITCHES: ReadonlySet<string> = new Set([...WRITABLE, 'required']);
const SHARING: readonly string[] = ['shared', 'private', 'locked'];

/** @throws TswarmError `invalid_argument` with the line */
export function mountOptions(text: string, raw: RawInstruction): MountOptions {
  const options: Record<string, string> = {};
  for (const field of text.replaceAll('"', '').split(',')) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    if (key === '') throw refused(raw, text, 'an empty field');
    // A switch may stand alone.
    if (equals < 0 && !SWITCHES.has(key))
      throw refused(raw, text, `invalid field '${field}' must be a key=value pair`);
    options[key] = equals < 0 ? 'true' : field.slice(equals + 1);
  }
  check(options, text, raw);
  return options;
}

function check(options: MountOptions, text: string, raw: RawInstruction): void {
  const type = options.type ?? 'bind';
  const known = Object.hasOwn(KEYS, type) ? KEYS[type] : undefined;
  if (known === undefined) {
    const kinds = Object.keys(KEYS).join(', ');
    throw refused(raw, text, `unsupported mount type "${type}"`, `Known are ${kinds}.`);
  }
  for (const [key, value] of Object.entries(options)) {
    if (key !== 'type' && !known.includes(key)) {
      const hint = `A mount of type ${type} takes ${known.join(', ')}.`;
      throw refused(raw, text, `unexpected key '${key}'`, hint);
    }
    const wanted = value.includes('$') ? undefined : wantedOf(key, value);
    if (wanted !== undefined)
      throw refused(raw, text, `invalid value for '${key}': ${value}`, wanted);
  }
  const hasTarget = TARGET.some((key) => (options[key] ?? '') !== '');
  if (NEEDS_TARGET.has(type) && !hasTarget)
    throw refused(raw, text, 'target is missing', 'Write target=/path.');
}

/** What the value should be; undefined when it is fine. */
function wantedOf(key: string, value: string): string | undefined {
  if (SWITCHES.has(key)) {
    return ['true', 'false', '1', '0'].includes(value) ? undefined : 'Write true or false.';
  }
  if (key === 'sharing')
    return SHARING.includes(value) ? undefined : `Write one of ${SHARING.join(', ')}.`;
  if (key === 'mode')
    return /^[0-7]{1,5}$/.test(value) ? undefined : 'Write an octal number such as 0440.';
  if (key === 'uid' || key === 'gid')
    return /^\d{1,9}$/.test(value) ? undefined : 'Write a number.';
  return undefined;
}

function refused(raw: RawInstruction, text: string, what: string, hint?: string): Error {
  return parseError(raw.line, `RUN --mount=${text}: ${what}`, hint);
}
