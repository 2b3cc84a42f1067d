// Engine API versions: the optional /vX.Y prefix of a path, and comparing versions. A path without a prefix means our newest.
import { API_VERSION_MAX, API_VERSION_MIN } from '../limits.ts';
import { EngineError } from './errors.ts';

const PREFIX = /^\/v(\d{1,4})\.(\d{1,4})(?=\/|$)/;

/** A version as one comparable number: 1.44 → 1044. */
export function versionNumber(text: string): number {
  const [major = '0', minor = '0'] = text.split('.');
  return Number(major) * 1000 + Number(minor);
}

const MAX = versionNumber(API_VERSION_MAX);
const MIN = versionNumber(API_VERSION_MIN);

export interface VersionedPath {
  /** Comparable number, see versionNumber. */
  readonly version: number;
  readonly path: string;
}

/** Splits the prefix off. @throws EngineError 400 when the version is too new or too old. */
export function splitVersion(path: string): VersionedPath {
  const match = PREFIX.exec(path);
  if (!match) return { version: MAX, path };
  const text = `${match[1]}.${match[2]}`;
  const version = versionNumber(text);
  if (version > MAX) {
    throw new EngineError(
      'invalid_argument',
      400,
      `client version ${text} is too new. Maximum supported API version is ${API_VERSION_MAX}`,
    );
  }
  if (version < MIN) {
    throw new EngineError(
      'invalid_argument',
      400,
      `client version ${text} is too old. Minimum supported API version is ${API_VERSION_MIN}, ` +
        'please upgrade your client to a newer version',
    );
  }
  const rest = path.slice(match[0].length);
  return { version, path: rest === '' ? '/' : rest };
}
