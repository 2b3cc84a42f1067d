// What a manager has assigned to this node, kept so that everything goes on with no manager in reach and after a restart: one small file per object below
// `<dataRoot>/agent`. Secrets' data is only in memory and on a tmpfs below the run root, so it is gone after a reboot and comes again from a manager.
// Files are replaced whole and synced (but a task's only once it is to run), a task's after those of what it refers to: after a power cut, too, a task that
// is known here can be started here.
// A file that is damaged all the same is removed and assigned again.
import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { MessageType } from '#protocol/codec';
import { MeshPeer, ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { Secret } from '#protocol/generated/objects';
import { Config, Network, Task, TaskState, TaskStatus, Volume } from '#protocol/generated/objects';
import type { Log } from '#protocol/world';
import type { SavedTask } from '#worker/agent/types';
import {
  codeOf,
  listFolder,
  makeFolder,
  readJsonFile,
  removeFile,
  removeTree,
  writeFileAtomic,
} from './files.ts';
import type { DesiredNetworkState } from './network/types.ts';
import { TEMPLATE_DRIVER } from './payload-template.ts';
import { Lock } from './queue.ts';

interface Kind<T> {
  readonly folder: string;
  readonly type: MessageType<T>;
  idOf(object: T): string;
}

const NETWORKS: Kind<Network> = { folder: 'networks', type: Network, idOf: (item) => item.id };
const ENDPOINTS: Kind<ServiceEndpoints> = {
  folder: 'endpoints',
  type: ServiceEndpoints,
  idOf: (item) => item.serviceId,
};
const PEERS: Kind<MeshPeer> = { folder: 'peers', type: MeshPeer, idOf: (item) => item.nodeId };
const CONFIGS: Kind<Config> = { folder: 'configs', type: Config, idOf: (item) => item.id };
const VOLUMES: Kind<Volume> = { folder: 'volumes', type: Volume, idOf: (item) => item.id };

/** Objects of one kind, in memory and on disk. Writes of one object keep their order. */
export class AssignedKind<T> {
  readonly #kind: Kind<T>;
  readonly #root: string;
  readonly #objects = new Map<string, T>();
  readonly #writes = new Lock();

  constructor(kind: Kind<T>, dataDir: string) {
    this.#kind = kind;
    this.#root = join(dataDir, kind.folder);
  }

  async load(): Promise<void> {
    await makeFolder(this.#root);
    for (const name of await listFolder(this.#root)) {
      const object = await this.#read(name);
      if (object !== undefined) this.#objects.set(name, object);
      else await unlink(join(this.#root, name)).catch(() => undefined);
    }
  }

  /** Undefined when it is damaged. An empty file decodes as well, to an object without an id. */
  async #read(name: string): Promise<T | undefined> {
    const bytes = new Uint8Array(await readFile(join(this.#root, name)));
    try {
      const object = this.#kind.type.decode(bytes);
      return this.#kind.idOf(object) === name ? object : undefined;
    } catch {
      return undefined;
    }
  }

  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  set(object: T): Promise<void> {
    const id = this.#kind.idOf(object);
    this.#objects.set(id, object);
    return this.#writes.run(async () => {
      const current = this.#objects.get(id);
      if (current !== object) return;
      await writeFileAtomic(join(this.#root, id), this.#kind.type.encode(object), { sync: true });
    });
  }

  delete(id: string): Promise<void> {
    this.#objects.delete(id);
    return this.#writes.run(async () => {
      if (!this.#objects.has(id)) await removeFile(join(this.#root, id));
    });
  }

  /** Removes what is not among these ids. */
  async keepOnly(ids: ReadonlySet<string>): Promise<void> {
    await Promise.all(
      [...this.#objects.keys()].filter((id) => !ids.has(id)).map((id) => this.delete(id)),
    );
  }

  idle(): Promise<void> {
    return this.#writes.idle();
  }
}

/** The networks and endpoints that a manager told this node last; none when it is in no cluster. The node's id is not among it. */
export async function savedNetworkState(dataDir: string): Promise<DesiredNetworkState> {
  const networks = new AssignedKind(NETWORKS, dataDir);
  const endpoints = new AssignedKind(ENDPOINTS, dataDir);
  const peers = new AssignedKind(PEERS, dataDir);
  const isMember = (await listFolder(dataDir)).length > 0;
  if (isMember) await Promise.all([networks.load(), endpoints.load(), peers.load()]);
  return {
    nodeId: '',
    networks: [...networks.objects.values()],
    endpoints: [...endpoints.objects.values()],
    peers: [...peers.objects.values()],
  };
}

const TEMPLATE_SUFFIX = '.template';

export class AssignedStore {
  readonly networks: AssignedKind<Network>;
  readonly endpoints: AssignedKind<ServiceEndpoints>;
  readonly peers: AssignedKind<MeshPeer>;
  readonly configs: AssignedKind<Config>;
  readonly volumes: AssignedKind<Volume>;
  readonly #tasksDir: string;
  readonly #dataDir: string;
  readonly #secretsDir: string;
  readonly #log: Log;
  readonly #secrets = new Map<string, Uint8Array>();
  /** Ids of the secrets whose data is a template; on disk an empty file beside the data. */
  readonly #secretTemplates = new Set<string>();
  readonly #tasks = new Map<string, Task>();
  /** task id → what waits to be written */
  readonly #unwritten = new Map<string, SavedTask>();
  readonly #taskWrites = new Map<string, Lock>();

  /** `secretsDir` must be on a tmpfs. */
  constructor(options: { readonly dataDir: string; readonly secretsDir: string }, log: Log) {
    this.#dataDir = options.dataDir;
    this.#tasksDir = join(options.dataDir, 'tasks');
    this.#secretsDir = options.secretsDir;
    this.#log = log;
    this.networks = new AssignedKind(NETWORKS, options.dataDir);
    this.endpoints = new AssignedKind(ENDPOINTS, options.dataDir);
    this.peers = new AssignedKind(PEERS, options.dataDir);
    this.configs = new AssignedKind(CONFIGS, options.dataDir);
    this.volumes = new AssignedKind(VOLUMES, options.dataDir);
  }

  /** Reads everything. @returns the tasks */
  async load(): Promise<readonly SavedTask[]> {
    await Promise.all([
      this.networks.load(),
      this.endpoints.load(),
      this.peers.load(),
      this.configs.load(),
      this.volumes.load(),
      this.#loadSecrets(),
    ]);
    await makeFolder(this.#tasksDir);
    const out: SavedTask[] = [];
    for (const name of await listFolder(this.#tasksDir)) {
      const saved = savedFrom(await readJsonFile(join(this.#tasksDir, name)));
      if (saved) {
        out.push(saved);
        this.#tasks.set(saved.task.id, saved.task);
      } else {
        this.#log.warn('saved task cannot be read', { task: name });
        await removeTree(join(this.#tasksDir, name));
      }
    }
    return out;
  }

  async #loadSecrets(): Promise<void> {
    await makeFolder(this.#secretsDir);
    for (const name of await listFolder(this.#secretsDir)) {
      if (name.endsWith(TEMPLATE_SUFFIX)) {
        this.#secretTemplates.add(name.slice(0, -TEMPLATE_SUFFIX.length));
        continue;
      }
      this.#secrets.set(name, new Uint8Array(await readFile(join(this.#secretsDir, name))));
    }
  }

  /** Ids of the secrets and configs whose data is here. */
  presentFiles(): ReadonlySet<string> {
    return new Set([...this.#secrets.keys(), ...this.configs.objects.keys()]);
  }

  /** Data of a secret or config; undefined when it has not been assigned (any more). */
  data(id: string): Uint8Array | undefined {
    return this.#secrets.get(id) ?? this.configs.objects.get(id)?.spec?.data;
  }

  isTemplate(id: string): boolean {
    const config = this.configs.objects.get(id);
    return this.#secretTemplates.has(id) || config?.spec?.templating?.name === TEMPLATE_DRIVER;
  }

  async setSecret(secret: Secret): Promise<void> {
    const data = secret.spec?.data ?? new Uint8Array(0);
    if (secret.spec?.templating?.name === TEMPLATE_DRIVER) {
      // The mark first: data without it would be used as it is after a restart.
      this.#secretTemplates.add(secret.id);
      await writeFileAtomic(join(this.#secretsDir, secret.id + TEMPLATE_SUFFIX), '');
    }
    this.#secrets.set(secret.id, data);
    await writeFileAtomic(join(this.#secretsDir, secret.id), data);
  }

  async deleteSecret(id: string): Promise<void> {
    this.#secrets.delete(id);
    await removeFile(join(this.#secretsDir, id));
    if (!this.#secretTemplates.delete(id)) return;
    await removeFile(join(this.#secretsDir, id + TEMPLATE_SUFFIX));
  }

  async keepOnlySecrets(ids: ReadonlySet<string>): Promise<void> {
    const gone = [...this.#secrets.keys()].filter((id) => !ids.has(id));
    await Promise.all(gone.map((id) => this.deleteSecret(id)));
  }

  /** The task as last saved. */
  savedTask(taskId: string): Task | undefined {
    return this.#tasks.get(taskId);
  }

  /** Calls for one task are written in order; of several that wait, the last. */
  saveTask(saved: SavedTask): Promise<void> {
    const { id } = saved.task;
    this.#tasks.set(id, saved.task);
    this.#unwritten.set(id, saved);
    return this.#taskLock(id).run(async () => {
      const newest = this.#unwritten.get(id);
      if (!newest) return;
      this.#unwritten.delete(id);
      await Promise.all([this.networks.idle(), this.configs.idle(), this.volumes.idle()]);
      const text = JSON.stringify(savedJson(newest));
      await writeFileAtomic(join(this.#tasksDir, id), text, { sync: !isOnlyPrepared(newest) });
    });
  }

  forgetTask(taskId: string): Promise<void> {
    this.#tasks.delete(taskId);
    this.#unwritten.delete(taskId);
    const done = this.#taskLock(taskId).run(() => removeFile(join(this.#tasksDir, taskId)));
    this.#taskWrites.delete(taskId);
    return done;
  }

  /** Resolves when what was saved of the task so far is written. */
  async taskSaved(taskId: string): Promise<void> {
    await this.#taskWrites.get(taskId)?.idle();
  }

  #taskLock(taskId: string): Lock {
    const known = this.#taskWrites.get(taskId);
    if (known) return known;
    const lock = new Lock();
    this.#taskWrites.set(taskId, lock);
    return lock;
  }

  /** Everything of the cluster, when the node leaves it. */
  async clear(): Promise<void> {
    const none = new Set<string>();
    await Promise.all([
      this.networks.keepOnly(none),
      this.endpoints.keepOnly(none),
      this.peers.keepOnly(none),
      this.configs.keepOnly(none),
      this.volumes.keepOnly(none),
      this.keepOnlySecrets(none),
    ]);
    await removeTree(this.#dataDir);
  }
}

/** It never ran: after a power cut it is assigned and prepared again, as if it had not been here yet. */
function isOnlyPrepared({ run, status, task }: SavedTask): boolean {
  return run === 0 && status.state <= TaskState.READY && task.desiredState <= TaskState.RUNNING;
}

interface SavedJson {
  readonly version: 1;
  /** Base64 of the encoded messages. */
  readonly task: string;
  readonly status: string;
  readonly run: number;
  readonly restartCount: number;
  readonly restartsInRow: number;
  readonly restartSeen: number;
  readonly held: boolean;
  /** Absent in what an older version wrote. */
  readonly besideContainers?: readonly string[];
  readonly besideRuns?: readonly number[];
}

function savedJson(saved: SavedTask): SavedJson {
  const { task, status, ...numbers } = saved;
  return {
    version: 1,
    task: Buffer.from(Task.encode(task)).toString('base64'),
    status: Buffer.from(TaskStatus.encode(status)).toString('base64'),
    ...numbers,
  };
}

function savedFrom(value: unknown): SavedTask | undefined {
  const json = value as SavedJson | undefined;
  if (json?.version !== 1) return undefined;
  try {
    return {
      task: Task.decode(new Uint8Array(Buffer.from(json.task, 'base64'))),
      status: TaskStatus.decode(new Uint8Array(Buffer.from(json.status, 'base64'))),
      run: json.run,
      restartCount: json.restartCount,
      restartsInRow: json.restartsInRow,
      restartSeen: json.restartSeen,
      held: json.held,
      besideContainers: json.besideContainers ?? [],
      besideRuns: json.besideRuns ?? [],
    };
  } catch (error) {
    if (error instanceof RangeError || codeOf(error) === '') return undefined;
    throw error;
  }
}
