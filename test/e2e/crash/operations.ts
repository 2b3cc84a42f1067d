// The operations inside which the node is killed. Each has three parts: what must be there before, the operation itself (its promise is fulfilled when it
// was acknowledged, and rejected with Cut when the daemon died under it), and what must hold afterwards: what was acknowledged is there, what was not is
// there completely or not at all, doing it again works, and in the end nothing of it is left.
import { until } from '../../support/test-node.ts';
import type { CrashNode } from './crash-node.ts';
import type { Json } from './engine-client.ts';
import { findContainer, type Operation, type Outcome, stateOf } from './operation.ts';
import { down, up } from './operations-compose.ts';
import { remove, stop } from './operations-end.ts';
import { build, load, pull } from './operations-images.ts';
import { createAndStart } from './witnesses.ts';

const LONG = ['sh', '-c', 'echo begin; exec sleep 100000'];

const create: Operation = {
  name: 'create',
  run: async (node, round) => {
    await node.api.json('POST', `/containers/create?name=made-${round}`, {
      Image: 'busybox:test',
      Cmd: ['sh', '-c', 'echo ran > /data/file; cat /data/file; exit 5'],
      Volumes: { '/data': {} },
      HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '' }] } },
    });
  },
  check: async (node, round, { acknowledged }) => {
    const name = `made-${round}`;
    const wrong: string[] = [];
    const found = await findContainer(node, name);
    if (acknowledged && !found) wrong.push(`${name} was created, and is not there`);
    if (found && found.State !== 'created') wrong.push(`${name} is ${found.State}, not created`);
    if (!found) await create.run(node, round);
    await node.api.text(`/containers/${name}/start`, 'POST');
    const { StatusCode } = await node.api.json('POST', `/containers/${name}/wait`);
    const logs = await node.docker(['logs', name]);
    if (StatusCode !== 5 || logs.stdout !== 'ran\n') {
      wrong.push(`${name} ended with ${StatusCode}: ${logs.stdout}${logs.stderr}`);
    }
    await node.api.text(`/containers/${name}?v=1`, 'DELETE');
    return wrong;
  },
};

const start: Operation = {
  name: 'start',
  prepare: async (node, round) => {
    const HostConfig = { PortBindings: { '80/tcp': [{ HostPort: '' }] } };
    const body = { Image: 'busybox:test', StopSignal: 'KILL', Cmd: LONG, HostConfig };
    await node.api.json('POST', `/containers/create?name=started-${round}`, body);
    await node.api.json('POST', `/containers/create?name=quick-${round}`, {
      ...body,
      Cmd: ['sh', '-c', 'echo quick; exit 6'],
    });
  },
  run: async (node, round) => {
    const both = [`started-${round}`, `quick-${round}`].map((name) =>
      node.api.text(`/containers/${name}/start`, 'POST'),
    );
    const results = await Promise.allSettled(both);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  },
  check: async (node, round, outcome) => [
    ...(await checkStarted(node, `started-${round}`, { ...outcome, endsWith: undefined })),
    ...(await checkStarted(node, `quick-${round}`, { ...outcome, endsWith: 6 })),
  ],
};

const OUTPUTS = { started: 'begin\n', quick: 'quick\n' } as const;

/** `endsWith`: the exit code of a container that ends by itself. */
async function checkStarted(
  node: CrashNode,
  name: string,
  about: Outcome & { readonly endsWith: number | undefined },
): Promise<string[]> {
  const { acknowledged, rebooted, diskLost, endsWith } = about;
  const wrong: string[] = [];
  const path = `/containers/${name}`;
  const output = OUTPUTS[name.startsWith('quick') ? 'quick' : 'started'];
  const settled = async (): Promise<Json> => {
    if (endsWith !== undefined) {
      await until(async () => (await stateOf(node, name)).Status !== 'running', 60_000);
    }
    return stateOf(node, name);
  };
  const expected = endsWith === undefined ? 'running' : 'exited';
  let state = await settled();
  let runs = 1;
  if (state.Status === 'created') {
    if (acknowledged) wrong.push(`${name} was started, and is created`);
    const { stdout } = await node.docker(['logs', name]);
    // A start that nobody was told of may have begun when the host went down.
    if (rebooted && stdout === output) runs = 2;
    else if (stdout !== '') wrong.push(`${name} has never run, and has written ${stdout}`);
    await node.api.text(`${path}/start`, 'POST');
    state = await settled();
  } else if (rebooted && state.ExitCode !== endsWith) {
    wrong.push(...lostRun(name, state));
    // What it had not written yet, nobody knows.
    runs = (await node.docker(['logs', name])).stdout === '' ? 1 : 2;
    await node.api.text(`${path}/start`, 'POST');
    state = await settled();
  }
  const isRight =
    state.Status === expected && (endsWith === undefined || state.ExitCode === endsWith);
  if (!isRight) wrong.push(`${name} is ${JSON.stringify(state)}`);
  const wanted = output.repeat(runs);
  const logs = async (): Promise<string> => (await node.docker(['logs', name])).stdout;
  const isLogged = async (): Promise<boolean> => {
    const text = await logs();
    return text === wanted || (diskLost && endsWith !== undefined && text === '');
  };
  await until(isLogged, 30_000).catch(async () => {
    wrong.push(`${name} has written ${JSON.stringify(await logs())}`);
  });
  await node.api.text(`${path}?force=1`, 'DELETE');
  return wrong;
}

/** It ran when the host went down: it has ended, not well, and says why. */
function lostRun(name: string, state: Json): string[] {
  const { Status, ExitCode, Error: reason } = state;
  const isTold = Status === 'exited' && ExitCode !== 0 && reason !== '';
  return isTold ? [] : [`${name} ran when the host went down, and is ${JSON.stringify(state)}`];
}

const exec: Operation = {
  name: 'exec',
  prepare: async (node, round) => {
    await createAndStart(node, `host-${round}`, { Cmd: LONG, HostConfig: { NetworkMode: 'none' } });
  },
  run: async (node, round) => {
    const detached = await execIn(node, round, 'usleep 300000; echo done >> /done', true);
    await detached;
    const script = 'echo in; usleep 20000; echo out; exit 3';
    const id = await execIn(node, round, script, false);
    const { ExitCode } = await node.api.json('GET', `/exec/${id}/json`);
    if (ExitCode !== 3) throw new Error(`exec ended with ${ExitCode}`);
  },
  check: async (node, round, { acknowledged, rebooted }) => {
    const wrong: string[] = [];
    const name = `host-${round}`;
    if (rebooted) {
      const { Status } = await stateOf(node, name);
      if (Status !== 'exited') wrong.push(`${name} is ${Status} after a reboot`);
      await node.api.text(`/containers/${name}/start`, 'POST');
    }
    const run = (script: string): ReturnType<CrashNode['docker']> =>
      node.docker(['exec', name, 'sh', '-c', script]);
    const again = await run('echo again; exit 4');
    if (again.code !== 4 || again.stdout !== 'again\n') {
      wrong.push(`exec after the crash: ${again.code} ${again.stdout}${again.stderr}`);
    }
    // A process that was begun goes on, whoever asked for it.
    if (acknowledged && !rebooted) {
      await until(async () => (await run('cat /done')).stdout === 'done\n', 60_000).catch(() =>
        wrong.push('a detached exec did not go on'),
      );
    }
    const left = async (): Promise<string> =>
      (await run('ps -o args | grep -c "^sh -c\\|^usleep"; true')).stdout.trim();
    // Its own shell and the grep are there when we look.
    await until(async () => Number(await left()) <= 2, 60_000).catch(async () =>
      wrong.push(`processes of an exec are left: ${(await run('ps -o args')).stdout}`),
    );
    const state = await stateOf(node, name);
    if (state.Status !== 'running') wrong.push(`${name}: ${JSON.stringify(state)}`);
    await node.api.text(`/containers/${name}?force=1`, 'DELETE');
    return wrong;
  },
};

async function execIn(
  node: CrashNode,
  round: number,
  script: string,
  Detach: boolean,
): Promise<string> {
  const attach = { AttachStdout: !Detach, AttachStderr: !Detach };
  const { Id } = await node.api.json('POST', `/containers/host-${round}/exec`, {
    Cmd: ['sh', '-c', script],
    ...attach,
  });
  await node.api.text(`/exec/${Id}/start`, 'POST', JSON.stringify({ Detach, Tty: false }));
  return String(Id);
}

const idle: Operation = {
  name: 'idle',
  run: () => new Promise((resolve) => setTimeout(resolve, 300)),
  check: async () => [],
};

export const OPERATIONS: readonly Operation[] = [
  ...[idle, create, start, exec, stop, remove],
  ...[pull, load, build, up, down],
];
