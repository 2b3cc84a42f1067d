// The operations inside which the node is killed. Each has three parts: what must be there before, the operation itself (its promise is fulfilled when it
// was acknowledged, and rejected with Cut when the daemon died under it), and what must hold afterwards: what was acknowledged is there, what was not is
// there completely or not at all, doing it again works, and in the end nothing of it is left.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../support/test-node.ts';
import type { CrashNode } from './crash-node.ts';
import { Cut, type Json, Refused } from './engine-client.ts';
import { createAndStart, nameOf } from './witnesses.ts';

export interface Operation {
  readonly name: string;
  prepare?(node: CrashNode, round: number): Promise<void>;
  /** @throws Cut when it was cut short; anything else is a failure */
  run(node: CrashNode, round: number): Promise<void>;
  /** @returns what is wrong */
  check(node: CrashNode, round: number, acknowledged: boolean): Promise<string[]>;
}

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
  check: async (node, round, acknowledged) => {
    const name = `made-${round}`;
    const wrong: string[] = [];
    const found = await find(node, name);
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
  check: async (node, round, acknowledged) => [
    ...(await checkStarted(node, `started-${round}`, acknowledged, 'running', 'begin\n')),
    ...(await checkStarted(node, `quick-${round}`, acknowledged, 'exited', 'quick\n')),
  ],
};

async function checkStarted(
  node: CrashNode,
  name: string,
  acknowledged: boolean,
  expected: 'running' | 'exited',
  output: string,
): Promise<string[]> {
  const wrong: string[] = [];
  const path = `/containers/${name}`;
  const stateOf = async (): Promise<Json> =>
    (await node.api.json('GET', `${path}/json`)).State as Json;
  const settled = async (): Promise<Json> => {
    if (expected === 'exited') {
      await until(async () => (await stateOf()).Status !== 'running', 5_000);
    }
    return stateOf();
  };
  let state = await settled();
  if (state.Status === 'created') {
    if (acknowledged) wrong.push(`${name} was started, and is created`);
    const { stdout } = await node.docker(['logs', name]);
    if (stdout !== '') wrong.push(`${name} has never run, and has written ${stdout}`);
    await node.api.text(`${path}/start`, 'POST');
    state = await settled();
  }
  const isRight = state.Status === expected && (expected === 'running' || state.ExitCode === 6);
  if (!isRight) wrong.push(`${name} is ${JSON.stringify(state)}`);
  await until(async () => (await node.docker(['logs', name])).stdout !== '', 3_000).catch(() => {});
  const { stdout } = await node.docker(['logs', name]);
  if (stdout !== output) wrong.push(`${name} has written ${JSON.stringify(stdout)}`);
  await node.api.text(`${path}?force=1`, 'DELETE');
  return wrong;
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
  check: async (node, round, acknowledged) => {
    const wrong: string[] = [];
    const name = `host-${round}`;
    const run = (script: string): ReturnType<CrashNode['docker']> =>
      node.docker(['exec', name, 'sh', '-c', script]);
    const again = await run('echo again; exit 4');
    if (again.code !== 4 || again.stdout !== 'again\n') {
      wrong.push(`exec after the crash: ${again.code} ${again.stdout}${again.stderr}`);
    }
    // A process that was begun goes on, whoever asked for it.
    if (acknowledged) {
      await until(async () => (await run('cat /done')).stdout === 'done\n', 5_000).catch(() =>
        wrong.push('a detached exec did not go on'),
      );
    }
    const left = async (): Promise<string> =>
      (await run('ps -o args | grep -c "^sh -c\\|^usleep"; true')).stdout.trim();
    // Its own shell and the grep are there when we look.
    await until(async () => Number(await left()) <= 2, 5_000).catch(async () =>
      wrong.push(`processes of an exec are left: ${(await run('ps -o args')).stdout}`),
    );
    const { State } = await node.api.json('GET', `/containers/${name}/json`);
    if ((State as Json).Status !== 'running') wrong.push(`${name}: ${JSON.stringify(State)}`);
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

export const REGISTRY_PORT = 15000;
const PULLED = `127.0.0.1:${REGISTRY_PORT}/layers`;

const pull: Operation = {
  name: 'pull',
  run: async (node) => {
    await node.api.stream(`/images/create?fromImage=${PULLED}&tag=1`);
  },
  check: async (node, round, acknowledged) => {
    const wrong: string[] = [];
    const there = await hasImage(node, `${PULLED}:1`);
    if (acknowledged && !there) wrong.push('pulled, and not there');
    if (there) wrong.push(...(await checkLayers(node, `pulled-${round}`)));
    await pull.run(node, round);
    wrong.push(...(await checkLayers(node, `repulled-${round}`)));
    await node.api.text(`/images/${PULLED}:1`, 'DELETE');
    return wrong;
  },
};

async function checkLayers(node: CrashNode, name: string): Promise<string[]> {
  const result = await runToEnd(node, name, `${PULLED}:1`, ['sha256sum', '-c', '/sums']);
  return result.code === 0 ? [] : [`the image is not whole: ${result.output}`];
}

const build: Operation = {
  name: 'build',
  run: async (node, round) => {
    const args = encodeURIComponent(JSON.stringify({ ROUND: String(round) }));
    const path = `/build?t=built:${round}&buildargs=${args}&rm=1`;
    await node.api.stream(path, buildContext(node, round), 'application/x-tar');
  },
  check: async (node, round, acknowledged) => {
    const wrong: string[] = [];
    const there = await hasImage(node, `built:${round}`);
    if (acknowledged && !there) wrong.push('built, and not there');
    if (there) wrong.push(...(await checkBuilt(node, round)));
    await build.run(node, round);
    wrong.push(...(await checkBuilt(node, round)));
    await node.api.text(`/images/built:${round}`, 'DELETE');
    await node.api.json('POST', '/images/prune');
    return wrong;
  },
};

const DOCKERFILE = `FROM busybox:test
ARG ROUND
RUN dd if=/dev/zero of=/one bs=64k count=16 2>/dev/null && echo $ROUND > /round
COPY data /data
RUN --mount=type=cache,target=/cache echo x >> /cache/count; cat /data /round | sha256sum > /sum && usleep 30000
CMD ["sh", "-c", "cat /data /round | sha256sum | cmp - /sum && cat /round && wc -c < /one"]
`;

function buildContext(node: CrashNode, round: number): Buffer {
  const folder = join(node.folder, 'context');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'Dockerfile'), DOCKERFILE);
  writeFileSync(join(folder, 'data'), `round ${round}\n`.repeat(50_000));
  return execFileSync('tar', ['-C', folder, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 });
}

async function checkBuilt(node: CrashNode, round: number): Promise<string[]> {
  const result = await runToEnd(node, `try-${round}`, `built:${round}`);
  const expected = `${round}\n${16 * 65536}\n`;
  const isRight = result.code === 0 && result.output === expected;
  return isRight ? [] : [`the built image is wrong: ${result.code} ${result.output}`];
}

const PROJECT = `
services:
  front:
    image: busybox:test
    stop_signal: KILL
    ports: ["18090:80"]
    networks: [a]
    depends_on: [back]
    command: ["sh", "-c", "mkdir /www; echo front > /www/index.html; exec httpd -f -p 80 -h /www"]
  back:
    image: busybox:test
    stop_signal: KILL
    networks: [a, b]
    volumes: ["data:/data"]
    secrets: [word]
    command: ["sh", "-c", "echo run >> /data/runs; exec sleep 100000"]
networks: {a: {}, b: {internal: true}}
volumes: {data: {}}
secrets: {word: {file: ./word.txt}}
`;

const up: Operation = {
  name: 'up',
  run: (node) => compose(node, ['up', '-d']),
  check: async (node, _round, acknowledged) => {
    const wrong: string[] = [];
    if (acknowledged) wrong.push(...(await checkProject(node, 'after the crash')));
    await compose(node, ['up', '-d']);
    wrong.push(...(await checkProject(node, 'after another up')));
    await compose(node, ['down', '-v']);
    return [...wrong, ...(await checkGone(node))];
  },
};

const down: Operation = {
  name: 'down',
  prepare: (node) => compose(node, ['up', '-d']),
  run: (node) => compose(node, ['down', '-v']),
  check: async (node, _round, acknowledged) => {
    const wrong = acknowledged ? await checkGone(node) : [];
    await compose(node, ['down', '-v']);
    return [...wrong, ...(await checkGone(node))];
  },
};

/** @throws Cut when the daemon was killed under it */
async function compose(node: CrashNode, args: readonly string[]): Promise<void> {
  const files = { 'compose.yaml': PROJECT, 'word.txt': 'swordfish\n' };
  const cwd = node.project('app', files);
  const result = await node.tcompose(args, { cwd, timeoutMs: 60_000 });
  if (result.code !== 0)
    throw new Cut(`tcompose ${args.join(' ')}: ${result.code} ${result.stderr}`);
}

const PROJECT_FILTER = encodeURIComponent('{"label":["com.docker.compose.project=app"]}');

async function checkProject(node: CrashNode, when: string): Promise<string[]> {
  const containers = (): Promise<Json[]> =>
    node.api.list(`/containers/json?all=1&filters=${PROJECT_FILTER}`);
  const seen = async (): Promise<string> =>
    (await containers())
      .map((item) => `${nameOf(item)} ${item.State}`)
      .sort()
      .join(', ');
  const expected = 'app-back-1 running, app-front-1 running';
  await until(async () => (await seen()) === expected, 20_000).catch(() => {});
  const found = await seen();
  if (found !== expected) return [`${when}: ${found}`];
  let answer = '';
  await until(async () => {
    const url = 'http://127.0.0.1:18090/';
    answer = (await node.inside('curl', ['-s', '-m', '2', url])).stdout;
    return answer === 'front\n';
  }, 5_000).catch(() => {});
  const wrong =
    answer === 'front\n' ? [] : [`${when}: port 18090 answers ${JSON.stringify(answer)}`];
  const script = 'cat /run/secrets/word; wget -q -O - http://front/; sort -u /data/runs';
  const inside = await node.docker(['exec', 'app-back-1', 'sh', '-c', script]);
  if (inside.stdout !== 'swordfish\nfront\nrun\n') {
    wrong.push(`${when}: inside: ${inside.code} ${inside.stdout}${inside.stderr}`);
  }
  return wrong;
}

async function checkGone(node: CrashNode): Promise<string[]> {
  const left = async (): Promise<string[]> => {
    const [containers, services, networks, volumes, secrets] = await Promise.all([
      node.api.list(`/containers/json?all=1&filters=${PROJECT_FILTER}`),
      node.api.list('/services'),
      node.api.list('/networks'),
      node.api.json('GET', '/volumes'),
      node.api.list('/secrets'),
    ]);
    const names = [
      ...containers.map(nameOf),
      ...services.map((service) => (service.Spec as { Name: string }).Name),
      ...networks.map((network) => String(network.Name)),
      ...((volumes.Volumes as Json[] | null) ?? []).map((volume) => String(volume.Name)),
      ...secrets.map((secret) => (secret.Spec as { Name: string }).Name),
    ];
    return names.filter((name) => name.startsWith('app'));
  };
  await until(async () => (await left()).length === 0, 10_000).catch(() => {});
  return (await left()).map((name) => `left after down: ${name}`);
}

const idle: Operation = {
  name: 'idle',
  run: () => new Promise((resolve) => setTimeout(resolve, 300)),
  check: async () => [],
};

export const OPERATIONS: readonly Operation[] = [idle, create, start, exec, pull, build, up, down];

async function find(node: CrashNode, name: string): Promise<Json | undefined> {
  return (await node.api.list('/containers/json?all=1')).find((item) => nameOf(item) === name);
}

async function hasImage(node: CrashNode, ref: string): Promise<boolean> {
  try {
    await node.api.json('GET', `/images/${ref}/json`);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return false;
    throw error;
  }
}

async function runToEnd(
  node: CrashNode,
  name: string,
  Image: string,
  Cmd?: readonly string[],
): Promise<{ code: number; output: string }> {
  const HostConfig = { NetworkMode: 'none' };
  const body = { Image, HostConfig, ...(Cmd ? { Cmd } : {}) };
  await createAndStart(node, name, body);
  const { StatusCode } = await node.api.json('POST', `/containers/${name}/wait`);
  const { stdout, stderr } = await node.docker(['logs', name]);
  await node.api.text(`/containers/${name}`, 'DELETE');
  return { code: Number(StatusCode), output: stdout + stderr };
}
