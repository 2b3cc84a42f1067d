// `logging`: where the output of a container goes. The node keeps it whichever driver is asked for, so that it can be read from any host; some drivers also send it on.
// Driver and options are checked here by the table that the nodes have; whether a server answers is found out on the node.
import * as specs from '#protocol/generated/specs';
import { logFaults } from '#protocol/log-drivers';
import type { Service } from '../load/project.ts';
import type { Problems } from './problems.ts';

/** Refuses a driver that no node has, and options that mean nothing to it. */
export function checkLogging(path: string, { logging }: Service, problems: Problems): void {
  const { driver = 'json-file', options = {} } = logging ?? {};
  for (const { option, message, hint } of logFaults(driver, options)) {
    const isDriver = message.startsWith('logger: no log driver');
    const key = option === '' ? (isDriver ? 'driver' : 'options') : `options.${option}`;
    const where = `${path}.logging.${key}`;
    problems.error(
      where,
      message,
      hint === '' ? undefined : hint,
      isDriver ? 'unsupported' : 'value',
    );
  }
}

/** The driver of a service's tasks; `undefined` takes the nodes' own. */
export function planLogging({ logging }: Service): specs.Driver | undefined {
  if (logging === undefined) return undefined;
  const { driver = 'json-file', options = {} } = logging;
  return specs.Driver.create({ name: driver, options });
}
