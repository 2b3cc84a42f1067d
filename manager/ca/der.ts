// The few ASN.1 shapes that certificates are built from, over node-forge's ASN.1 layer, with bytes
// instead of its binary strings; PEM armour; and X.509 times without a clock.
import asn1, { type Asn1 } from 'node-forge/lib/asn1.js';
import util from 'node-forge/lib/util.js';
import { TswarmError } from '#protocol/errors';

export type { Asn1 };

const { Class, Type } = asn1;

export function sequence(...items: readonly Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...items]);
}

export function set(...items: readonly Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, [...items]);
}

/** Context-specific tag around constructed items. */
export function tagged(tag: number, ...items: readonly Asn1[]): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag, true, [...items]);
}

/** Context-specific tag instead of the type of a primitive value. */
export function implicit(tag: number, bytes: Uint8Array): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag, false, toBinary(bytes));
}

export function oid(text: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(text).getBytes());
}

export function utf8(text: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.UTF8, false, toBinary(utf8Bytes(text)));
}

export function boolean(value: boolean): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, value ? '\xff' : '\x00');
}

/** A positive INTEGER, most significant byte first. */
export function integer(bytes: Uint8Array): Asn1 {
  const first = bytes[0] ?? 0;
  const binary = first >= 0x80 ? `\x00${toBinary(bytes)}` : toBinary(bytes);
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, binary);
}

export function octets(bytes: Uint8Array): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, toBinary(bytes));
}

/** A BIT STRING whose last byte has `unusedBits` unused bits. */
export function bits(bytes: Uint8Array, unusedBits = 0): Asn1 {
  const binary = String.fromCharCode(unusedBits) + toBinary(bytes);
  return asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, binary);
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5). */
export function time(micros: number): Asn1 {
  const { year, rest } = calendar(micros);
  const text = `${rest}Z`;
  return year < 2050
    ? asn1.create(Class.UNIVERSAL, Type.UTCTIME, false, String(year).slice(2) + text)
    : asn1.create(Class.UNIVERSAL, Type.GENERALIZEDTIME, false, String(year) + text);
}

/**
 * Year, and MMDDHHMMSS, of a time in UTC. Days to date: the era arithmetic of the proleptic
 * Gregorian calendar.
 */
function calendar(micros: number): { year: number; rest: string } {
  const seconds = Math.floor(micros / 1e6);
  const days = Math.floor(seconds / 86_400);
  const ofDay = seconds - days * 86_400;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const parts = [month, day, Math.floor(ofDay / 3600), Math.floor(ofDay / 60) % 60, ofDay % 60];
  return { year, rest: parts.map((part) => String(part).padStart(2, '0')).join('') };
}

/** DER of a value. */
export function toDer(object: Asn1): Uint8Array {
  return fromBinary(asn1.toDer(object).getBytes());
}

/** The value that DER bytes hold. @throws TswarmError invalid_argument. */
export function fromDer(bytes: Uint8Array, what: string): Asn1 {
  try {
    return asn1.fromDer(toBinary(bytes), {
      strict: true,
      parseAllBytes: true,
      decodeBitStrings: false,
    });
  } catch (error) {
    throw new TswarmError('invalid_argument', `${what}: not valid DER`, { cause: error });
  }
}

/** The items of a constructed value; empty for a primitive one. */
export function itemsOf(object: Asn1 | undefined): readonly Asn1[] {
  return Array.isArray(object?.value) ? object.value : [];
}

/** The bytes of a primitive value. */
export function bytesOf(object: Asn1 | undefined): Uint8Array {
  return fromBinary(typeof object?.value === 'string' ? object.value : '');
}

/** The text of an OBJECT IDENTIFIER; '' for anything else. */
export function oidOf(object: Asn1 | undefined): string {
  if (object?.type !== Type.OID || typeof object.value !== 'string') return '';
  return asn1.derToOid(object.value);
}

/** PEM text with 64 columns and a final line feed. */
export function toPem(label: string, der: Uint8Array): string {
  const body = util.encode64(toBinary(der), 64).replaceAll('\r\n', '\n').trimEnd();
  return `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
}

/** The bytes of the first PEM block with this label. @throws TswarmError invalid_argument. */
export function fromPem(label: string, text: string): Uint8Array {
  const match = new RegExp(
    `-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`,
  ).exec(text);
  if (!match) {
    throw new TswarmError('invalid_argument', `expected a PEM block "${label}", found none`);
  }
  return fromBinary(util.decode64((match[1] ?? '').replace(/\s+/g, '')));
}

function toBinary(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function fromBinary(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** UTF-8 of text, without the platform's encoder (pure code has none). */
export function utf8Bytes(text: string): Uint8Array {
  return fromBinary(unescape(encodeURIComponent(text)));
}
