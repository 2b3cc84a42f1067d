// Session affinity: a client's address is hashed to one of a fixed number of slots (by the kernel, for each new connection), and each slot belongs to one task.
// Who owns a slot is decided by rendezvous hashing over the tasks' ids (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998): when a
// task leaves, only its own slots move; a task that comes takes its share and nothing else moves. Every node decides the same, and a node that may only
// choose among its own tasks chooses for a slot that one of them which has it among all. Pure.

/** More slots than tasks, so that shares are even; few enough that a changed rule is written in a millisecond. */
export const SESSION_SLOTS = 512;

/** The same on every node: what makes them agree. Any number does. */
export const SESSION_SEED = 0x74737761;

/** slot → index of its owner. `keys`: of the candidates, each different; at least one. */
export function slotOwners(keys: readonly string[]): readonly number[] {
  const hashes = keys.map(textHash);
  return Array.from({ length: SESSION_SLOTS }, (_, slot) => {
    let owner = 0;
    let best = -1;
    for (const [index, hash] of hashes.entries()) {
      const weight = mixed(hash ^ mixed(slot + 1));
      if (weight > best) {
        best = weight;
        owner = index;
      }
    }
    return owner;
  });
}

/** FNV-1a, 32 bits. */
function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash;
}

/** The last step of MurmurHash3: each bit of the input changes about half of the bits of the result, an unsigned 32-bit number. */
function mixed(input: number): number {
  let hash = input ^ (input >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
