// Writes a tar archive as a stream of chunks. The data of each entry must be exactly as long as its
// header says, else it fails.
import { assert } from '#protocol/errors';
import { BLOCK_BYTES, encodeHeader, padding, type TarHeader } from './format.ts';

export interface TarMember {
  readonly header: TarHeader;
  /** Undefined for entries without data. */
  readonly data?: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | undefined;
}

/** The archive, with its end marker. */
export async function* writeTar(
  members: AsyncIterable<TarMember> | Iterable<TarMember>,
): AsyncGenerator<Uint8Array> {
  for await (const { header, data } of members) {
    yield encodeHeader(header);
    let bytes = 0;
    for await (const chunk of data ?? []) {
      bytes += chunk.length;
      yield chunk;
    }
    assert(bytes === header.size, 'tar: data is as long as announced', { bytes, ...header });
    const pad = padding(bytes);
    if (pad > 0) yield new Uint8Array(pad);
  }
  yield new Uint8Array(2 * BLOCK_BYTES);
}

/** A plain file's or folder's header, owned by root. */
export function simpleHeader(
  name: string,
  kind: 'file' | 'dir',
  size: number,
  mtimeSeconds: number,
): TarHeader {
  return {
    name,
    kind,
    mode: kind === 'dir' ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size,
    mtime: String(mtimeSeconds),
    linkName: '',
    deviceMajor: 0,
    deviceMinor: 0,
    records: new Map(),
  };
}

/** A member from bytes. */
export function fileMember(name: string, content: Uint8Array | string): TarMember {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return { header: simpleHeader(name, 'file', bytes.length, 0), data: [bytes] };
}
