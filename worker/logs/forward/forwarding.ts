// The forwarders of all containers whose log driver sends their output elsewhere. A start connects first and fails with Docker's sentence when nobody answers; what runs
// when the worker starts, and what an ended container has left unsent, is gone on with. Other containers cost nothing.
import { join } from 'node:path';
import { messageOf, TswarmError } from '#protocol/errors';
import type { SendingDriver } from '#protocol/log-drivers';
import type { Clock, Log } from '#protocol/world';
import { FORWARD_CLOSE_MS } from '../../limits.ts';
import type { Container } from '../../runtime/container.ts';
import { isSending } from '../../runtime/log-config.ts';
import { expandTag, logAttributes, logSubject } from '../log-attributes.ts';
import type { LogSource } from '../log-waker.ts';
import { Forwarder } from './forwarder.ts';
import type { LogOrigin } from './message.ts';
import type { SinkDeps } from './sinks.ts';
import { routeOf } from './sinks.ts';

export interface ForwardingDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly hostname: string;
  readonly pid: number;
  readonly sinks: SinkDeps;
  logSource(container: Container): LogSource;
}

const TAG_DEFAULT = '{{.ID}}';
const FAILED = 'failed to create task for container: failed to initialize logging driver: ';

export class LogForwarding {
  readonly #deps: ForwardingDeps;
  readonly #byId = new Map<string, Forwarder>();

  constructor(deps: ForwardingDeps) {
    this.#deps = deps;
  }

  /** Before a start. @throws internal in Docker's words when the server cannot be had */
  async open(container: Container): Promise<void> {
    if (!isSending(container.record.hostConfig.LogConfig)) return;
    await this.release(container);
    try {
      const forwarder = this.#make(container);
      this.#byId.set(container.id, forwarder);
      await forwarder.open();
    } catch (cause) {
      await this.release(container);
      throw new TswarmError('internal', `${FAILED}${messageOf(cause)}`, {
        field: 'HostConfig.LogConfig',
        cause,
      });
    }
  }

  /** Sends what it has written and will write. */
  follow(container: Container): void {
    if (!isSending(container.record.hostConfig.LogConfig)) return;
    try {
      const forwarder = this.#byId.get(container.id) ?? this.#make(container);
      this.#byId.set(container.id, forwarder);
      forwarder.start();
    } catch (error) {
      // A certificate that was there when it was started.
      const fields = { container: container.id, reason: messageOf(error) };
      this.#deps.log.error('log is not sent', fields);
    }
  }

  /** Before its log is removed. */
  async finish(container: Container): Promise<void> {
    const forwarder = this.#byId.get(container.id);
    if (!forwarder) return;
    const isSent = await forwarder.finish(FORWARD_CLOSE_MS);
    this.#byId.delete(container.id);
    if (isSent) return;
    this.#deps.log.warn('removed before all of its log was sent', { container: container.id });
  }

  /** Stops sending; what is not sent stays to be sent. */
  async release(container: Container): Promise<void> {
    const forwarder = this.#byId.get(container.id);
    this.#byId.delete(container.id);
    await forwarder?.stop();
  }

  /** The worker stops. */
  async stop(): Promise<void> {
    const all = [...this.#byId.values()];
    this.#byId.clear();
    await Promise.all(all.map((forwarder) => forwarder.stop()));
  }

  #make(container: Container): Forwarder {
    const { clock, log, hostname, pid, sinks } = this.#deps;
    const { record, paths } = container;
    const { Type, Config } = record.hostConfig.LogConfig;
    const subject = logSubject(record, hostname);
    const { tag: _tag, ...attributes } = logAttributes(Config, subject);
    const now = (): string => new Date(clock.nowMs()).toISOString();
    const origin: LogOrigin = {
      subject,
      tag: expandTag(Config.tag || TAG_DEFAULT, subject),
      attributes,
      createdAt: new Date(record.createdAt / 1000).toISOString(),
      pid,
    };
    return new Forwarder({
      containerId: container.id,
      logPath: paths.logPath,
      positionPath: join(paths.dataDir, 'log-forward', 'position'),
      source: this.#deps.logSource(container),
      route: routeOf(Type as SendingDriver, Config, origin, sinks),
      log,
      now,
    });
  }
}
