// Where a container's own files lie, and reading and writing its record and state. Data folder: what survives a reboot (record, state, log, /etc files).
// Run folder: bundle and the shim's state, gone after a reboot. Both are named with the full id.
// A record that cannot be read does not stop the worker: its container is reported and swept like one that was never finished.
// What a container is and how it stands is on the disk before anybody is told of it, also after a power cut.
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import {
  listFolder,
  makeFolder,
  readJsonFile,
  readTextFile,
  removeSmallTree,
  removeTree,
  syncFolder,
  writeFileAtomic,
} from '../files.ts';
import type { ContainerRecord, ContainerState } from './record.ts';
import { INITIAL_STATE } from './record.ts';

export interface ContainerPaths {
  readonly dataDir: string;
  readonly runDir: string;
  readonly bundleDir: string;
  readonly shimDir: string;
  readonly logPath: string;
  readonly hostnamePath: string;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
  readonly secretsDir: string;
}

export class ContainerFiles {
  readonly #dataRoot: string;
  readonly #runRoot: string;
  readonly #secretsRoot: string;
  readonly #log: Log | undefined;

  /** Absolute folders; `secretsRoot` is on a tmpfs. */
  constructor(
    roots: {
      readonly dataRoot: string;
      readonly runRoot: string;
      readonly secretsRoot: string;
    },
    log?: Log,
  ) {
    this.#log = log;
    this.#dataRoot = roots.dataRoot;
    this.#runRoot = roots.runRoot;
    this.#secretsRoot = roots.secretsRoot;
  }

  async prepare(): Promise<void> {
    await makeFolder(this.#dataRoot);
    await makeFolder(this.#runRoot);
    await makeFolder(this.#secretsRoot);
  }

  pathsOf(id: string): ContainerPaths {
    const dataDir = join(this.#dataRoot, id);
    const runDir = join(this.#runRoot, id);
    return {
      dataDir,
      runDir,
      bundleDir: join(runDir, 'bundle'),
      shimDir: join(runDir, 'shim'),
      logPath: join(dataDir, `${id}-json.log`),
      hostnamePath: join(dataDir, 'hostname'),
      hostsPath: join(dataDir, 'hosts'),
      resolvConfPath: join(dataDir, 'resolv.conf'),
      secretsDir: join(this.#secretsRoot, id),
    };
  }

  /** Ids that have a data folder, and ids that have a run folder. */
  async ids(): Promise<{ readonly data: readonly string[]; readonly run: readonly string[] }> {
    const [data, run] = await Promise.all([listFolder(this.#dataRoot), listFolder(this.#runRoot)]);
    return { data, run };
  }

  async readRecord(id: string): Promise<ContainerRecord | undefined> {
    const value = await readJsonFile(join(this.pathsOf(id).dataDir, 'record.json'));
    const record = value as ContainerRecord | undefined;
    return record?.version === 1 && record.id === id ? record : undefined;
  }

  async readState(id: string): Promise<ContainerState> {
    const value = await readJsonFile(join(this.pathsOf(id).dataDir, 'state.json'));
    const state = value as ContainerState | undefined;
    return state?.version === 1 ? { ...INITIAL_STATE, ...state } : INITIAL_STATE;
  }

  /** Makes the data folder when it is not there. */
  async writeRecord(record: ContainerRecord): Promise<void> {
    const { dataDir } = this.pathsOf(record.id);
    await makeFolder(dataDir, 0o710);
    await writeFileAtomic(join(dataDir, 'record.json'), JSON.stringify(record), { sync: true });
    await syncFolder(this.#dataRoot);
  }

  async writeState(id: string, state: ContainerState, sync: boolean): Promise<void> {
    const path = join(this.pathsOf(id).dataDir, 'state.json');
    await writeFileAtomic(path, JSON.stringify(state), { sync });
  }

  /** Of a write that nobody waits for. */
  tell(what: string, container: string, error: unknown): void {
    this.#log?.error(what, { container, reason: messageOf(error) });
  }

  /** Before the anonymous volume of a container that has no record yet is made. */
  async noteVolume(id: string, name: string): Promise<void> {
    const { dataDir } = this.pathsOf(id);
    await makeFolder(dataDir, 0o710);
    await appendFile(join(dataDir, 'volumes'), `${name}\n`, { flush: true });
    await syncFolder(dataDir);
    await syncFolder(this.#dataRoot);
  }

  async notedVolumes(id: string): Promise<readonly string[]> {
    const text = await readTextFile(join(this.pathsOf(id).dataDir, 'volumes'));
    return text?.split('\n').filter((name) => name !== '') ?? [];
  }

  async removeRun(id: string): Promise<void> {
    await removeSmallTree(this.pathsOf(id).runDir);
  }

  async removeSecrets(id: string): Promise<void> {
    await removeSmallTree(this.pathsOf(id).secretsDir);
  }

  async removeAll(id: string): Promise<void> {
    const paths = this.pathsOf(id);
    await Promise.all([removeSmallTree(paths.runDir), removeSmallTree(paths.secretsDir)]);
    await removeTree(paths.dataDir);
  }
}
