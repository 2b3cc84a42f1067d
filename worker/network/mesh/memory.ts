// What the mesh remembers as long as the kernel remembers connections, so in the run folder: the node's own id, and a small number for each node that it
// knows. Connection marks and routing tables are made from the numbers, so a number is used again only after all others were.
import { readJsonFile, writeFileAtomic } from '../../files.ts';
import { ORIGINS_MAX } from './addresses.ts';

export class MeshMemory {
  readonly #file: string;
  #nodeId = '';
  #numbers: ReadonlyMap<string, number> = new Map();
  #last = 0;
  #isSaved = true;

  constructor(file: string) {
    this.#file = file;
  }

  async load(): Promise<void> {
    const saved = (await readJsonFile(this.#file)) as
      | { readonly nodeId?: unknown; readonly last?: unknown; readonly numbers?: unknown }
      | undefined;
    const entries = Object.entries((saved?.numbers ?? {}) as Record<string, unknown>);
    this.#numbers = new Map(
      entries.filter((entry): entry is [string, number] => Number.isInteger(entry[1])),
    );
    this.#nodeId = typeof saved?.nodeId === 'string' ? saved.nodeId : '';
    this.#last = typeof saved?.last === 'number' ? saved.last : 0;
  }

  /** node id → number, from 1 */
  get numbers(): ReadonlyMap<string, number> {
    return this.#numbers;
  }

  /** The node's own id: the worker that has just started knows its peers before it knows itself. */
  nodeIdOf(said: { readonly nodeId: string; readonly peers: readonly unknown[] }): string {
    if (said.nodeId === '') return said.peers.length > 0 ? this.#nodeId : '';
    if (said.nodeId !== this.#nodeId) this.#isSaved = false;
    this.#nodeId = said.nodeId;
    return said.nodeId;
  }

  /** Gives numbers to these nodes, and takes them from all others. Nodes beyond the last number get none. */
  assign(nodeIds: readonly string[]): void {
    const next = new Map<string, number>();
    for (const id of nodeIds) {
      const known = this.#numbers.get(id);
      if (known !== undefined) next.set(id, known);
    }
    const used = new Set(next.values());
    for (const id of nodeIds) {
      if (next.has(id) || used.size >= ORIGINS_MAX) continue;
      do this.#last = (this.#last % ORIGINS_MAX) + 1;
      while (used.has(this.#last));
      used.add(this.#last);
      next.set(id, this.#last);
    }
    const isSame =
      next.size === this.#numbers.size && [...next.keys()].every((id) => this.#numbers.has(id));
    if (isSame) return;
    this.#numbers = next;
    this.#isSaved = false;
  }

  async save(): Promise<void> {
    if (this.#isSaved) return;
    this.#isSaved = true;
    const numbers = Object.fromEntries(this.#numbers);
    const text = JSON.stringify({ nodeId: this.#nodeId, last: this.#last, numbers });
    await writeFileAtomic(this.#file, text);
  }
}
