// Stop and remove. A stop that was acknowledged stays stopped although the policy says to restart, and its exit code is the program's own answer to the signal;
// a removal that was begun is finished or has not happened, and takes the container's anonymous volume with it.
import { until } from '../../support/test-node.ts';
import type { CrashNode } from './crash-node.ts';
import { type Json, Refused } from './engine-client.ts';
import { findContainer, type Operation, stateOf } from './operation.ts';
import { createAndStart } from './witnesses.ts';

/** What the program answers to its stop signal. */
const STOPPED_CODE = 7;
const OBEYS = `trap "echo bye; exit ${STOPPED_CODE}" TERM; echo begin; while :; do usleep 20000; done`;
const SETTLE_MS = 60_000;

/** Not in the middle of a restart. */
async function settledState(node: CrashNode, name: string): Promise<Json> {
  let state = await stateOf(node, name);
  await until(async () => {
    state = await stateOf(node, name);
    return ['running', 'exited'].includes(String(state.Status));
  }, SETTLE_MS).catch(() => {});
  return state;
}

/** Asks as a person would who does not know whether the first request arrived. */
async function stopIt(node: CrashNode, name: string): Promise<void> {
  // Its first line shows that it listens to the signal.
  await until(
    async () =>
      (await stateOf(node, name)).Status !== 'running' ||
      (await node.docker(['logs', name])).stdout.endsWith('begin\n'),
    SETTLE_MS,
  ).catch(() => {});
  await node.api.text(`/containers/${name}/stop?t=10`, 'POST');
}

export const stop: Operation = {
  name: 'stop',
  prepare: async (node, round) => {
    const name = `halting-${round}`;
    await createAndStart(node, name, {
      Cmd: ['sh', '-c', OBEYS],
      StopSignal: 'TERM',
      HostConfig: {
        RestartPolicy: { Name: 'unless-stopped' },
        PortBindings: { '80/tcp': [{ HostPort: '' }] },
      },
    });
    await until(
      async () => (await node.docker(['logs', name])).stdout === 'begin\n',
      SETTLE_MS,
      () => `${name} does not begin`,
    );
  },
  run: async (node, round) => {
    await node.api.text(`/containers/halting-${round}/stop?t=10`, 'POST');
  },
  check: async (node, round, { acknowledged, rebooted, diskLost }) => {
    const name = `halting-${round}`;
    const wrong: string[] = [];
    const found = await settledState(node, name);
    const isStopped = found.Status === 'exited' && found.ExitCode === STOPPED_CODE;
    if (acknowledged && !isStopped) wrong.push(`${name} was stopped, is ${JSON.stringify(found)}`);
    if (found.Status === 'running') await stopIt(node, name);
    const state = await settledState(node, name);
    // A reboot may have ended a run whose stop nobody has acknowledged.
    if (state.Status !== 'exited' || (!rebooted && state.ExitCode !== STOPPED_CODE)) {
      wrong.push(`${name}: after its stop ${JSON.stringify(state)}`);
    }
    const { stdout } = await node.docker(['logs', name]);
    if (!diskLost && !/^(begin\n(bye\n)?)+$/.test(stdout)) {
      wrong.push(`${name} has written ${JSON.stringify(stdout)}`);
    }
    await node.api.text(`/containers/${name}`, 'DELETE');
    return wrong;
  },
};

export const remove: Operation = {
  name: 'remove',
  prepare: async (node, round) => {
    const HostConfig = { PortBindings: { '80/tcp': [{ HostPort: '' }] } };
    const Cmd = ['sh', '-c', 'dd if=/dev/zero of=/data/file bs=64k count=16; exec sleep 100000'];
    const body = { Cmd, Volumes: { '/data': {} }, HostConfig };
    await createAndStart(node, `going-${round}`, body);
    await node.api.json('POST', `/containers/create?name=unused-${round}`, {
      Image: 'busybox:test',
      ...body,
    });
  },
  run: async (node, round) => {
    const both = [`going-${round}`, `unused-${round}`].map((name) => removeIt(node, name));
    const results = await Promise.allSettled(both);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  },
  check: async (node, round, { acknowledged, rebooted }) => {
    const wrong: string[] = [];
    const possible: Readonly<Record<string, readonly string[]>> = {
      [`going-${round}`]: rebooted ? ['exited'] : ['running', 'exited'],
      [`unused-${round}`]: ['created'],
    };
    for (const [name, states] of Object.entries(possible)) {
      const found = await findContainer(node, name);
      if (found && acknowledged) wrong.push(`${name} was removed, and is ${found.State}`);
      if (found && !states.includes(String(found.State))) wrong.push(`${name} is ${found.State}`);
      await removeIt(node, name).catch((error: unknown) => {
        if (found || !(error instanceof Refused) || error.status !== 404) throw error;
      });
      if (await findContainer(node, name)) wrong.push(`${name} is still there`);
    }
    return wrong;
  },
};

async function removeIt(node: CrashNode, name: string): Promise<void> {
  await node.api.text(`/containers/${name}?v=1&force=1`, 'DELETE');
}
