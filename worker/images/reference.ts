// Image names: `[host[:port]/]path[:tag][@digest]`, with Docker's defaults (docker.io, library/).
// The grammar is distribution/reference's. A name is kept in full form (`docker.io/library/redis`)
// and shown in the familiar one (`redis`). Refuses what Docker refuses, with its words.
import { TswarmError } from '#protocol/errors';
import { isDigest, isHex64 } from './digest.ts';
import { NAME_LENGTH_MAX } from './limits.ts';

export const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DEFAULT_DOMAIN = 'index.docker.io';
const OFFICIAL = 'library/';
export const DEFAULT_TAG = 'latest';

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const PATH = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const HOST_LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = new RegExp(
  `^(?:${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`,
);
const TAG = /^[\w][\w.-]{0,127}$/;

/** A parsed name. `tag` and `digest` are undefined when the text has none. */
export interface Reference {
  /** e.g. `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** e.g. `library/redis`. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** @throws TswarmError `invalid_argument` with Docker's text */
export function parseReference(text: string): Reference {
  if (isHex64(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw invalid('invalid reference format');
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) throw invalid('invalid reference format');
  const { domain, path } = splitDomain(hasTag ? named.slice(0, colon) : named);
  checkName(domain, path);
  return { domain, path, tag, digest };
}

/** The same, with `:latest` when the text names neither tag nor digest. */
export function parseTagged(text: string): Reference {
  const ref = parseReference(text);
  return ref.tag === undefined && ref.digest === undefined ? { ...ref, tag: DEFAULT_TAG } : ref;
}

/**
 * `repo` and `tag` (or a digest in its place) as the Engine API's separate parameters. An empty
 * tag: none.
 */
export function joinReference(repo: string, tag: string): Reference {
  const ref = parseReference(repo);
  if (tag === '') return ref;
  if (ref.digest !== undefined) throw invalid('refusing to create a tag with a digest reference');
  if (isDigest(tag)) return { ...ref, tag: undefined, digest: tag };
  if (!TAG.test(tag)) throw invalid(`invalid tag format: "${tag}"`);
  return { ...ref, tag };
}

/** `docker.io/library/redis`. */
export function fullName(ref: Reference): string {
  return `${ref.domain}/${ref.path}`;
}

/** `redis`, `user/app`, `localhost:5000/app`. */
export function familiarName(ref: Reference): string {
  if (ref.domain !== DEFAULT_DOMAIN) return fullName(ref);
  return ref.path.startsWith(OFFICIAL) && ref.path.indexOf('/', OFFICIAL.length) < 0
    ? ref.path.slice(OFFICIAL.length)
    : ref.path;
}

/** Full name with `:tag` and `@digest`, as far as present. */
export function fullText(ref: Reference): string {
  return fullName(ref) + suffix(ref);
}

/** Familiar name with `:tag` and `@digest`. */
export function familiarText(ref: Reference): string {
  return familiarName(ref) + suffix(ref);
}

/** Familiar form of a stored full text (`docker.io/library/redis:7` → `redis:7`). */
export function familiarOf(full: string): string {
  return familiarText(parseReference(full));
}

/** What a registry is asked for: the digest when there is one. */
export function manifestSelector(ref: Reference): string {
  return ref.digest ?? ref.tag ?? DEFAULT_TAG;
}

function suffix(ref: Reference): string {
  const tag = ref.tag === undefined ? '' : `:${ref.tag}`;
  return ref.digest === undefined ? tag : `${tag}@${ref.digest}`;
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost =
    slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = isHost ? first : DEFAULT_DOMAIN;
  const path = isHost ? name.slice(slash + 1) : name;
  if (domain !== DEFAULT_DOMAIN && domain !== LEGACY_DEFAULT_DOMAIN) return { domain, path };
  return { domain: DEFAULT_DOMAIN, path: path.includes('/') ? path : OFFICIAL + path };
}

function checkName(domain: string, path: string): void {
  if (path !== path.toLowerCase()) {
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  }
  if (!PATH.test(path) || !DOMAIN.test(domain)) throw invalid('invalid reference format');
  if (domain.length + 1 + path.length > NAME_LENGTH_MAX) {
    throw invalid(`repository name must not be more than ${NAME_LENGTH_MAX} characters`);
  }
}

function invalid(message: string): TswarmError {
  return new TswarmError('invalid_argument', message, {
    hint: 'Write it as [host[:port]/]path[:tag][@sha256:…], in lower case.',
  });
}
