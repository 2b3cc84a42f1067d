// `tcompose check`: what of a project other tools would drop, each with its place, and what tswarm itself does by other means or refuses. Pure: the plan's problems
// and the tables of support.ts and peers.ts over the loaded project.
import type { Location } from '../load/load-project.ts';
import type { Project } from '../load/project.ts';
import { ownValue } from '../load/records.ts';
import {
  PEER_RULES,
  PEER_TOP_RULES,
  type Peer,
  type PeerRule,
  type Treatment,
  treatmentsOf,
  valuesAt,
} from './peers.ts';
import { type PlanOptions, planDeploy } from './plan-deploy.ts';
import { BUILD_SUPPORT, SERVICE_SUPPORT, type Support } from './support.ts';

/** Something that not every tool does. */
export interface Finding {
  /** `services.web.deploy.update_config` */
  readonly path: string;
  readonly file?: string;
  readonly line?: number;
  /** By tool; tools that do it are not in it. */
  readonly peers: Readonly<Partial<Record<Peer, Treatment>>>;
}

/** What tswarm does otherwise than written. */
export interface OwnFinding {
  readonly path: string;
  readonly file?: string;
  readonly line?: number;
  readonly kind: 'emulated' | 'notice' | 'refused';
  readonly message: string;
}

export interface CheckResult {
  readonly peers: readonly Finding[];
  readonly own: readonly OwnFinding[];
  /** False: tswarm refuses something, too. */
  readonly deploys: boolean;
}

type Locate = (path: string) => Location | undefined;

/** Checks all services of the project, switched on or not. */
export function checkProject(project: Project, locate: Locate, options: PlanOptions): CheckResult {
  const plan = planDeploy(project, { ...options, locate });
  const place = (path: string): { readonly file?: string; readonly line?: number } => {
    const found = locate(path);
    return found ? { file: found.file, line: found.line } : {};
  };
  const refused: readonly OwnFinding[] = plan.ok
    ? []
    : plan.errors.map(({ path = '', message }) => ({
        path,
        ...place(path),
        kind: 'refused',
        message: message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message,
      }));
  const notices = plan.notices.map(
    ({ path, message }): OwnFinding => ({ path, ...place(path), kind: 'notice', message }),
  );
  const own = [...refused, ...emulated(project, place), ...notices];
  return { peers: peerFindings(project, place), own: own.sort(byPlace), deploys: plan.ok };
}

type Place = (path: string) => { readonly file?: string; readonly line?: number };

function emulated(project: Project, place: Place): OwnFinding[] {
  return Object.entries(project.services).flatMap(([key, service]) => {
    const at = `services.${key}`;
    return [
      ...emulatedKeys(service, SERVICE_SUPPORT, at, place),
      ...emulatedKeys(service.build ?? {}, BUILD_SUPPORT, `${at}.build`, place),
    ];
  });
}

function emulatedKeys(
  object: object,
  support: Readonly<Record<string, Support>>,
  at: string,
  place: Place,
): OwnFinding[] {
  return Object.entries(object).flatMap(([field, value]): OwnFinding[] => {
    const what = ownValue(support, field);
    if (what?.kind !== 'emulated' || !isSet(value)) return [];
    const path = `${at}.${field}`;
    return [{ path, ...place(path), kind: 'emulated', message: what.how }];
  });
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null;
}

function peerFindings(project: Project, place: Place): Finding[] {
  const findings: Finding[] = [];
  const add = (path: string, peers: Finding['peers']): void => {
    if (Object.keys(peers).length > 0) findings.push({ path, ...place(path), peers });
  };
  const addRules = (rules: readonly PeerRule[], root: unknown, at: string): void => {
    for (const { path, treatments, isUsual } of rules)
      for (const [found, value] of valuesAt(root, path.split('.')))
        if (isSet(value) && isUsual?.(value) !== true) add(`${at}${found}`, treatments);
  };
  const services = { ...project.services, ...project.disabledServices };
  for (const [key, service] of Object.entries(services)) {
    for (const [field, value] of Object.entries(service))
      if (isSet(value)) add(`services.${key}.${field}`, treatmentsOf(field));
    addRules(PEER_RULES, service, `services.${key}.`);
  }
  addRules(PEER_TOP_RULES, project, '');
  return findings.sort(byPlace);
}

interface Placed {
  readonly path: string;
  readonly file?: string;
  readonly line?: number;
}

function byPlace(a: Placed, b: Placed): number {
  const [fileA, fileB] = [a.file ?? '', b.file ?? ''];
  if (fileA !== fileB) return fileA < fileB ? -1 : 1;
  if ((a.line ?? 0) !== (b.line ?? 0)) return (a.line ?? 0) - (b.line ?? 0);
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
