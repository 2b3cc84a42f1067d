// Goal: a cluster's life with real daemons: joining, losing the leader, promoting and demoting, leaving and coming back, guards and bad input. Method: a lab
// of three managers and two workers, each in a network of its own; what people type, and what they see.
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../support/cluster-lab/lab.ts';
import { NODE } from '../support/cluster-lab/state.ts';
import { nodeTags, tracesOf } from '../support/cluster-lab/take-down.ts';
import { callSocket } from '../support/socket-call.ts';
import { until } from '../support/test-node.ts';
import { labUp, leaderOf, liveManagers, nodesOf, rowOf, untilNodes } from './cluster.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await labUp({ managers: 3, workers: 2 });
});
afterAll(async () => {
  const { folder } = lab;
  const tags = nodeTags(folder);
  await lab.down();
  expect(existsSync(folder)).toBe(false);
  expect(tracesOf(folder, tags)).toEqual([]);
});

/** Names of the secrets in a manager's list. */
async function secretsOf(
  via: string,
): Promise<{ readonly names: readonly string[]; readonly isConfirmed: boolean }> {
  const { status, text, isConfirmed } = await callSocket(lab.paths(via).socket, 'GET', '/secrets');
  if (status !== 200) return { names: [], isConfirmed: false };
  const secrets = JSON.parse(text) as readonly { readonly Spec: { readonly Name: string } }[];
  return { names: secrets.map(({ Spec }) => Spec.Name), isConfirmed };
}

describe('a cluster of three managers and two workers', () => {
  it('is seen the same from every manager', async () => {
    for (const via of ['m1', 'm2', 'm3']) {
      const rows = await untilNodes(lab, via, (found) => liveManagers(found).length === 3);
      expect(rows.map((row) => [row.Hostname, row.Status, row.Availability])).toEqual(
        ['m1', 'm2', 'm3', 'w1', 'w2'].map((name) => [name, 'Ready', 'Active']),
      );
      expect(rows.filter((row) => row.ManagerStatus === 'Leader')).toHaveLength(1);
    }
  });

  it('can be commanded from every manager, followers too, and each reads what it wrote', async () => {
    for (const via of ['m1', 'm2', 'm3']) {
      await lab.ok(via, ['node', 'update', '--label-add', `by=${via}`, 'w1']);
      const text = await lab.ok(via, [
        'node',
        'inspect',
        'w1',
        '--format',
        '{{json .Spec.Labels}}',
      ]);
      expect(JSON.parse(text)).toEqual({ by: via });
    }
  });

  it('shows what one manager has acknowledged in the next answer of any other', async () => {
    const managers = ['m1', 'm2', 'm3'];
    for (let i = 0; i < 15; i++) {
      const name = `seen-${i}`;
      const via = managers[i % 3] ?? 'm1';
      const made = await callSocket(lab.paths(via).socket, 'POST', '/secrets/create', {
        Name: name,
        Data: 'eA==',
      });
      expect(made.status, made.text).toBe(201);
      const others = managers.filter((manager) => manager !== via);
      const seen = await Promise.all(others.map((other) => secretsOf(other)));
      for (const { names, isConfirmed } of seen) {
        expect(isConfirmed).toBe(true);
        expect(names).toContain(name);
      }
    }
  });

  it('marks what a manager knows that is cut off, and is up to date when it marks it no more', async () => {
    const leader = (await leaderOf(lab, 'm1')) ?? '';
    const [cutOff = '', via = ''] = ['m1', 'm2', 'm3'].filter((name) => name !== leader);
    lab.isolate(cutOff);
    const name = 'made-during-the-cut';
    await until(
      async () => {
        const body = { Name: name, Data: 'eA==' };
        const made = await callSocket(lab.paths(via).socket, 'POST', '/secrets/create', body);
        return made.status === 201 || made.status === 409;
      },
      30_000,
      () => lab.log(via).slice(-2000),
    );
    const during = await secretsOf(cutOff);
    expect([during.isConfirmed, during.names.includes(name)]).toEqual([false, false]);
    const shown = await lab.tswarm(cutOff, ['secret', 'ls']);
    expect([shown.code, shown.stderr]).toEqual([
      0,
      expect.stringContaining('Warning: no leader has confirmed this'),
    ]);
    lab.heal();
    await until(
      async () => {
        const { names, isConfirmed } = await secretsOf(cutOff);
        if (isConfirmed) expect(names).toContain(name);
        return isConfirmed;
      },
      60_000,
      () => lab.log(cutOff).slice(-2000),
    );
    await untilNodes(
      lab,
      via,
      (rows) => liveManagers(rows).length === 3 && rows.every((row) => row.Status === 'Ready'),
    );
  });

  it('keeps its workers’ sockets for what is theirs', async () => {
    const refused = await lab.tswarm('w1', ['node', 'ls']);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining(
        "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.",
      ),
    ]);
    const info = JSON.parse(await lab.ok('w1', ['info', '--format', 'json'])) as {
      Swarm: { LocalNodeState: string; ControlAvailable: boolean; RemoteManagers: unknown[] };
    };
    expect(info.Swarm).toMatchObject({ LocalNodeState: 'active', ControlAvailable: false });
    expect(info.Swarm.RemoteManagers).toHaveLength(3);
    expect(await lab.exec('w1', ['docker', 'ps', '-q'])).toMatchObject({ code: 0, stdout: '' });
  });

  it('has a new leader soon after the leader was killed, and takes the old one back', async () => {
    const leader = (await leaderOf(lab, 'm1')) ?? '';
    const via = leader === 'm2' ? 'm3' : 'm2';
    await lab.kill(leader);
    const started = performance.now();
    await lab.ok(via, ['node', 'update', '--label-add', 'after=kill', 'w1']);
    const tookMs = performance.now() - started;
    // Election within two seconds, the rest is starting a process on a busy machine.
    expect(tookMs).toBeLessThan(6_000);
    await untilNodes(lab, via, (rows) => {
      const row = rowOf(rows, leader);
      return row.ManagerStatus === 'Unreachable' && row.Status === 'Down';
    });
    await lab.start(leader);
    await untilNodes(
      lab,
      via,
      (rows) => liveManagers(rows).length === 3 && rowOf(rows, leader).Status === 'Ready',
    );
    await untilNodes(lab, leader, (rows) => liveManagers(rows).length === 3);
  });

  it('keeps every worker in session while the leader changes', async () => {
    const leader = (await leaderOf(lab, 'm1')) ?? '';
    await lab.kill(leader);
    const via = leader === 'm1' ? 'm2' : 'm1';
    // Longer than the time after which a silent node counts as down, with its grace.
    const endMs = performance.now() + 15_000;
    while (performance.now() < endMs) {
      const rows = await nodesOf(lab, via).catch(() => []);
      // Unknown while nobody leads; down would move its tasks.
      const down = rows.filter((row) => row.Hostname !== leader && row.Status === 'Down');
      expect(down.map((row) => row.Hostname)).toEqual([]);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await lab.start(leader);
    await untilNodes(
      lab,
      via,
      (rows) => liveManagers(rows).length === 3 && rows.every((row) => row.Status === 'Ready'),
    );
  });

  it('promotes a worker and demotes it again, the leader too', async () => {
    expect(await lab.ok('m1', ['node', 'promote', 'w1'])).toBe(
      'Node w1 promoted to a manager in the swarm.\n',
    );
    expect(await lab.ok('m1', ['node', 'promote', 'w1'])).toBe('Node w1 is already a manager.\n');
    await untilNodes(lab, 'm1', (rows) => liveManagers(rows).includes('w1'));
    await untilNodes(lab, 'w1', (rows) => liveManagers(rows).length === 4);
    expect(await lab.ok('m1', ['node', 'demote', 'w1'])).toBe('Manager w1 demoted in the swarm.\n');
    const folder = join(lab.paths('w1').dataRoot, 'manager');
    await until(
      () => !existsSync(folder),
      20_000,
      () => lab.log('w1').slice(-2000),
    );
    const leader = (await leaderOf(lab, 'm1')) ?? '';
    const via = leader === 'm1' ? 'm2' : 'm1';
    await lab.ok(via, ['node', 'demote', leader]);
    await untilNodes(lab, via, (rows) => liveManagers(rows).length === 2);
    await lab.ok(via, ['node', 'promote', leader]);
    await untilNodes(lab, via, (rows) => liveManagers(rows).length === 3);
  });

  it('lets a worker go and come back as another node', async () => {
    expect(await lab.ok('w2', ['leave'])).toBe('Node left the swarm.\n');
    expect(JSON.parse(await lab.ok('w2', ['info', '--format', '{{json .Swarm}}']))).toMatchObject({
      LocalNodeState: 'inactive',
      NodeID: '',
    });
    const gone = await untilNodes(lab, 'm1', (rows) => rowOf(rows, 'w2').Status === 'Down');
    await lab.ok('m1', ['node', 'rm', rowOf(gone, 'w2').ID]);
    await lab.join('w2', await lab.token('m1', 'worker'), 'm3');
    const back = await untilNodes(lab, 'm1', (rows) => rowOf(rows, 'w2').Status === 'Ready');
    expect(rowOf(back, 'w2').ID).not.toBe(rowOf(gone, 'w2').ID);
  });

  it('lets a manager go only when told so, and the others do without its vote', async () => {
    const leader = (await leaderOf(lab, 'm1')) ?? '';
    const via = leader === 'm1' ? 'm2' : 'm1';
    const refused = await lab.tswarm(leader, ['leave']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      'You are attempting to leave the swarm on a node that is participating as a manager.',
    );
    await lab.ok(leader, ['leave', '--force']);
    const rows = await untilNodes(lab, via, (found) => liveManagers(found).length === 2);
    const old = rowOf(rows, leader);
    expect(old.ManagerStatus).toBe('');
    await untilNodes(lab, via, (found) => rowOf(found, leader).Status === 'Down');
    await lab.ok(via, ['node', 'rm', old.ID]);
    await lab.join(leader, await lab.token(via, 'manager'), via);
    await untilNodes(lab, via, (found) => liveManagers(found).length === 3);
  });

  it('goes on when a node is cut off, and takes it back', async () => {
    const leader = (await leaderOf(lab, 'm1')) ?? '';
    const other = leader === 'm1' ? 'm2' : 'm1';
    lab.isolate(leader);
    await untilNodes(lab, other, (rows) => liveManagers(rows).length === 2);
    await lab.ok(other, ['node', 'update', '--label-add', 'cut=off', 'w1']);
    // Cut off from the others it must not say that it knows who leads.
    const alone = await lab.tswarm(leader, ['node', 'update', '--label-add', 'cut=on', 'w1']);
    expect([alone.code, alone.stderr]).toEqual([
      1,
      // What it had taken before it knew may still have got out.
      expect.stringMatching(/does not have a leader|was not confirmed in time/),
    ]);
    const shown = await lab.tswarm(leader, ['node', 'ls']);
    expect(shown.stderr).toContain('does not have a leader');
    expect(shown.stdout).not.toContain('Leader');
    lab.heal();
    await untilNodes(lab, leader, (rows) => liveManagers(rows).length === 3);
    // It may know who leads a moment before it has caught up.
    const inspect = ['node', 'inspect', 'w1', '--format', '{{json .Spec.Labels}}'];
    const isCaughtUp = async (): Promise<boolean> =>
      (await lab.ok(leader, inspect)).includes('"cut":"off"');
    await until(isCaughtUp, 10_000, () => 'the change of the others did not arrive');
  });
});

describe('bad input', () => {
  const joinAs = async (token: string, address: string): Promise<string> => {
    const result = await lab.tswarm('x1', ['join', '--token', token, address]);
    expect(result.code).toBe(1);
    return result.stderr;
  };
  let worker = '';
  beforeAll(async () => {
    lab.addHost('x1');
    await lab.start('x1');
    worker = await lab.token('m1', 'worker');
  });

  it('tokens that are cut off, of another cluster, changed, or no tokens', async () => {
    const at = lab.node('m1').address;
    expect(await joinAs(worker.slice(0, -1), at)).toContain('invalid join token');
    expect(await joinAs('SWMTKN', at)).toContain('invalid join token');
    const foreign = worker.replace(
      /^(SWMTKN-1-)./,
      (_, head: string) => `${head}${worker[9] === '0' ? '1' : '0'}`,
    );
    expect(await joinAs(foreign, at)).toContain('remote CA does not match fingerprint');
    const changed = `${worker.slice(0, -5)}${worker.endsWith('aaaaa') ? 'bbbbb' : 'aaaaa'}`;
    expect(await joinAs(changed, at)).toContain('the join token is not valid');
  });

  it('a token that was rotated', async () => {
    await lab.ok('m2', ['join-token', '--rotate', '-q', 'worker']);
    expect(await joinAs(worker, lab.node('m3').address)).toContain('the join token is not valid');
  });

  it('addresses where no manager is, seen from where', async () => {
    expect(await joinAs(worker, `${lab.node('m1').address}:2999`)).toMatch(
      /manager 192\.168\.177\.10:2999 cannot be reached from this host \(192\.168\.177\.15\): nothing listens there/,
    );
    expect(await joinAs(worker, '192.168.177.99')).toMatch(
      /192\.168\.177\.99:2377 cannot be reached/,
    );
    // The Raft port speaks TLS, and still is not where nodes join.
    expect(await joinAs(worker, `${lab.node('m1').address}:2378`)).toContain(
      'was reached, but does not answer as a manager',
    );
    expect(await joinAs(worker, 'http://m1')).toContain('is not an address');
  });

  it('a clock that is hours behind or ahead', async () => {
    const token = await lab.token('m1', 'worker');
    const behind = await skewedJoin(token, -86_400);
    expect(behind).toMatch(/the clocks of this host and of 192\.168\.177\.10:2377 differ/);
    const ahead = await skewedJoin(token, 5 * 3_600);
    expect(ahead).toMatch(/the clocks differ: it is \S+Z on this host and \S+Z on the leader/);
  });

  it('leaves nothing of the attempts', async () => {
    expect(existsSync(join(lab.paths('x1').dataRoot, 'node.json'))).toBe(false);
    expect(existsSync(join(lab.paths('x1').dataRoot, 'identity'))).toBe(false);
    const rows = await nodesOf(lab, 'm1');
    expect(rows.map((row) => row.Hostname)).not.toContain('x1');
  });

  it('the last manager cannot be demoted, a manager not removed, a live node only by force', async () => {
    const remove = await lab.tswarm('m1', ['node', 'rm', 'm2']);
    expect(remove.stderr).toContain('is a cluster manager and is a member of the raft cluster');
    const live = await lab.tswarm('m1', ['node', 'rm', 'w1']);
    expect(live.stderr).toContain("is not down and can't be removed");
    const unknown = await lab.tswarm('m1', ['node', 'promote', 'nobody']);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('nobody')]);
  });

  it('a node that was removed is told so, and may leave', async () => {
    await lab.join('x1', await lab.token('m1', 'worker'), 'm1');
    const rows = await untilNodes(lab, 'm1', (found) => found.some((row) => row.Hostname === 'x1'));
    // What the host keeps of its identity: it goes with the node's own leave.
    const kept = join(lab.folder, 'x1-identity');
    cpSync(join(lab.paths('x1').dataRoot, 'identity'), kept, { recursive: true });
    expect(await askForImage(kept, rowOf(rows, 'm1').ID)).toBe('not_found');
    await lab.ok('m1', ['node', 'rm', '--force', rowOf(rows, 'x1').ID]);
    // Its certificate is still good: the port that nodes give images on asks the list.
    await until(
      async () => (await askForImage(kept, rowOf(rows, 'm1').ID)) === 'permission_denied',
      20_000,
      () => lab.log('m1').slice(-2000),
    );
    const state = async (): Promise<{ LocalNodeState: string; Error: string }> =>
      JSON.parse(await lab.ok('x1', ['info', '--format', '{{json .Swarm}}'])) as {
        LocalNodeState: string;
        Error: string;
      };
    await until(
      async () => (await state()).LocalNodeState === 'error',
      20_000,
      () => lab.log('x1').slice(-2000),
    );
    expect((await state()).Error).toContain('tswarm leave');
    await lab.ok('x1', ['leave']);
    expect((await state()).LocalNodeState).toBe('inactive');
  });

  /** Asks m1 for an image that it does not have, from x1 and with the identity in a folder. @returns the code of the refusal */
  async function askForImage(folder: string, nodeId: string): Promise<string> {
    const script = join(import.meta.dirname, '../support/cluster-lab/ask-image.ts');
    const image = `sha256:${'0'.repeat(64)}`;
    const address = `${lab.node('m1').address}:7473`;
    const command = [NODE, '--conditions=source', script, folder, address, nodeId, image];
    const { stdout, stderr } = await lab.exec('x1', command, { timeoutMs: 30_000 });
    if (stdout === '') throw new Error(stderr);
    return stdout.split(':')[0] ?? '';
  }

  /** Joins with a daemon whose clock is off. */
  async function skewedJoin(token: string, clockOffsetS: number): Promise<string> {
    await lab.stop('x1');
    await lab.start('x1', [], { clockOffsetS });
    const text = await joinAs(token, lab.node('m1').address);
    await lab.stop('x1');
    await lab.start('x1');
    return text;
  }
});

describe('the cluster that a host made for itself', () => {
  const compose = 'services: { web: { image: "busybox:test", command: [sleep, "600"] } }';

  it('is opened to other hosts by init, and its containers go on', async () => {
    await lab.importBusybox(['x1']);
    const file = join(lab.folder, 'alone.yaml');
    writeFileSync(file, compose);
    const up = await lab.tcompose('x1', ['-f', file, '-p', 'alone', 'up', '-d']);
    expect([up.code, up.stderr]).toEqual([0, expect.stringContaining('single-node cluster')]);
    const pid = async (): Promise<string> =>
      (await lab.exec('x1', ['docker', 'inspect', '-f', '{{.State.Pid}}', 'alone-web-1'])).stdout;
    const before = await pid();

    const told = await lab.tswarm('x1', ['join-token', 'worker']);
    expect(told.stderr).toContain('Other hosts do not reach 127.0.0.1:2377');
    const pool = await lab.tswarm('x1', ['init', '--default-addr-pool', '10.99.0.0/16']);
    expect([pool.code, pool.stderr]).toEqual([
      1,
      expect.stringContaining('--default-addr-pool can be chosen for a new one only'),
    ]);
    const token = /--token (\S+) 192\.168\.177\.15:2377/.exec(await lab.ok('x1', ['init']))?.[1];
    lab.addHost('x2');
    await lab.start('x2');
    await lab.join('x2', token ?? '', 'x1');
    await untilNodes(lab, 'x1', (rows) => rows.map((row) => row.Status).join() === 'Ready,Ready');
    expect(await pid()).toBe(before);

    // The image is on x1 alone: x2 gets it from there.
    await lab.ok('x1', ['service', 'scale', 'alone_web=2']);
    const where = await lab.ok('x1', ['service', 'ps', '--format', '{{.Node}}', 'alone_web']);
    expect(where.split('\n').sort().join(' ').trim()).toBe('x1 x2');

    const again = await lab.tswarm('x1', ['init']);
    expect([again.code, again.stderr]).toEqual([
      1,
      expect.stringContaining('already in a cluster'),
    ]);
  });
});

it('leaves readable logs: no stack trace, no bug', () => {
  for (const { name } of lab.nodes) {
    const text = readFileSync(lab.paths(name).log, 'utf8');
    expect(text.split('\n').filter((line) => /\bbug\b| at .*\.js:\d+/.test(line))).toEqual([]);
  }
});
