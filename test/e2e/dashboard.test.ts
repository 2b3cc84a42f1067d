// The dashboard in a real browser against a real node: signing in by the printed link, every page drawn without an error and without a finding of axe,
// a change seen without loading again, a change made by a button, and a viewer who has none.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { TestNode, until } from '../support/test-node.ts';

/** Chromium looks for its maker's hosts otherwise, and root gets no sandbox of its own. */
const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What the page gets by the script above. */
interface Axe {
  run(): Promise<{
    violations: readonly { readonly id: string; readonly nodes: readonly { html: string }[] }[];
  }>;
}

let node: TestNode;
let browser: Browser;
/** What the pages complained of. */
const complaints: string[] = [];

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  const flags = ['--listen-addr', '127.0.0.1:24792', '--advertise-addr', '127.0.0.1'];
  expect((await node.tswarm(['init', ...flags])).stderr).toBe('');
  await node.importBusybox();
  const web = ['--name', 'web', '--replicas', '2', '--label', 'com.docker.stack.namespace=shop'];
  const talk = 'while :; do echo it is $HOSTNAME; sleep 1; done';
  for (const args of [
    [...web, 'busybox:test', 'sh', '-c', talk],
    ['--name', 'nowhere', '--constraint', 'node.labels.disk==ssd', 'busybox:test', 'true'],
  ]) {
    expect((await node.tswarm(['service', 'create', '--detach', ...args])).stderr).toBe('');
  }
  // The link is for the node's own loopback.
  const command = join(node.folder, 'chromium');
  writeFileSync(command, `#!/bin/sh\nexec nsenter --net=${node.netns} /usr/bin/chromium "$@"\n`);
  chmodSync(command, 0o755);
  browser = await chromium.launch({ executablePath: command, args: CHROMIUM_FLAGS });
});

afterAll(async () => {
  await browser?.close();
  await node[Symbol.asyncDispose]();
});

/** A new browser, signed in by a link. */
async function open(link: string): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(link);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  return page;
}

/** Goes to a page and waits for its heading; then axe looks at it. */
async function visit(page: Page, path: string, heading: string): Promise<void> {
  await page.goto(`${page.url().split('#')[0]}#/${path}`);
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
  const client = await page.context().newCDPSession(page);
  await client.send('Runtime.evaluate', { expression: axe });
  const { violations } = await page.evaluate(async () =>
    (globalThis as unknown as { axe: Axe }).axe.run(),
  );
  expect(
    violations.map(({ id, nodes }) => [id, nodes[0]?.html]),
    path,
  ).toEqual([]);
}

describe('dashboard', () => {
  it('says what is wrong, and shows every page', async () => {
    const page = await open((await node.tswarm(['dashboard'])).stdout.trim());
    await page
      .getByRole('link', { name: /Service nowhere: 0 of 1 running: no suitable/ })
      .waitFor();
    expect(page.url()).not.toContain('link=');
    for (const [path, heading] of [
      ['', 'Overview'],
      ['topology', 'Topology'],
      ['nodes', 'Nodes'],
      ['stacks', 'Stacks'],
      ['stacks/shop', 'shop'],
      ['services', 'Services'],
      ['networks', 'Networks'],
      ['volumes', 'Volumes'],
      ['secrets', 'Secrets and configs'],
      ['activity', 'Activity'],
    ] as const) {
      await visit(page, path, heading);
    }
    await page.getByRole('link', { name: 'Services', exact: true }).click();
    await page.getByRole('main').getByRole('link', { name: 'nowhere' }).click();
    await page.getByText('What would help:').waitFor();
    await page.getByText('node.labels.disk==ssd').first().waitFor();
    await page.goto(`${page.url().split('#')[0]}#/logs/stack/shop`);
    await page.getByText('it is').first().waitFor();
    expect(complaints).toEqual([]);
  });

  it('shows a change without being loaded again, and makes one', async () => {
    const page = await open((await node.tswarm(['dashboard'])).stdout.trim());
    await page.keyboard.press('/');
    await page.keyboard.type('web');
    await page.getByRole('option', { name: 'web service' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'web' }).waitFor();
    await page.getByText('2/2').waitFor();
    await node.tswarm(['service', 'scale', '--detach', 'web=3']);
    await page.getByText('3/3').waitFor();
    page.on('dialog', (dialog) => void dialog.accept('1'));
    await page.getByRole('button', { name: 'Scale' }).click();
    await page.getByText('1/1').waitFor();
    await until(
      async () => (await node.tswarm(['service', 'ls'])).stdout.includes('1/1'),
      20_000,
      () => 'the service was not scaled',
    );
    expect(complaints).toEqual([]);
  });

  flagTest('tswarm dashboard', ['--viewer', '--json'], 'a link for looking', async () => {
    const said = await node.tswarm(['dashboard', '--viewer', '--json']);
    const { url, role, validSeconds } = JSON.parse(said.stdout);
    expect([role, validSeconds]).toEqual(['viewer', 600]);
    const page = await open(url);
    await page.getByText('viewer', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'Services', exact: true }).click();
    await page.getByRole('main').getByRole('link', { name: 'web' }).click();
    await page.getByRole('heading', { name: 'web' }).waitFor();
    expect(await page.getByRole('button', { name: 'Scale' }).count()).toBe(0);
    const status = await page.evaluate(async () => (await fetch('/api/swarm')).status);
    expect(status).toBe(403);
    const link = await page.context().newPage();
    await link.goto(url);
    await link.getByText(/already|too old/).waitFor();
  });
});
