// Names and labels of all objects: Swarm's rules with Swarm's texts, so that clients that match on
// them keep working.
import { TswarmError } from '#protocol/errors';

const DNS_LABEL = /^[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?$/;
const DNS_LABEL_CHARS_MAX = 63;
const SECRET_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]*[a-zA-Z0-9])?$/;
const SECRET_NAME_CHARS_MAX = 64;
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const VOLUME_NAME_CHARS_MAX = 255;

/** A refused request that names its field. */
export function invalid(field: string, message: string, hint?: string): TswarmError {
  return new TswarmError('invalid_argument', message, hint ? { field, hint } : { field });
}

/** Services, networks, stacks, the cluster: one component of a DNS name. */
export function checkDnsName(name: string, field = 'Name'): void {
  if (name === '') throw invalid(field, 'meta: name must be provided');
  if (!DNS_LABEL.test(name)) {
    throw invalid(field, 'name must be valid as a DNS name component', `It is ${quote(name)}.`);
  }
  if (name.length > DNS_LABEL_CHARS_MAX) {
    throw invalid(field, 'name must be 63 characters or fewer', `It is ${quote(name)}.`);
  }
}

/** Secrets and configs. */
export function checkSecretName(name: string): void {
  if (name === '') throw invalid('Name', 'name must be provided');
  if (name.length > SECRET_NAME_CHARS_MAX || !SECRET_NAME.test(name)) {
    throw invalid(
      'Name',
      'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]',
    );
  }
}

export function checkVolumeName(name: string, field = 'Name'): void {
  if (name.length > VOLUME_NAME_CHARS_MAX || !VOLUME_NAME.test(name)) {
    throw invalid(
      field,
      `${quote(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`,
      'If you intended to pass a host directory, use an absolute path.',
    );
  }
}

/** Labels: any text but an empty key, and the one key that a JavaScript object cannot hold. */
export function checkLabels(labels: Readonly<Record<string, string>>, field = 'Labels'): void {
  for (const key of Object.keys(labels)) {
    if (key.trim() === '') throw invalid(field, 'a label has an empty name');
  }
  if (Object.hasOwn(labels, '__proto__')) {
    throw invalid(field, 'a label must not be called __proto__');
  }
}

export function quote(text: string): string {
  return JSON.stringify(text);
}
