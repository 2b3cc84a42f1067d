// The attachments of this node's containers, in memory and below the run root (gone after a reboot, as the namespaces are). The file follows the memory;
// writes of one container happen in order. A record whose file is not written yet when the worker dies belongs to a container that never ran.
import { listFolder, readJsonFile, removeFile, writeFileAtomic } from '../files.ts';
import type { AttachmentRecord } from './attachment.ts';

export class AttachmentStore {
  readonly #folder: string;
  readonly #records = new Map<string, AttachmentRecord>();
  /** container id → its last write */
  readonly #writes = new Map<string, Promise<void>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads what an earlier worker left. Files that are no records are passed over. */
  async load(): Promise<void> {
    for (const file of await listFolder(this.#folder)) {
      const record = await readJsonFile(`${this.#folder}/${file}`);
      if (isRecord(record)) this.#records.set(record.containerId, record);
    }
  }

  get(containerId: string): AttachmentRecord | undefined {
    return this.#records.get(containerId);
  }

  has(containerId: string): boolean {
    return this.#records.has(containerId);
  }

  list(): readonly AttachmentRecord[] {
    return [...this.#records.values()];
  }

  /** Whether a container has this name for a host's end. */
  hasLink(name: string): boolean {
    for (const record of this.#records.values()) {
      if (record.interfaces.some((itf) => itf.host === name)) return true;
    }
    return false;
  }

  /** In memory at once; resolves when it is in the file. */
  put(record: AttachmentRecord): Promise<void> {
    this.#records.set(record.containerId, record);
    return this.#write(record.containerId, () =>
      writeFileAtomic(this.#file(record.containerId), JSON.stringify(record)),
    );
  }

  /** Out of memory at once; resolves when the file is gone. */
  delete(containerId: string): Promise<void> {
    this.#records.delete(containerId);
    return this.#write(containerId, () => removeFile(this.#file(containerId)));
  }

  #file(containerId: string): string {
    return `${this.#folder}/${containerId}.json`;
  }

  #write(containerId: string, work: () => Promise<void>): Promise<void> {
    const former = this.#writes.get(containerId);
    const write = former ? former.catch(() => {}).then(work) : work();
    this.#writes.set(containerId, write);
    const forget = (): void => {
      if (this.#writes.get(containerId) === write) this.#writes.delete(containerId);
    };
    write.then(forget, forget);
    return write;
  }
}

function isRecord(value: unknown): value is AttachmentRecord {
  const record = value as Partial<AttachmentRecord> | undefined;
  return (
    typeof record?.containerId === 'string' &&
    Array.isArray(record.interfaces) &&
    Array.isArray(record.result?.endpoints)
  );
}
