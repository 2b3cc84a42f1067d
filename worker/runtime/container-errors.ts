// What a caller hears about a container that is not there, or not running; the Engine API's words.
import { TswarmError } from '#protocol/errors';
import type { Container } from './container.ts';

export function noSuchContainer(idOrName: string): TswarmError {
  return new TswarmError('not_found', `No such container: ${idOrName}`);
}

export function notRunning(container: Container): TswarmError {
  return new TswarmError('conflict', `Container ${container.id} is not running`);
}
