// tswarm why, as a person asks it: each filter in words with its node, the fix that then really helps, failures with their exit codes, a paused update and how it
// goes on. One real node.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { TestNode, until } from '../support/test-node.ts';

let node: TestNode;
let hostname = '';

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  const flags = ['--listen-addr', '127.0.0.1:24772', '--advertise-addr', '127.0.0.1'];
  expect((await node.tswarm(['init', ...flags])).stderr).toBe('');
  await node.importBusybox();
  hostname = (await node.docker(['node', 'ls', '--format', '{{.Hostname}}'])).stdout.trim();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

async function create(
  name: string,
  flags: readonly string[],
  command = 'sleep 1000',
): Promise<void> {
  const made = await node.docker([
    ...['service', 'create', '-d', '--no-resolve-image', '--name', name, ...flags],
    ...['busybox:test', 'sh', '-c', command],
  ]);
  expect(made.stderr).toBe('');
}

async function why(name: string): Promise<string> {
  const answer = await node.tswarm(['why', name]);
  expect(answer.stderr).toBe('');
  return answer.stdout;
}

/** Runs the command of the advice with these words, as a person would. */
async function paste(said: string, words: string): Promise<void> {
  const line = said.split('\n').find((one) => one.includes(words)) ?? '';
  const command = /: tswarm (.*)$/.exec(line)?.[1];
  expect(command, said).toBeDefined();
  const [noun = '', verb = '', ...rest] = command?.split(' ') ?? [];
  expect((await node.tswarm([noun, verb, '-d', ...rest])).stderr).toBe('');
}

async function whenSaid(name: string, words: string): Promise<string> {
  let said = '';
  await until(
    async () => {
      said = await why(name);
      return said.includes(words);
    },
    20_000,
    () => `"${words}" is not in:\n${said}`,
  );
  return said;
}

describe('tswarm why', () => {
  it('names the constraint, the node and the command that helps', async () => {
    await create('disk', ['--constraint', 'node.labels.disk==ssd']);
    const said = await whenSaid('disk', 'Nodes that cannot take it (1 of 1)');
    expect(said).toContain('Service disk: 0 of 1 tasks run');
    expect(said).toContain('1 of 1: the constraints are not met');
    expect(said).toContain(`${hostname}: node.labels.disk==ssd: not set`);
    const fix = /tswarm (node update --label-add disk=ssd \S+)/.exec(said)?.[1] ?? '';
    expect(fix).not.toBe('');
    expect((await node.tswarm(fix.split(' '))).stderr).toBe('');
    await whenSaid('disk', '1 of 1 tasks run, as it should');
    expect(await why('disk.1')).toContain('RANK   NODE');
  });

  it('says how much was asked and how much is free', async () => {
    await create('big', ['--reserve-memory', '100TB']);
    const said = await whenSaid('big.1', 'too little left');
    expect(said).toMatch(/104857600 MiB asked, [\d.]+ MiB free/);
    expect(said).toMatch(/add a node with [\d.]+ GiB of memory: /);
    await create('large', ['--reserve-memory', '100TB']);
    await paste(await whenSaid('large.1', 'too little left'), `${hostname} comes nearest`);
    await whenSaid('large', 'as it should');
  });

  it('says which service has the port', async () => {
    const publish = ['--publish', 'published=28999,target=80,mode=host'];
    // What listens runs at once; a port that is published for nothing is waited for.
    await create('first', publish, 'httpd -f -p 80');
    await whenSaid('first', 'as it should');
    await create('second', publish, 'httpd -f -p 80');
    const said = await whenSaid('second', 'a published port is in use');
    expect(said).toContain(`${hostname}: in use: 28999`);
    await paste(said, 'port 28999 is taken by service first');
    await whenSaid('second', 'as it should');
  });

  it('shows what failed before, and why it was replaced', async () => {
    await create('crash', ['--restart-delay', '200ms'], 'exit 7');
    await until(async () => /failed +task: non-zero exit \(7\)/.test(await why('crash')), 20_000);
    const said = await whenSaid('crash.1', 'it failed');
    expect(said).toMatch(/TASK +NODE +STATE +EXIT +RAN +REPLACED BECAUSE/);
    expect(said).toMatch(/failed +task: non-zero exit \(7\) +[\d.]+s +it failed/);
  });

  it('says why an update is paused, and it goes on as it says', async () => {
    await create('web', ['--restart-delay', '200ms', '--update-monitor', '500ms']);
    await whenSaid('web', 'as it should');
    const bad = ['service', 'update', '-d', '--args', 'sh -c "exit 3"', 'web'];
    expect((await node.docker(bad)).stderr).toBe('');
    const said = await whenSaid('web', 'Update: paused');
    expect(said).toContain('update paused due to failure or early termination of 1 of 1 tasks');
    expect(said).toContain('non-zero exit (3)');
    expect(said).toContain('tswarm service rollback web');
  });

  it('explains a node, and refuses what it does not know', async () => {
    const said = await why(hostname);
    expect(said).toContain(`Node ${hostname} is ready and active`);
    expect(said).toMatch(/big\..* +too little left of what is reserved/);
    const unknown = await node.tswarm(['why', 'nothing-like-it']);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('no service, task or node nothing-like-it found');
  });

  flagTest('tswarm why', ['--kind', '--format'], 'one kind of thing, as data', async () => {
    const json = await node.tswarm(['why', '--format', 'json', 'web']);
    expect((JSON.parse(json.stdout) as { Service: { Name: string } }).Service.Name).toBe('web');
    const wrong = await node.tswarm(['why', '--kind', 'node', 'web']);
    expect(wrong.stderr).toContain('no node web found');
  });
});
