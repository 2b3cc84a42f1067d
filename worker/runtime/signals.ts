// Signal names and numbers of Linux, as users write them: `TERM`, `SIGTERM`, `15`, `RTMIN+3`.
import { constants } from 'node:os';
import { TswarmError } from '#protocol/errors';

const RTMIN = 34;
const RTMAX = 64;

/** The number of a signal. @throws invalid_argument `Invalid signal: …` */
export function signalNumber(text: string): number {
  const found = parse(text.trim());
  if (found === undefined) {
    throw new TswarmError('invalid_argument', `Invalid signal: ${text}`, { field: 'signal' });
  }
  return found;
}

function parse(text: string): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= RTMAX ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RTM(IN|AX)(?:([+-])(\d+))?$/.exec(name);
  if (realTime) {
    const offset = Number(realTime[3] ?? 0) * (realTime[2] === '-' ? -1 : 1);
    const number = (realTime[1] === 'IN' ? RTMIN : RTMAX) + offset;
    return number >= RTMIN && number <= RTMAX ? number : undefined;
  }
  return (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
}
