// The audit log of this node: a line for every request that changes something or takes more than a viewer, over any socket, and for every refusal of one;
// who, from where, what, when, with which result. Bodies and queries are not in it: they hold secrets. JSON lines in one file, replaced when it is full; a
// few older ones are kept. Written behind the answers, in order. What changed in the cluster is in its history as well, with the same names.
import { appendFileSync, chmodSync, existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Clock, Log } from '#protocol/world';
import type { AuditRow } from '../cluster/types.ts';
import type { Route } from '../context.ts';
import type { Reply } from '../http/reply.ts';
import type { Caller } from '../http/request.ts';
import {
  AUDIT_BACKLOG_MAX,
  AUDIT_FILE_BYTES_MAX,
  AUDIT_FILES_KEPT,
  AUDIT_LINES_MAX,
} from '../limits.ts';
import { roleFor } from './rules.ts';

const PATH_CHARS_MAX = 300;
const READS = new Set(['GET', 'HEAD', 'OPTIONS']);
/** They change nothing, and come by the thousand. */
const QUIET = new Set([
  'POST /containers/{id}/wait',
  'POST /containers/{id}/resize',
  'POST /exec/{id}/resize',
  'POST /tswarm/v1/stacks/{name}/plan',
  'POST /tswarm/v1/stacks/{name}/rollback/plan',
  'POST /tswarm/v1/compose/plan',
]);
/** Reading by its method only. */
const CHANGES = new Set(['GET /tswarm/v1/exec']);
const REFUSED = new Set([401, 403, 429]);
const MODE = 0o600;

interface Asked {
  readonly caller: Caller | undefined;
  /** `METHOD pattern`; '' = none was found. */
  readonly route: string;
  readonly path: string;
  /** IP address, or "unix". */
  readonly from: string;
  readonly durationMs: number;
}

export class AuditLog {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #waiting: string[] = [];
  #dropped = 0;
  #bytes: number | undefined;
  #writing: Promise<void> | undefined;

  /** Nothing is opened before the first line. */
  constructor(file: string, deps: { readonly clock: Clock; readonly log: Log }) {
    this.#file = file;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Call it once a request is answered. */
  note(method: string, asked: Asked, reply: Pick<Reply, 'status'>): void {
    const { status } = reply;
    if (!isWorthIt(method, asked.route, status)) return;
    const row: AuditRow = {
      time: new Date(this.#clock.nowMs()).toISOString(),
      who: asked.caller?.name ?? '',
      role: asked.caller?.role ?? '',
      credential: asked.caller?.credentialId ?? '',
      from: asked.from,
      method,
      path: asked.path.slice(0, PATH_CHARS_MAX),
      status,
      durationMs: Math.round(asked.durationMs),
    };
    if (this.#waiting.length >= AUDIT_BACKLOG_MAX) this.#dropped++;
    else this.#waiting.push(`${JSON.stringify(row)}\n`);
    this.#writing ??= this.#write();
  }

  /** The newest `limit` lines, newest first. */
  async rows(limit: number): Promise<readonly AuditRow[]> {
    await this.#writing;
    const lines: string[] = [];
    for (let n = 0; n <= AUDIT_FILES_KEPT && lines.length < limit; n++) {
      const name = this.#name(n);
      if (!existsSync(name)) break;
      const text = readFileSync(name, 'utf8').trimEnd();
      if (text !== '') lines.push(...text.split('\n').reverse());
    }
    return lines.slice(0, limit).flatMap(rowOf);
  }

  async close(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // The next turn: what comes in at once is one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join('');
      this.#waiting = [];
      try {
        this.#bytes ??= this.#open();
        if (this.#bytes + text.length > AUDIT_FILE_BYTES_MAX) this.#rotate();
        await appendFile(this.#file, text);
        this.#bytes += Buffer.byteLength(text);
      } catch (error) {
        this.#log.error('the audit log cannot be written', { reason: messageOf(error) });
      }
    }
    if (this.#dropped > 0)
      this.#log.error('lines of the audit log were lost', { lines: this.#dropped });
    this.#dropped = 0;
    this.#writing = undefined;
  }

  /** @returns its size */
  #open(): number {
    appendFileSync(this.#file, '', { mode: MODE });
    chmodSync(this.#file, MODE);
    return statSync(this.#file).size;
  }

  #rotate(): void {
    for (let n = AUDIT_FILES_KEPT - 1; n >= 0; n--) {
      if (existsSync(this.#name(n))) renameSync(this.#name(n), this.#name(n + 1));
    }
    this.#bytes = this.#open();
  }

  #name(n: number): string {
    return n === 0 ? this.#file : `${this.#file}.${n}`;
  }
}

function isWorthIt(method: string, route: string, status: number): boolean {
  if (REFUSED.has(status)) return true;
  if (CHANGES.has(route)) return true;
  if (route === '' || QUIET.has(route)) return false;
  return !READS.has(method) || roleFor(route) === 'admin';
}

/** A line that a crash has cut is left out. */
function rowOf(line: string): AuditRow[] {
  try {
    return [JSON.parse(line) as AuditRow];
  } catch {
    return [];
  }
}

/** GET /tswarm/v1/audit */
export function auditRoutes(audit: AuditLog): readonly Route[] {
  return [
    {
      method: 'GET',
      pattern: '/tswarm/v1/audit',
      handler: async (request, reply) => {
        const limit = request.query.int('limit', 100, 400);
        if (limit < 1 || limit > AUDIT_LINES_MAX) {
          throw new TswarmError('invalid_argument', `limit: must be 1 to ${AUDIT_LINES_MAX}`, {
            field: 'limit',
          });
        }
        reply.json(200, await audit.rows(limit));
      },
    },
  ];
}
