// `up` and `down` of a project with two services, two networks, a volume and a secret. Each has a project of its own, so that both can be under way at once.
import { until } from '../../support/test-node.ts';
import type { CrashNode } from './crash-node.ts';
import { Cut, type Json } from './engine-client.ts';
import type { Operation } from './operation.ts';
import { nameOf } from './witnesses.ts';

interface Project {
  readonly name: string;
  readonly port: number;
}

const RISING: Project = { name: 'rising', port: 18090 };
const SINKING: Project = { name: 'sinking', port: 18091 };

const composeFile = ({ port }: Project): string => `
services:
  front:
    image: busybox:test
    stop_signal: KILL
    ports: ["${port}:80"]
    networks: [a]
    depends_on: [back]
    command: ["sh", "-c", "mkdir -p /www; echo front > /www/index.html; exec httpd -f -p 80 -h /www"]
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

export const up: Operation = {
  name: 'up',
  run: (node) => compose(node, RISING, ['up', '-d']),
  check: async (node, _round, { acknowledged, rebooted }) => {
    const wrong: string[] = [];
    // They have no restart policy: after a reboot it is another `up` that brings them back.
    if (acknowledged && !rebooted) wrong.push(...(await checkProject(node, 'after the crash')));
    await compose(node, RISING, ['up', '-d']);
    wrong.push(...(await checkProject(node, 'after another up')));
    await compose(node, RISING, ['down', '-v']);
    return [...wrong, ...(await checkGone(node, RISING))];
  },
};

export const down: Operation = {
  name: 'down',
  prepare: (node) => compose(node, SINKING, ['up', '-d']),
  run: (node) => compose(node, SINKING, ['down', '-v']),
  check: async (node, _round, { acknowledged }) => {
    const wrong = acknowledged ? await checkGone(node, SINKING) : [];
    await compose(node, SINKING, ['down', '-v']);
    return [...wrong, ...(await checkGone(node, SINKING))];
  },
};

/** @throws Cut when the daemon was killed under it */
async function compose(node: CrashNode, project: Project, args: readonly string[]): Promise<void> {
  const files = { 'compose.yaml': composeFile(project), 'word.txt': 'swordfish\n' };
  const cwd = node.project(project.name, files);
  const result = await node.tcompose(args, { cwd, timeoutMs: 240_000 });
  if (result.code !== 0)
    throw new Cut(`tcompose ${args.join(' ')}: ${result.code} ${result.stderr}`);
}

function containersOf(node: CrashNode, { name }: Project): Promise<Json[]> {
  const filters = JSON.stringify({ label: [`com.docker.compose.project=${name}`] });
  return node.api.list(`/containers/json?all=1&filters=${encodeURIComponent(filters)}`);
}

async function checkProject(node: CrashNode, when: string): Promise<string[]> {
  const { name, port } = RISING;
  const seen = async (): Promise<string> =>
    (await containersOf(node, RISING))
      .map((item) => `${nameOf(item)} ${item.State}`)
      .sort()
      .join(', ');
  const expected = `${name}-back-1 running, ${name}-front-1 running`;
  await until(async () => (await seen()) === expected, 90_000).catch(() => {});
  const found = await seen();
  if (found !== expected) return [`${when}: ${found}`];
  let answer = '';
  await until(async () => {
    const url = `http://127.0.0.1:${port}/`;
    answer = (await node.inside('curl', ['-s', '-m', '2', url])).stdout;
    return answer === 'front\n';
  }, 60_000).catch(() => {});
  const wrong =
    answer === 'front\n' ? [] : [`${when}: port ${port} answers ${JSON.stringify(answer)}`];
  const script = 'cat /run/secrets/word; wget -q -O - http://front/; sort -u /data/runs';
  const inside = await node.docker(['exec', `${name}-back-1`, 'sh', '-c', script]);
  if (inside.stdout !== 'swordfish\nfront\nrun\n') {
    wrong.push(`${when}: inside: ${inside.code} ${inside.stdout}${inside.stderr}`);
  }
  return wrong;
}

async function checkGone(node: CrashNode, project: Project): Promise<string[]> {
  const left = async (): Promise<string[]> => {
    const [containers, services, networks, volumes, secrets] = await Promise.all([
      containersOf(node, project),
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
    return names.filter((name) => name.startsWith(project.name));
  };
  await until(async () => (await left()).length === 0, 60_000).catch(() => {});
  return (await left()).map((name) => `left after down: ${name}`);
}
