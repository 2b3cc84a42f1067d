// Pull, load and build. The images can tell by themselves whether they are whole.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, dockerArchiveOf, imageOfTars, tarOf } from '../../support/image-tar.ts';
import type { CrashNode } from './crash-node.ts';
import { hasImage, type Operation, runToEnd } from './operation.ts';

export const REGISTRY_PORT = 15000;
const PULLED = `127.0.0.1:${REGISTRY_PORT}/layers`;

export const pull: Operation = {
  name: 'pull',
  run: async (node) => {
    await node.api.stream(`/images/create?fromImage=${PULLED}&tag=1`);
  },
  check: async (node, round, { acknowledged }) => {
    const wrong: string[] = [];
    const there = await hasImage(node, `${PULLED}:1`);
    if (acknowledged && !there) wrong.push('pulled, and not there');
    const isWhole = (name: string): Promise<string[]> => checkSums(node, name, `${PULLED}:1`);
    if (there) wrong.push(...(await isWhole(`pulled-${round}`)));
    await pull.run(node, round);
    wrong.push(...(await isWhole(`repulled-${round}`)));
    await node.api.text(`/images/${PULLED}:1`, 'DELETE');
    return wrong;
  },
};

async function checkSums(node: CrashNode, name: string, image: string): Promise<string[]> {
  const result = await runToEnd(node, name, image, ['sha256sum', '-c', '/sums']);
  return result.code === 0 ? [] : [`the image is not whole: ${result.output}`];
}

/** Enough that reading, unpacking and syncing take longer than a moment. */
const LOADED_BYTES = 2_000_000;

export const load: Operation = {
  name: 'load',
  prepare: async (node, round) => {
    const data = randomBytes(LOADED_BYTES);
    const sums = `${digestOf(data).replace('sha256:', '')}  /data\n`;
    const layers = [
      readFileSync(join(node.folder, 'busybox.tar')),
      await tarOf({ data }),
      await tarOf({ sums }),
    ];
    const { config } = imageOfTars(layers, { compress: (tar) => tar });
    writeFileSync(
      loadedPath(node, round),
      await dockerArchiveOf(config, layers, [`loaded:${round}`]),
    );
  },
  run: async (node, round) => {
    const archive = readFileSync(loadedPath(node, round));
    await node.api.stream('/images/load?quiet=1', archive, 'application/x-tar');
  },
  check: async (node, round, { acknowledged }) => {
    const wrong: string[] = [];
    const there = await hasImage(node, `loaded:${round}`);
    if (acknowledged && !there) wrong.push('loaded, and not there');
    const isWhole = (name: string): Promise<string[]> => checkSums(node, name, `loaded:${round}`);
    if (there) wrong.push(...(await isWhole(`loaded-${round}`)));
    await load.run(node, round);
    wrong.push(...(await isWhole(`reloaded-${round}`)));
    await node.api.text(`/images/loaded:${round}`, 'DELETE');
    rmSync(loadedPath(node, round));
    return wrong;
  },
};

function loadedPath(node: CrashNode, round: number): string {
  return join(node.folder, `loaded-${round}.tar`);
}

export const build: Operation = {
  name: 'build',
  run: async (node, round) => {
    const args = encodeURIComponent(JSON.stringify({ ROUND: String(round) }));
    const path = `/build?t=built:${round}&buildargs=${args}&rm=1`;
    await node.api.stream(path, buildContext(node, round), 'application/x-tar');
  },
  check: async (node, round, { acknowledged }) => {
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
