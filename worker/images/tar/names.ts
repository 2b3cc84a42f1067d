// File names are bytes. As text they are UTF-8 where they can be; a byte that is not becomes U+DC80
// + (byte − 0x80), a lone surrogate that no UTF-8 text contains, so that every name survives the
// way through a string (the scheme is Python's "surrogateescape").

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ESCAPE_BASE = 0xdc00;
const ESCAPED = /[\udc80-\udcff]/;

export function textOfName(bytes: Uint8Array): string {
  try {
    return STRICT.decode(bytes);
  } catch {
    return escaped(bytes);
  }
}

export function bytesOfName(text: string): Buffer {
  if (!ESCAPED.test(text)) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  for (const char of text) {
    const code = char.charCodeAt(0);
    const isEscape = char.length === 1 && code >= ESCAPE_BASE + 0x80 && code <= ESCAPE_BASE + 0xff;
    parts.push(isEscape ? Buffer.from([code - ESCAPE_BASE]) : Buffer.from(char, 'utf8'));
  }
  return Buffer.concat(parts);
}

function escaped(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length > 0) text += STRICT.decode(bytes.subarray(at, at + length));
    else text += String.fromCharCode(ESCAPE_BASE + (bytes[at] ?? 0));
    at += Math.max(length, 1);
  }
  return text;
}

/** Bytes of the valid sequence at `at`; 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length += 1) {
    try {
      STRICT.decode(bytes.subarray(at, at + length));
      return length;
    } catch {
      // A longer piece may be a whole character.
    }
  }
  return 0;
}
