// Colours, only on a terminal unless `--ansi` says otherwise. NO_COLOR and `--ansi never` turn them off.
export interface Style {
  readonly colour: boolean;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  blue(text: string): string;
  cyan(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

export type ColourChoice = 'always' | 'never' | 'auto';

let choice: ColourChoice = 'auto';

/** `--ansi`, for the rest of the process. */
export function chooseColours(asked: ColourChoice): void {
  choice = asked;
}

export function styleFor(
  stream: { readonly isTTY?: boolean },
  environment: NodeJS.ProcessEnv,
): Style {
  const mayColour = stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb';
  const colour = choice === 'auto' ? mayColour : choice === 'always';
  const paint =
    (code: string) =>
    (text: string): string =>
      colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  return {
    colour,
    red: paint('31'),
    green: paint('32'),
    yellow: paint('33'),
    blue: paint('34'),
    cyan: paint('36'),
    dim: paint('2'),
    bold: paint('1'),
  };
}

/** Colours of log prefixes in turn: cyan yellow green magenta blue, then the bold five (as docker compose). */
export const PREFIX_COLOURS: readonly string[] = [
  '36',
  '33',
  '32',
  '35',
  '34',
  '1;36',
  '1;33',
  '1;32',
  '1;35',
  '1;34',
];

export function colourPrefix(text: string, index: number, style: Style): string {
  if (!style.colour) return text;
  return `\u001b[${PREFIX_COLOURS[index % PREFIX_COLOURS.length]}m${text}\u001b[0m`;
}
