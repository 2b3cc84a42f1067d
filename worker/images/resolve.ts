// From what people write to the image that is here: id, name, digest, unique beginning of an id, in
// Docker's order.
import { TswarmError } from '#protocol/errors';
import { isDigest, isHex64 } from './digest.ts';
import type { ImageDb, ImageEntry } from './image-db.ts';
import { familiarText, fullName, fullText, parseTagged } from './reference.ts';

export interface Found {
  readonly image: ImageEntry;
  /** Full text of the name that matched; undefined when it was found by its id. */
  readonly name: string | undefined;
}

/** @throws TswarmError `conflict` when a beginning fits several */
export function findImage(db: ImageDb, text: string): Found | undefined {
  const byId = isDigest(text) ? db.get(text) : isHex64(text) ? db.get(`sha256:${text}`) : undefined;
  if (byId !== undefined) return { image: byId, name: undefined };
  const byName = findByName(db, text);
  if (byName !== undefined) return byName;
  const hex = /^(?:sha256:)?([a-f0-9]{1,64})$/.exec(text)?.[1];
  if (hex === undefined) return undefined;
  const [first, second] = db.byPrefix(hex);
  if (second !== undefined) {
    throw new TswarmError('conflict', `multiple IDs found with provided prefix: ${text}`);
  }
  return first === undefined ? undefined : { image: first, name: undefined };
}

/** @throws TswarmError `not_found` "No such image: …" */
export function needImage(db: ImageDb, text: string): Found {
  const found = findImage(db, text);
  if (found !== undefined) return found;
  throw noSuchImage(text);
}

export function noSuchImage(text: string): TswarmError {
  return new TswarmError('not_found', `No such image: ${shown(text)}`);
}

function findByName(db: ImageDb, text: string): Found | undefined {
  try {
    const ref = parseTagged(text);
    // A digest says exactly which; a tag beside it is for people.
    const name = ref.digest === undefined ? fullText(ref) : `${fullName(ref)}@${ref.digest}`;
    const image = db.byName(name);
    return image === undefined ? undefined : { image, name };
  } catch {
    return undefined;
  }
}

function shown(text: string): string {
  try {
    return isDigest(text) ? text : familiarText(parseTagged(text));
  } catch {
    return text;
  }
}
