// Bind mounts of the project's folder where containers may run on several nodes. The folder is on one host; on the others docker would mount an empty one. Here its content goes along with the
// deployment, as configs that are mounted at the same places, or the mount is refused with the ways out. Shipped is what is only read: a single file, or a folder that is mounted read-only.
// A folder appears as a small tmpfs with the files in it, so that it hides what the image has there, as a bind mount does. Refuses to ship what a container may write.
import * as specs from '#protocol/generated/specs';
import type { Mount, Project, Service } from '../load/project.ts';
import {
  CONFIG_HASH_DIGITS,
  SHIPPED_BYTES_MAX,
  SHIPPED_FILES_MAX,
  SHIPPED_TMPFS_BYTES,
} from './limits.ts';
import { LABEL, objectLabels, versionedName } from './names.ts';
import type { PlanOptions } from './plan-deploy.ts';
import type { Problems } from './problems.ts';
import { utf8Bytes } from './utf8.ts';

/** What is at a path of this host. */
export type Tree =
  | { readonly kind: 'missing' }
  | { readonly kind: 'file'; readonly file: TreeFile }
  | { readonly kind: 'folder'; readonly files: readonly TreeFile[] }
  /** More than may be shipped, or nothing that can be (a socket, a link out of the folder). */
  | { readonly kind: 'unfit'; readonly why: string };

export interface TreeFile {
  /** Below the folder; '' for a file by itself. */
  readonly path: string;
  readonly data: Uint8Array;
  /** Permission bits. */
  readonly mode: number;
}

/** The nodes that take containers, when there are several. */
export interface Nodes {
  /** Name of the host on which the files are. */
  readonly here: string;
  readonly all: readonly string[];
}

/** What becomes of the bind mounts of one service. */
export interface ShippedBinds {
  /** By index in `volumes`: what is mounted instead; `undefined` = nothing, the configs are enough. */
  readonly mounts: ReadonlyMap<number, specs.Mount | undefined>;
  readonly configs: readonly specs.ConfigSpec[];
  readonly references: readonly specs.ConfigReference[];
}

const NOTHING: ShippedBinds = { mounts: new Map(), configs: [], references: [] };

/** Whether the service says itself on which node it runs. */
export function isPinned(service: Service): boolean {
  const constraints = service.deploy?.placement.constraints ?? [];
  return constraints.some((text) => /^\s*node\.(hostname|id)\s*==/.test(text));
}

/** The node that the service must stay on, because it mounts the project's folder, which is there only; `undefined` = any. */
export function homeOf(
  project: Project,
  service: Service,
  home: string | undefined,
): string | undefined {
  const mountsFolder = (service.volumes ?? []).some(
    ({ type, source = '' }) => type === 'bind' && isInside(source, project.workingDir),
  );
  return mountsFolder && !isPinned(service) ? home : undefined;
}

/** Ships or refuses the bind mounts of service `key`. */
export function shipBinds(
  project: Project,
  key: string,
  service: Service,
  options: PlanOptions,
  problems: Problems,
): ShippedBinds {
  const { nodes, readTree } = options;
  if (nodes === undefined || readTree === undefined || isPinned(service)) return NOTHING;
  const shipper = new Shipper(project, key, options);
  for (const [i, mount] of (service.volumes ?? []).entries()) {
    const path = `services.${key}.volumes.${i}`;
    const { source = '' } = mount;
    if (mount.type !== 'bind' || !isInside(source, project.workingDir)) continue;
    const tree = readTree(source);
    const why = reasonToRefuse(tree, mount, shipper.bytes);
    if (why === undefined) shipper.ship(i, mount, tree);
    else refuse(problems, path, nearPath(source, project.workingDir), why, nodes);
    if (why === undefined && mount.read_only !== true)
      problems.notice(path, 'its content is sent to the nodes; containers cannot change it there');
  }
  return shipper.shipped;
}

function isInside(source: string, folder: string): boolean {
  return source === folder || source.startsWith(`${folder}/`);
}

function nearPath(source: string, folder: string): string {
  return source === folder ? '.' : `.${source.slice(folder.length)}`;
}

/** Undefined when it can be shipped. */
function reasonToRefuse(tree: Tree, mount: Mount, shippedBytes: number): string | undefined {
  if (tree.kind === 'missing') return 'does not exist';
  if (tree.kind === 'unfit') return tree.why;
  if (tree.kind === 'folder' && mount.read_only !== true)
    return 'is a folder that the containers may write to';
  const files = filesOf(tree);
  const bytes = files.reduce((sum, { data }) => sum + data.length, shippedBytes);
  if (bytes > SHIPPED_BYTES_MAX || files.length > SHIPPED_FILES_MAX)
    return `holds more than ${SHIPPED_FILES_MAX} files or ${SHIPPED_BYTES_MAX / 1024} KiB`;
  const empty = files.find(({ data }) => data.length === 0);
  return (
    empty &&
    `holds an empty file${empty.path === '' ? '' : ` (${empty.path})`}, which cannot be sent`
  );
}

function filesOf(tree: Tree): readonly TreeFile[] {
  if (tree.kind === 'file') return [tree.file];
  return tree.kind === 'folder' ? tree.files : [];
}

function refuse(
  problems: Problems,
  path: string,
  source: string,
  why: string,
  { here, all }: Nodes,
): void {
  problems.error(
    path,
    `${source} ${why}, and is on this host only; containers may run on ${all.join(', ')}`,
    `mount it read-only (\`:ro\`): up to ${SHIPPED_FILES_MAX} files and ${SHIPPED_BYTES_MAX / 1024} KiB are then sent along; ` +
      `or use a named volume; or keep the service here with deploy.placement.constraints: ["node.hostname == ${here}"]`,
    'unsupported',
  );
}

class Shipper {
  readonly #project: Project;
  readonly #key: string;
  readonly #options: PlanOptions;
  readonly #mounts: Map<number, specs.Mount | undefined> = new Map();
  readonly #configs: specs.ConfigSpec[] = [];
  readonly #references: specs.ConfigReference[] = [];
  /** Of all that is shipped so far. */
  bytes = 0;

  constructor(project: Project, key: string, options: PlanOptions) {
    this.#project = project;
    this.#key = key;
    this.#options = options;
  }

  get shipped(): ShippedBinds {
    return { mounts: this.#mounts, configs: this.#configs, references: this.#references };
  }

  ship(index: number, { target = '' }: Mount, tree: Tree): void {
    this.#mounts.set(index, tree.kind === 'folder' ? folderAt(target) : undefined);
    for (const file of filesOf(tree)) {
      const place = file.path === '' ? target : `${target.replace(/\/$/, '')}/${file.path}`;
      this.#add(place, file);
      this.bytes += file.data.length;
    }
  }

  #add(place: string, { data, mode }: TreeFile): void {
    const digits = (bytes: Uint8Array): string =>
      this.#options.sha256Hex(bytes).slice(0, CONFIG_HASH_DIGITS);
    const base = `${this.#project.name}_${this.#key}-${digits(utf8Bytes(place))}`;
    const name = versionedName(base, digits(data));
    const label = `${this.#key}:${place}`;
    const labels = objectLabels(this.#project, undefined, LABEL.config, label);
    this.#configs.push(specs.ConfigSpec.create({ name, labels, data }));
    this.#references.push(
      specs.ConfigReference.create({
        configName: name,
        file: specs.FileTarget.create({ name: place, uid: '0', gid: '0', mode }),
      }),
    );
  }
}

/** Room for folders and mount points; the files are mounts of their own. */
function folderAt(target: string): specs.Mount {
  return specs.Mount.create({
    type: specs.MountType.TMPFS,
    target,
    tmpfsOptions: specs.TmpfsOptions.create({ sizeBytes: SHIPPED_TMPFS_BYTES, mode: 0o755 }),
  });
}
