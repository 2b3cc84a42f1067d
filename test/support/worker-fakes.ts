// Hand-written stand-ins for the worker's neighbours, for tests of the runtime alone: images that are plain folders (busybox), a network that is the
// host's or none. They keep the promises of worker/images/types.ts and worker/network/types.ts as far as the runtime looks.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import type { ImageRecord, ImageStore, OciImageConfig } from '#worker/images/types';
import type {
  AttachRequest,
  AttachResult,
  DesiredNetworkState,
  NetworkManager,
} from '#worker/network/types';

export const TEST_IMAGE_ID = `sha256:${'ab'.repeat(32)}`;

/** Writes a root file system with a static busybox, passwd and group. */
export function writeBusyboxRoot(folder: string): void {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'data', 'run']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  cpSync('/usr/bin/busybox', join(folder, 'bin/busybox'));
  const applets = execFileSync('/usr/bin/busybox', ['--list'], { encoding: 'utf8' });
  for (const applet of applets.trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(folder, 'bin', applet));
  }
  writeFileSync(
    join(folder, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nweb:x:101:102:w:/data:/bin/sh\n',
  );
  writeFileSync(join(folder, 'etc/group'), 'root:x:0:\nadm:x:4:web\nwebs:x:102:\n');
  writeFileSync(join(folder, 'data/from-image'), 'image content\n');
}

/** One image, `busybox:test`, whose containers get a full copy. */
export class FolderImageStore implements ImageStore {
  readonly #root: string;
  readonly #folder: string;
  readonly #record: ImageRecord;
  readonly #containers = new Map<string, string>();

  constructor(folder: string, config: OciImageConfig['config'] = {}) {
    this.#folder = folder;
    this.#root = join(folder, 'image');
    mkdirSync(this.#root, { recursive: true });
    writeBusyboxRoot(this.#root);
    this.#record = {
      id: TEST_IMAGE_ID,
      repoTags: ['busybox:test'],
      repoDigests: [],
      config: {
        architecture: 'amd64',
        os: 'linux',
        config: { Cmd: ['sh'], Env: ['FROM_IMAGE=1'], ...config },
        rootfs: { type: 'layers', diff_ids: [] },
      },
      chainId: '',
      sizeBytes: 2_000_000,
    };
  }

  resolve(ref: string): ImageRecord | undefined {
    return ref === 'busybox:test' || ref === TEST_IMAGE_ID ? this.#record : undefined;
  }

  async ensure(ref: string): Promise<ImageRecord> {
    const found = this.resolve(ref);
    if (!found) throw new TswarmError('not_found', `No such image: ${ref}`);
    return found;
  }

  async prepareRootfs(containerId: string): Promise<never> {
    const mergedDir = join(this.#folder, containerId);
    if (!this.#containers.has(containerId)) {
      this.#containers.set(containerId, mergedDir);
      cpSync(this.#root, mergedDir, { recursive: true, verbatimSymlinks: true });
    }
    return this.#paths(mergedDir) as never;
  }

  async mountRootfs(containerId: string): Promise<never> {
    const mergedDir = this.#containers.get(containerId);
    if (mergedDir === undefined) throw new Error(`not prepared: ${containerId}`);
    return this.#paths(mergedDir) as never;
  }

  async unmountRootfs(): Promise<void> {}

  async removeRootfs(containerId: string): Promise<void> {
    rmSync(join(this.#folder, containerId), { recursive: true, force: true });
    this.#containers.delete(containerId);
  }

  rootfsOf(containerId: string): never | undefined {
    const mergedDir = join(this.#folder, containerId);
    return { ...this.#paths(mergedDir), imageId: TEST_IMAGE_ID } as never;
  }

  rootfsIds(): readonly string[] {
    return [...this.#containers.keys()];
  }

  /** As after a restart of the worker. */
  adopt(containerId: string): void {
    this.#containers.set(containerId, join(this.#folder, containerId));
  }

  usersOf(): readonly string[] {
    return [...this.#containers.keys()];
  }

  async upperSize(): Promise<number> {
    return 0;
  }

  #paths(mergedDir: string): unknown {
    return { lowerDirs: [this.#root], upperDir: mergedDir, workDir: mergedDir, mergedDir };
  }
}

/** Every container is in the host's network namespace; calls are written down. */
export class HostNetwork implements NetworkManager {
  readonly attached = new Map<string, AttachRequest>();
  readonly states: DesiredNetworkState[] = [];

  async setState(desired: DesiredNetworkState): Promise<void> {
    this.states.push(desired);
  }

  async attach(containerId: string, request: AttachRequest): Promise<AttachResult> {
    this.attached.set(containerId, request);
    return this.#result(request);
  }

  async detach(containerId: string): Promise<void> {
    this.attached.delete(containerId);
  }

  stateOf(containerId: string): AttachResult | undefined {
    const request = this.attached.get(containerId);
    return request ? this.#result(request) : undefined;
  }

  setServing(): void {}

  async restore(): Promise<void> {}

  async interfaceStats(): Promise<Record<string, never>> {
    return {};
  }

  #result(request: AttachRequest): AttachResult {
    return {
      netnsPath: '',
      resolvConf: 'nameserver 127.0.0.11\n',
      hostGateway: '192.0.2.1',
      endpoints: [],
      portStatus: request.ports,
      ingressPorts: [],
      ingressPorts: [],
    };
  }
}
