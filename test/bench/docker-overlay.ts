// Two dockerds in swarm mode on one Ethernet, and a container of each on an attachable overlay network between them: the peer of the mesh's figures. Its
// virtual addresses would need IPVS, which not every kernel has; containers that call each other need none.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeBusyboxRoot } from '../support/busybox-root.ts';
import { PeerDockerd } from '../support/peer-dockerd.ts';

const ADDRESSES = ['10.78.0.1', '10.78.0.2'] as const;
const IMAGE = 'busybox:bench';

export interface OverlayPair {
  /** Commands that run others where the containers are. */
  readonly enter: readonly [readonly string[], readonly string[]];
  /** Address of the second, as the first calls it. */
  readonly to: string;
  /** Name of the second. */
  readonly peer: string;
}

export class DockerOverlay implements AsyncDisposable {
  readonly #ends = [new PeerDockerd(), new PeerDockerd()] as const;

  async start(): Promise<OverlayPair> {
    const [one, two] = this.#ends;
    for (const end of this.#ends) await end.start();
    this.#wire();
    await must(one, ['swarm', 'init', '--advertise-addr', ADDRESSES[0]]);
    const token = await must(one, ['swarm', 'join-token', '-q', 'worker']);
    const join2 = ['swarm', 'join', '--token', token, '--advertise-addr', ADDRESSES[1]];
    await must(two, [...join2, `${ADDRESSES[0]}:2377`]);
    await must(one, ['network', 'create', '-d', 'overlay', '--attachable', 'between']);
    const enter: string[][] = [];
    for (const [index, end] of this.#ends.entries()) {
      const root = join(end.folder, 'root');
      mkdirSync(root);
      writeBusyboxRoot(root);
      execFileSync('tar', ['-C', root, '-cf', `${root}.tar`, '.']);
      await must(end, ['import', `${root}.tar`, IMAGE]);
      const name = `c${index}`;
      await must(end, [
        'run',
        '-d',
        '--name',
        name,
        '--network',
        'between',
        IMAGE,
        'sleep',
        '9999',
      ]);
      const pid = await must(end, ['inspect', '-f', '{{.State.Pid}}', name]);
      // With its own file system's resolv.conf: nobody but the agent asks, and it names its server.
      enter.push(['nsenter', '-t', pid, '-n', '--']);
    }
    const format = '{{.NetworkSettings.Networks.between.IPAddress}}';
    const to = await must(two, ['inspect', '-f', format, 'c1']);
    return { enter: [enter[0] ?? [], enter[1] ?? []], to, peer: 'c1' };
  }

  /** One Ethernet between the two. */
  #wire(): void {
    const names = ['tspeer-a', 'tspeer-b'] as const;
    const run = (...args: string[]): unknown => execFileSync('ip', args);
    run('link', 'add', names[0], 'type', 'veth', 'peer', 'name', names[1]);
    for (const [index, end] of this.#ends.entries()) {
      const name = names[index] ?? '';
      run('link', 'set', name, 'netns', String(end.pid));
      const inside = ['-t', String(end.pid), '-n', 'ip'];
      execFileSync('nsenter', [...inside, 'addr', 'add', `${ADDRESSES[index]}/24`, 'dev', name]);
      execFileSync('nsenter', [...inside, 'link', 'set', name, 'up']);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [index, end] of [...this.#ends.entries()].reverse()) {
      await end.docker(['rm', '-f', `c${index}`]);
      await end[Symbol.asyncDispose]();
    }
  }
}

async function must(end: PeerDockerd, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await end.docker(args);
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}
