// `npm run bench:dashboard` (after a build): the dashboard in Chromium before a real node with 100 simulated agents and 2,000 tasks of 20 services. Shown are what
// one load of the page costs (first paint, until everything is there, bytes, time of scripts), and how long a change takes from the request that makes
// it to the drawn page, with the overview and with the topology open, and what the page computes for it.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CDPSession, chromium, type Page } from 'playwright-core';
import { TestNode, until } from '../support/test-node.ts';
import { joinAgents } from './agents-beside.ts';
import { median, share } from './figures.ts';

const AGENTS = 100;
const SERVICES = 20;
const TASKS = 2_000;
const PORT = 24_797;
const LOADS = 7;
const CHANGES = 100;
const WAIT_MS = 120_000;

async function fill(node: TestNode): Promise<void> {
  const own = (await node.tswarm(['node', 'ls', '-q'])).stdout.trim().split('\n');
  const self = (
    await node.tswarm(['node', 'inspect', '--format', '{{.ID}}', 'self'])
  ).stdout.trim();
  if (own.length !== AGENTS + 1) throw new Error(`there are ${own.length} nodes`);
  await node.tswarm(['node', 'update', '--availability', 'drain', self]);
  const each = TASKS / SERVICES;
  for (let i = 0; i < SERVICES; i++) {
    const name = `shop${Math.floor(i / 4)}_service${i}`;
    const stack = `com.docker.stack.namespace=shop${Math.floor(i / 4)}`;
    const flags = ['--name', name, '--label', stack, '--replicas', String(each)];
    const made = await node.tswarm(['service', 'create', '--detach', ...flags, 'app:1']);
    if (made.code !== 0) throw new Error(made.stderr);
  }
  await until(
    async () => {
      const { stdout } = await node.tswarm(['service', 'ls', '--format', '{{.Replicas}}']);
      return stdout
        .trim()
        .split('\n')
        .every((text) => text === `${each}/${each}`);
    },
    WAIT_MS,
    () => 'the services do not run',
  );
}

interface Load {
  readonly paintMs: number;
  readonly fullMs: number;
  readonly bytes: number;
  readonly requests: number;
  readonly scriptMs: number;
}

async function load(page: Page, client: CDPSession): Promise<Load> {
  let bytes = 0;
  let requests = 0;
  const onData = ({ dataLength }: { dataLength: number }): void => {
    bytes += dataLength;
  };
  const onRequest = (): void => {
    requests++;
  };
  client.on('Network.dataReceived', onData);
  client.on('Network.requestWillBeSent', onRequest);
  const startedMs = performance.now();
  await page.reload();
  await page.getByText(`${TASKS.toLocaleString('en').replace(',', '')} tasks`).waitFor();
  const fullMs = performance.now() - startedMs;
  const paintMs = await page.evaluate<number>(
    "performance.getEntriesByName('first-contentful-paint')[0].startTime",
  );
  client.off('Network.dataReceived', onData);
  client.off('Network.requestWillBeSent', onRequest);
  return { paintMs, fullMs, bytes, requests, scriptMs: await scriptMs(client) };
}

async function scriptMs(client: CDPSession): Promise<number> {
  const { metrics } = await client.send('Performance.getMetrics');
  return (metrics.find(({ name }) => name === 'ScriptDuration')?.value ?? 0) * 1000;
}

/** Milliseconds from each request to the page that shows it: a node takes no tasks, takes tasks, … */
async function changes(page: Page, nodeName: string, id: string): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const availability = i % 2 === 0 ? 'pause' : 'active';
    const text = await page.evaluate<number>(`(async () => {
      const read = await (await fetch('/api/nodes/${id}')).json();
      const csrf = (await (await fetch('/session')).json()).csrf;
      const host = document.querySelector('[aria-label="${nodeName}"]');
      const shown = new Promise((resolve) => {
        const isShown = () => host.textContent.includes('pause') === ${availability === 'pause'};
        const look = () => { if (isShown()) { observer.disconnect(); requestAnimationFrame(() => resolve(performance.now())); } };
        const observer = new MutationObserver(look);
        observer.observe(host, { subtree: true, childList: true, characterData: true });
      });
      const startedMs = performance.now();
      await fetch('/api/nodes/${id}/update?version=' + read.Version.Index, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-Tswarm-CSRF': csrf },
        body: JSON.stringify({ ...read.Spec, Availability: '${availability}' }),
      });
      return (await shown) - startedMs;
    })()`);
    times.push(text);
  }
  return times;
}

async function measure(node: TestNode): Promise<void> {
  const command = join(node.folder, 'chromium');
  writeFileSync(command, `#!/bin/sh\nexec nsenter --net=${node.netns} /usr/bin/chromium "$@"\n`);
  chmodSync(command, 0o755);
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
  ];
  const browser = await chromium.launch({ executablePath: command, args });
  try {
    const page = await (await browser.newContext()).newPage();
    const client = await page.context().newCDPSession(page);
    await client.send('Performance.enable');
    await client.send('Network.enable');
    await client.send('Network.setCacheDisabled', { cacheDisabled: true });
    await page.goto((await node.tswarm(['dashboard'])).stdout.trim());
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    const loads: Load[] = [];
    for (let i = 0; i < LOADS; i++) loads.push(await load(page, client));
    const of = (key: keyof Load): number => median(loads.map((one) => one[key]));
    const print = (text: string): void => void process.stdout.write(`${text}\n`);
    print(
      `first paint ${of('paintMs').toFixed(0)} ms (slowest ${Math.max(...loads.map((l) => l.paintMs)).toFixed(0)})`,
    );
    print(`all there ${of('fullMs').toFixed(0)} ms, scripts ${of('scriptMs').toFixed(0)} ms`);
    print(`${(of('bytes') / 1024).toFixed(0)} KiB in ${of('requests')} requests`);
    await page.evaluate("location.hash = '#/topology'");
    const host = page.locator('.host').nth(3);
    await host.waitFor();
    const name = (await host.getAttribute('aria-label')) ?? '';
    const link = (await host.locator('h2 a').getAttribute('href')) ?? '';
    const before = await scriptMs(client);
    const times = await changes(page, name, link.replace('#/nodes/', ''));
    const used = (await scriptMs(client)) - before;
    print(
      `change to screen, topology open: p50 ${share(times, 0.5).toFixed(0)} ms, p95 ${share(times, 0.95).toFixed(0)} ms, slowest ${Math.max(...times).toFixed(0)} ms; scripts ${(used / CHANGES).toFixed(2)} ms each`,
    );
  } finally {
    await browser.close();
  }
}

const node = new TestNode();
let stopAgents: () => void = () => undefined;
try {
  await node.start();
  const flags = ['--listen-addr', `127.0.0.1:${PORT}`, '--advertise-addr', '127.0.0.1'];
  const made = await node.tswarm(['init', ...flags]);
  if (made.code !== 0) throw new Error(made.stderr);
  stopAgents = await joinAgents(node, `127.0.0.1:${PORT}`, AGENTS);
  await fill(node);
  await measure(node);
} finally {
  stopAgents();
  await node[Symbol.asyncDispose]();
}
