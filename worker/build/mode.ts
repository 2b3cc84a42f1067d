// `--chmod` of COPY and ADD: an octal number, or letters as chmod(1) reads them (`u+rwX,go-w`, `a=rX`, `g=u`). Letters change the mode that a source has; without a "who" they
// mean everybody, since a build has no umask. Refuses what is neither.

/** The mode that comes of a source's own (both the lower twelve bits). */
export type ModeChange = (mode: number, isFolder: boolean) => number;

const SHIFTS: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };
const BITS: Readonly<Record<string, number>> = { r: 4, w: 2, x: 1 };
const CLAUSE = /^([ugoa]*)((?:[=+-](?:[rwxXst]*|[ugo]))+)$/;
const EXECUTE = 0o111;
const STICKY = 0o1000;

/** Undefined when the text is no mode. */
export function modeChange(text: string): ModeChange | undefined {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    return mode <= 0o7777 ? () => mode : undefined;
  }
  const clauses = text.split(',').map((clause) => CLAUSE.exec(clause));
  if (clauses.some((clause) => clause === null)) return undefined;
  const changes = clauses.flatMap((clause) => changesOf(clause?.[1] ?? '', clause?.[2] ?? ''));
  return (mode, isFolder) => changes.reduce((now, change) => change(now, isFolder), mode);
}

function changesOf(who: string, actions: string): readonly ModeChange[] {
  const everybody = who === '' || who.includes('a');
  const classes = everybody ? 'ugo' : who;
  return [...actions.matchAll(/([=+-])([^=+-]*)/g)].map(([, operator = '', rights = '']) => {
    return (mode, isFolder) => {
      const { set, cleared } = bitsOf(classes, everybody, rights, mode, isFolder);
      if (operator === '+') return mode | set;
      if (operator === '-') return mode & ~set;
      return (mode & ~cleared) | set;
    };
  });
}

/** The bits that the rights are for these classes, and all bits that `=` takes away before. */
function bitsOf(
  classes: string,
  everybody: boolean,
  rights: string,
  mode: number,
  isFolder: boolean,
): { readonly set: number; readonly cleared: number } {
  let set = rights.includes('t') && everybody ? STICKY : 0;
  let cleared = everybody ? STICKY : 0;
  for (const name of classes) {
    const shift = SHIFTS[name] ?? 0;
    for (const right of rights) {
      const isRun = right === 'X' && (isFolder || (mode & EXECUTE) !== 0);
      const copied = SHIFTS[right];
      const bits = copied === undefined ? (BITS[isRun ? 'x' : right] ?? 0) : (mode >> copied) & 7;
      set |= bits << shift;
      // Set user and set group are of their class.
      if (right === 's' && name !== 'o') set |= name === 'u' ? 0o4000 : 0o2000;
    }
    cleared |= 7 << shift;
    if (name !== 'o') cleared |= name === 'u' ? 0o4000 : 0o2000;
  }
  return { set, cleared };
}
