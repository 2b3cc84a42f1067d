// Goal: containers work beside a firewall that drops what it does not know, as Docker and ufw set it up, and that firewall loses nothing of its own.
// Method: the real network of a node in a namespace of its own, with such a firewall made by iptables. Needs root.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttachResult } from '#worker/network/types';
import { type Agent, eventually, HOST, NetworkLab, OUTSIDE } from '../support/network-lab/lab.ts';
import { container, port } from '../support/network-lab/objects.ts';

const isRoot = process.getuid?.() === 0;
const THIRD = '198.51.100.2';

/** As Docker sets up forwarding, on a host that takes only ssh. */
const FIREWALL = [
  'iptables -P FORWARD DROP',
  'iptables -A INPUT -i lo -j ACCEPT',
  'iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  'iptables -A INPUT -p tcp --dport 22 -j ACCEPT',
  'iptables -P INPUT DROP',
].join('; ');

const hasIptables = spawnSync('iptables', ['-V'], { encoding: 'utf8' }).stdout?.includes(
  'nf_tables',
);

describe.skipIf(!isRoot || !hasIptables)('beside a firewall that drops', () => {
  const lab = new NetworkLab('fw');
  const as: Record<string, Agent> = {};
  let web: AttachResult;

  beforeAll(async () => {
    await lab.start();
    await lab.restore();
    web = await lab.attach(
      'web',
      container({ bridge: [] }, { names: ['web'], ports: [port('8080:80')] }),
    );
    as.web = lab.agent(web.netnsPath);
    as.outside = lab.agent('outside');
    as.host = lab.agent('');
    await as.web.serve(80, 'web');
    await as.outside.serve(80, 'outside');
    await as.host.serve(99, 'host');
  });
  afterAll(() => lab.destroy());

  async function works(): Promise<boolean> {
    const answers = await Promise.all([
      as.web?.tcp(OUTSIDE, 80),
      as.outside?.tcp(HOST, 8080),
      as.web?.resolve('web'),
    ]);
    const wanted = ['outside', 'web', [web.endpoints[0]?.ipv4]];
    return JSON.stringify(answers) === JSON.stringify(wanted);
  }

  it('leaves a host without one alone', async () => {
    expect(await works()).toBe(true);
    expect(lab.host('nft list tables')).not.toContain('ip filter');
  });

  it('goes on when one starts', async () => {
    lab.host(FIREWALL);
    await eventually(works, 3_000);
  });

  it('opens nothing but the way of containers', async () => {
    // Forwarding between others stays closed, and so does the host.
    lab.outside(`ip addr add ${THIRD}/32 dev lo`);
    lab.host(`ip route add ${THIRD} via ${OUTSIDE}`);
    expect(await as.outside?.tcp(HOST, 99)).toBe('TIMEOUT');
    expect(await as.web?.tcp(HOST, 99)).toBe('TIMEOUT');
    const rules = lab.host('nft list chain ip filter FORWARD');
    expect(rules).toContain('policy drop');
    // Out and in, of containers and of the mesh.
    expect(rules.match(/accept/g)?.length).toBe(4);
  });

  it('leaves rules that iptables can read', () => {
    expect(lab.host('iptables -S FORWARD')).toBe(
      '-P FORWARD DROP\n-A FORWARD -i wfw+ -j ACCEPT\n-A FORWARD -o wfw+ -j ACCEPT\n-A FORWARD -i tfw+ -j ACCEPT\n-A FORWARD -o tfw+ -j ACCEPT\n',
    );
    expect(lab.host('iptables -S INPUT')).toMatch(
      /^-A INPUT -d 169\.254\.\d+\.\d+\/32 -i tfw\+ -j ACCEPT$/m,
    );
  });

  it('adds nothing twice', async () => {
    lab.host('iptables -A INPUT -p tcp --dport 25 -j ACCEPT');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(lab.host('iptables -S').match(/tfw\+/g)?.length).toBe(3);
  });

  it('is back when the firewall is loaded again', async () => {
    lab.host(`nft flush ruleset; ${FIREWALL}`);
    await eventually(works, 3_000);
    expect(lab.host('iptables -S').match(/tfw\+/g)?.length).toBe(3);
  });

  it('takes its rules along when the node leaves', async () => {
    await lab.call('removeAll');
    expect(lab.host('iptables -S')).not.toContain('tfw');
    expect(lab.host('iptables -S INPUT')).toContain('--dport 22 -j ACCEPT');
  });
});
