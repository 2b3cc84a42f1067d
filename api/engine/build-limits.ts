// What POST /build says about the limits of its steps, and what the classic builder takes that there is nothing of here: each refused by name unless it asks for
// what happens anyway. Only reads the query; whether a limit makes sense is the worker's to say, with the words that it has for containers.
import type { BuildLimits } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { Query } from '../http/request.ts';

/** @throws invalid_argument for what is no number */
export function limitsOf(query: Query): BuildLimits {
  return {
    memoryBytes: query.int('memory', 0, 400),
    memorySwapBytes: query.int('memswap', 0, 400),
    cpuShares: query.int('cpushares', 0, 400),
    cpuPeriodUs: query.int('cpuperiod', 0, 400),
    cpuQuotaUs: query.int('cpuquota', 0, 400),
    cpusetCpus: query.text('cpusetcpus'),
    cpusetMems: query.text('cpusetmems'),
    cgroupParent: query.text('cgroupparent'),
  };
}

interface Refusal {
  readonly message: string;
  readonly hint: string;
}

const REFUSED: Readonly<Record<string, Refusal>> = {
  squash: {
    message: 'squash: not supported by the builder',
    hint: 'Begin a last stage with FROM scratch and take everything with COPY --from=STAGE / /.',
  },
  outputs: {
    message: 'outputs: not supported by the builder',
    hint: 'Build, then take the files: tswarm image build --output, or docker create and docker cp.',
  },
  isolation: {
    message: 'isolation: linux only supports "default"',
    hint: 'Leave it out.',
  },
  securityopt: {
    message: 'The daemon on this platform does not support setting security options on build',
    hint: 'A step gets all rights with RUN --security=insecure and --allow security.insecure.',
  },
};

/** Asks for what happens anyway. */
const IDLE: ReadonlySet<string> = new Set(['', '0', 'false', 'default', 'null', '[]']);

/** @throws not_supported with the name of the parameter */
export function refuseUnsupported(query: Query): void {
  for (const [name, { message, hint }] of Object.entries(REFUSED)) {
    if (IDLE.has(query.text(name).trim().toLowerCase())) continue;
    throw new TswarmError('not_supported', message, { field: name, hint });
  }
}
