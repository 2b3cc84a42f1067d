// tcompose create (and up --no-start): everything that `up` makes, but no process. A service that is in the cluster already stays as it is: running or not.
import type { DeployResult } from '#api/cluster/types';
import { RunState, ServiceSpec, StackSpec } from '#protocol/generated/specs';
import type { Json } from '../client/http.ts';
import { EXIT } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import type { ComposeContext } from './context.ts';
import { follow } from './follow.ts';
import { Interrupt } from './interrupt.ts';
import { servicesOrNone } from './run-state.ts';
import { deployProject, type UpOptions } from './up.ts';

export async function create(
  context: ComposeContext,
  services: readonly string[],
  options: UpOptions,
): Promise<number> {
  const display = new ProgressDisplay('Creating', context.progress);
  const interrupt = new Interrupt();
  try {
    const deployed = await deployProject(
      context,
      services,
      options,
      display,
      { stack: notStarted },
      interrupt,
    );
    const code = await untilCreated(context, deployed.stack, deployed.result, display, interrupt);
    return interrupt.count > 0 ? EXIT.interrupted : code;
  } finally {
    interrupt.dispose();
    display.stop();
  }
}

/** New services begin stopped: their containers are made and not started. */
async function notStarted(context: ComposeContext, stack: StackSpec): Promise<StackSpec> {
  const there = await presentServices(context, stack.name);
  const services = stack.services.map((service) =>
    ServiceSpec.create({ ...service, runState: there.get(service.name) ?? RunState.STOPPED }),
  );
  return StackSpec.create({ ...stack, services });
}

const RUN_STATES: Readonly<Record<string, RunState>> = {
  stopped: RunState.STOPPED,
  paused: RunState.PAUSED,
};

async function presentServices(
  context: ComposeContext,
  stack: string,
): Promise<ReadonlyMap<string, RunState>> {
  const specs = (await servicesOrNone(context, stack)).map((one) => one.Spec as Json);
  return new Map(
    specs.map((spec) => [
      String(spec.Name),
      RUN_STATES[String(spec.RunState ?? '')] ?? RunState.RUNNING,
    ]),
  );
}

async function untilCreated(
  context: ComposeContext,
  stack: string,
  deployed: DeployResult,
  display: ProgressDisplay,
  interrupt: Interrupt,
): Promise<number> {
  const stop = new AbortController();
  interrupt.onInterrupt(() => stop.abort());
  const services = deployed.changes.filter((change) => change.kind === 'service');
  const result = await follow({
    client: context.client,
    stack,
    display,
    goal: 'created',
    services: new Set(services.map((change) => change.id)),
    minIndex: deployed.index,
    signal: stop.signal,
  });
  display.stop();
  for (const failure of result.failures) process.stderr.write(`Error: ${failure}\n`);
  return result.ok ? EXIT.ok : EXIT.failed;
}
