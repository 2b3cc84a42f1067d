// `logging`: where the output of a container goes. The node keeps it itself, whichever of the drivers that write files is asked for, so that it can be read from
// any host; drivers that send it elsewhere are refused, with what does the same. Options are checked here by name, and their values on the node.
import * as specs from '#protocol/generated/specs';
import type { Service } from '../load/project.ts';
import type { Problems } from './problems.ts';

/** Drivers that nodes have; `local` is written as json-file. */
const DRIVERS: ReadonlySet<string> = new Set(['json-file', 'local', 'none']);

/** Of Docker's drivers those that send the output to a program. */
const SENDING: ReadonlySet<string> = new Set([
  'awslogs',
  'etwlogs',
  'fluentd',
  'gcplogs',
  'gelf',
  'journald',
  'logentries',
  'splunk',
  'syslog',
]);

const OPTIONS: ReadonlySet<string> = new Set([
  'compress',
  'env',
  'env-regex',
  'labels',
  'labels-regex',
  'max-buffer-size',
  'max-file',
  'max-size',
  'mode',
  'tag',
]);

/** Refuses a driver that no node has, and options that mean nothing to it. */
export function checkLogging(path: string, { logging }: Service, problems: Problems): void {
  const { driver = 'json-file', options = {} } = logging ?? {};
  if (!DRIVERS.has(driver)) {
    const where = `${path}.logging.driver`;
    const hint = SENDING.has(driver)
      ? 'leave it out; a collector reads the lines of all containers from the Docker API of each node, as agents for Docker do'
      : 'use json-file, local or none';
    const message = SENDING.has(driver)
      ? `nodes keep the output themselves and send none of it to ${driver}`
      : `no such driver: ${driver}`;
    problems.error(where, message, hint, 'unsupported');
    return;
  }
  for (const option of Object.keys(options)) {
    if (OPTIONS.has(option) && driver !== 'none') continue;
    const hint = driver === 'none' ? 'remove it' : `there are ${[...OPTIONS].join(', ')}`;
    problems.error(`${path}.logging.options.${option}`, `unknown option of ${driver}`, hint);
  }
}

/** The driver of a service's tasks; `undefined` takes the nodes' own. */
export function planLogging({ logging }: Service): specs.Driver | undefined {
  if (logging === undefined) return undefined;
  const { driver = 'json-file', options = {} } = logging;
  return specs.Driver.create({ name: driver, options });
}
