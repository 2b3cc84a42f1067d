// The dashboard in a real browser against a real node: signing in by the printed link, every page drawn without an error and without a finding of axe in both
// themes, changes seen without loading again and made by keyboard, a stack written in the editor, a shell, the node away and back, and the roles.

import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Topology } from '#api/cluster/types';
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
  const context = await browser.newContext({ reducedMotion: 'reduce' });
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

async function signedIn(...flags: string[]): Promise<Page> {
  return open((await node.tswarm(['dashboard', ...flags])).stdout.trim());
}

async function goTo(page: Page, path: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${path}`)}`);
}

/** What axe finds on the page as it is, light and dark. */
async function expectAccessible(page: Page, what: string): Promise<void> {
  const client = await page.context().newCDPSession(page);
  await client.send('Runtime.evaluate', { expression: axe });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await page.evaluate(async () =>
      (globalThis as unknown as { axe: Axe }).axe.run(),
    );
    const found = violations.map(({ id, nodes }) => [id, nodes[0]?.html]);
    expect(found, `${what}, ${colorScheme}`).toEqual([]);
  }
}

/** Goes to a page and waits for its heading; then axe looks at it. */
async function visit(page: Page, path: string, heading: string): Promise<void> {
  await goTo(page, path);
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
  await expectAccessible(page, path);
}

/** Id of a running task of a service, as the page's own API has it. */
function taskOf(page: Page, service: string): Promise<string> {
  return page.evaluate(async (name) => {
    const answer = await fetch('/api/tswarm/v1/topology');
    const { tasks } = (await answer.json()) as Topology;
    const found = tasks.find((one) => one.name.startsWith(`${name}.`) && one.state === 'running');
    return found?.id ?? '';
  }, service);
}

const PAGES = [
  ['', 'Overview'],
  ['topology', 'Topology'],
  ['nodes', 'Nodes'],
  ['stacks', 'Stacks'],
  ['stacks/shop', 'shop'],
  ['new-stack', 'New stack'],
  ['services', 'Services'],
  ['networks', 'Networks'],
  ['volumes', 'Volumes'],
  ['secrets', 'Secrets and configs'],
  ['images', 'Images'],
  ['activity', 'Activity'],
  ['access', 'Access'],
  ['nowhere-at-all', 'No such page'],
] as const;

describe('dashboard', () => {
  it('says what is wrong, and shows every page', async () => {
    const page = await signedIn();
    await page
      .getByRole('link', { name: /Service nowhere: 0 of 1 running: no suitable/ })
      .waitFor();
    expect(page.url()).not.toContain('link=');
    for (const [path, heading] of PAGES) await visit(page, path, heading);
    await page.getByRole('link', { name: 'Services', exact: true }).click();
    await page.getByRole('main').getByRole('link', { name: 'nowhere' }).click();
    await page.getByText('What would help:').waitFor();
    await page.getByText('node.labels.disk==ssd').first().waitFor();
    await expectAccessible(page, 'a service');
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'Services' }).waitFor();
    await goTo(page, 'logs/stack/shop');
    await page.getByText('it is').first().waitFor();
    await expectAccessible(page, 'logs');
    expect(await page.getByLabel('Follow').isChecked()).toBe(true);
    await page.getByLabel('Only lines with').fill('nobody says this');
    await page.getByText('No line has').waitFor();
    expect(complaints).toEqual([]);
  });

  it('shows a change without being loaded again, and makes one by keyboard', async () => {
    const page = await signedIn();
    await page.keyboard.press('/');
    await page.keyboard.type('web');
    await page.getByRole('option', { name: 'web service' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'web' }).waitFor();
    await page.getByText('2/2').waitFor();
    await node.tswarm(['service', 'scale', '--detach', 'web=3']);
    await page.getByText('3/3').waitFor();
    const scale = page.getByRole('button', { name: 'Scale' });
    await scale.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'How many tasks of web?' });
    await dialog.waitFor();
    await expectAccessible(page, 'a dialog');
    // The focus stays in the dialog, whichever way it is moved; Escape closes it and gives the focus back.
    for (const key of ['Tab', 'Tab', 'Tab', 'Tab', 'Shift+Tab']) {
      await page.keyboard.press(key);
      const isOutside = await page.evaluate(
        "document.activeElement.closest('main, aside, header') && !document.activeElement.closest('dialog') ? true : false",
      );
      expect(isOutside, key).toBe(false);
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await page.locator('button:focus', { hasText: 'Scale' }).waitFor();
    await page.keyboard.press('Enter');
    await dialog.getByLabel('Tasks').fill('1');
    await page.keyboard.press('Enter');
    await page.getByText('1/1').waitFor();
    await until(
      async () => (await node.tswarm(['service', 'ls'])).stdout.includes('1/1'),
      20_000,
      () => 'the service was not scaled',
    );
    expect(complaints).toEqual([]);
  });

  it('marks mistakes of a compose file at their lines, plans it, and deploys it', async () => {
    const page = await signedIn('--operator');
    await goTo(page, 'new-stack');
    await page.getByLabel('Name of the stack').fill('written');
    const code = page.getByLabel('Compose file');
    await code.fill('services:\n  one:\n    image: busybox:test\n    prots: ["80"]\n');
    await page
      .getByRole('button', { name: 'line 4' })
      .or(page.getByRole('button', { name: 'line 2' }))
      .waitFor();
    await page.getByText("additional properties 'prots' not allowed").waitFor();
    expect(await page.getByRole('button', { name: 'Deploy' }).isDisabled()).toBe(true);
    await expectAccessible(page, 'the editor with an error');
    await code.fill('services:\n  one:\n    image: busybox:test\n    command: sleep 1000\n');
    await page.getByText('1 container starts').waitFor();
    await page.getByRole('button', { name: 'Deploy' }).click();
    await page.getByRole('heading', { level: 1, name: 'written' }).waitFor();
    await page.getByText('1/1').waitFor();
    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByText('No changes: the cluster is as the file says.').waitFor();
    const text = await page.getByLabel('Compose file').inputValue();
    await page
      .getByLabel('Compose file')
      .fill(text.replace('"1000"', '"2000"').replace('- 1000', '- 2000'));
    await page.getByText('1 container is replaced').waitFor();
    await expectAccessible(page, 'the editor with a plan');
    expect(complaints).toEqual([]);
  });

  it('rolls a stack back by its plan', async () => {
    const page = await signedIn('--operator');
    await goTo(page, 'stacks/written/edit');
    const code = page.getByLabel('Compose file');
    await code.waitFor();
    const text = await code.inputValue();
    await code.fill(text.replaceAll('1000', '2000'));
    await page.getByText('1 container is replaced').waitFor();
    await page.getByRole('button', { name: 'Deploy' }).click();
    await page.getByRole('heading', { level: 1, name: 'written' }).waitFor();
    await page.getByRole('link', { name: /^Roll back to the version until/ }).click();
    await page.getByRole('heading', { level: 1, name: 'Roll back written' }).waitFor();
    await page.getByText('1 container is replaced').waitFor();
    await page.locator('ins', { hasText: '1000' }).waitFor();
    await expectAccessible(page, 'the plan of a roll back');
    await page.getByRole('button', { name: 'Roll back' }).click();
    await page.getByRole('heading', { level: 1, name: 'written', exact: true }).waitFor();
    await until(
      async () =>
        (await node.tswarm(['service', 'inspect', 'written_one'])).stdout.includes('"1000"'),
      20_000,
      () => 'the stack was not rolled back',
    );
    expect(complaints).toEqual([]);
  });

  it('opens a shell in a container, which ends with the page', async () => {
    const page = await signedIn('--operator');
    await goTo(page, `tasks/${await taskOf(page, 'web')}/shell`);
    await page.getByLabel('Terminal, open').waitFor();
    await page.keyboard.type('echo in the $((40 + 2))nd container; stty size\n');
    const screen = page.locator('.xterm-rows');
    await screen.getByText('in the 42nd container').waitFor();
    const size = /^(\d+) (\d+)$/m.exec(await linesOf(page)) ?? [];
    expect(Number(size[2])).toBeGreaterThan(80);
    await expectAccessible(page, 'a shell');
    const shells = (): string => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    await page.keyboard.type('exec sh -c "echo now; exec sleep 98761"\n');
    await screen.getByText('now').first().waitFor();
    await page.keyboard.press('Control+Shift+Escape');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await goTo(page, 'services');
    await until(
      () => !shells().includes('sleep 98761'),
      20_000,
      () => 'the program goes on',
    );
    expect(complaints).toEqual([]);
  });

  it('makes a secret and never shows it', async () => {
    const page = await signedIn('--operator');
    await goTo(page, 'secrets');
    await page.getByRole('button', { name: 'New secret' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('no good name!');
    await dialog.getByLabel('Content').fill('hush-hush');
    await dialog.getByRole('button', { name: 'New secret' }).click();
    await dialog.getByRole('alert').waitFor();
    complaints.length = 0;
    await dialog.getByLabel('Name').fill('api-key');
    await dialog.getByRole('button', { name: 'New secret' }).click();
    await page.getByRole('cell', { name: 'api-key' }).waitFor();
    expect(await page.content()).not.toContain('hush-hush');
    const told = await page.evaluate(async () => (await fetch('/api/secrets')).text());
    expect(told).not.toMatch(/hush|aHVzaC1odXNo/);
  });

  it('makes a volume of this node, and takes it away', async () => {
    const page = await signedIn('--operator');
    await goTo(page, 'volumes');
    await page.getByRole('button', { name: 'New volume' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('uploads');
    await dialog.getByRole('button', { name: 'New volume' }).click();
    const row = page.getByRole('row', { name: /uploads/ });
    await row.getByRole('button', { name: 'Remove' }).click();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await row.waitFor({ state: 'detached' });
    expect(complaints).toEqual([]);
  });

  it('says when the node is away, and goes on by itself', async () => {
    const page = await signedIn();
    await page.getByText('live', { exact: true }).waitFor();
    const { port } = new URL(page.url());
    const nft = (rules: string): void => {
      execFileSync('nsenter', [`--net=${node.netns}`, 'nft', '-f', '-'], { input: rules });
    };
    nft(`table inet away {
      chain in { type filter hook input priority 0; tcp sport ${port} reject with tcp reset; tcp dport ${port} reject with tcp reset; }
    }`);
    await node.tswarm([
      'service',
      'create',
      '--detach',
      '--name',
      'meanwhile',
      'busybox:test',
      'sleep',
      '1000',
    ]);
    await page.getByText('No connection to the node.').waitFor();
    await expectAccessible(page, 'without a connection');
    nft('delete table inet away');
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'meanwhile' }).first().waitFor();
    complaints.length = 0;
  });

  it('fits on a phone', async () => {
    const page = await signedIn();
    await page.setViewportSize({ width: 390, height: 844 });
    for (const [path, heading] of PAGES) {
      await goTo(page, path);
      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
      const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(wide, path).toBeLessThanOrEqual(0);
    }
  });

  flagTest('tswarm dashboard', ['--operator'], 'a link for running things', async () => {
    const page = await signedIn('--operator');
    await page.getByText('operator', { exact: true }).waitFor();
    expect(await page.getByRole('link', { name: 'Access' }).count()).toBe(0);
    await goTo(page, 'nodes');
    await page.getByRole('main').getByRole('link').first().click();
    await page.getByRole('button', { name: 'Drain' }).waitFor();
    await expectAccessible(page, 'a node');
    expect(await page.getByRole('button', { name: 'Demote' }).count()).toBe(0);
    const statuses = await page.evaluate(async () =>
      Promise.all(
        ['/swarm', '/tswarm/v1/credentials', '/tswarm/v1/audit', '/configs'].map(
          async (path) => (await fetch(`/api${path}`)).status,
        ),
      ),
    );
    expect(statuses).toEqual([403, 403, 403, 200]);
    // Signed out in another window: this one ends as well.
    const other = await page.context().newPage();
    await other.goto(new URL('/', page.url()).href);
    await other.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('The session has ended.').waitFor();
    complaints.length = 0;
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
    await goTo(page, `tasks/${await taskOf(page, 'web')}`);
    await page.getByRole('heading', { name: 'Facts' }).waitFor();
    await expectAccessible(page, 'a task');
    expect(await page.getByRole('link', { name: 'Shell' }).count()).toBe(0);
    const status = await page.evaluate(async () => (await fetch('/api/swarm')).status);
    expect(status).toBe(403);
    // Whatever the page leaves out, the server refuses.
    await goTo(page, `tasks/${await taskOf(page, 'web')}/shell`);
    await page.getByText('The connection to the container is lost').waitFor();
    const link = await page.context().newPage();
    await link.goto(url);
    await link.getByText(/already|too old/).waitFor();
  });
});

/** The terminal's screen as text. */
async function linesOf(page: Page): Promise<string> {
  const rows = await page.locator('.xterm-rows > div').allTextContents();
  return rows.map((row) => row.trim()).join('\n');
}
