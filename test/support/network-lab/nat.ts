// A translation of addresses (NAT) between a host and the world that hosts share, as a home's router does it: a network namespace of its own,
//
//   host 10.20.N.2  ──  10.20.N.1  router  192.0.2.(100+N)  ──  "in0" of the world
//
// What nobody inside has called for is dropped.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { eventually, type NetworkLab, OUTSIDE, type SharedWorld } from './lab.ts';

/** `same`: a host's port is the same outside, so that two who call each other at once meet. `other`: each flow gets another port ("symmetric"). */
export type PortChoice = 'same' | 'other';

export class Nat {
  /** As the world knows it, and everybody behind it. */
  readonly address: string;
  readonly #holder: ChildProcess;
  readonly #number: number;

  constructor(number: number) {
    this.#number = number;
    this.address = `192.0.2.${100 + number}`;
    this.#holder = spawn('unshare', ['-n', 'sleep', 'infinity'], { stdio: 'ignore' });
  }

  /** Puts the host, number `number` of the world, behind it. */
  async start(lab: NetworkLab, world: SharedWorld): Promise<void> {
    const pid = this.#holder.pid ?? 0;
    const own = (of: string | number): string =>
      execFileSync('readlink', [`/proc/${of}/ns/net`], { encoding: 'utf8' });
    await eventually(() => own(pid) !== own('self'));
    const n = this.#number;
    world.run(`ip link set p${n} netns ${pid}`);
    world.run(`ip link add q${n} type veth peer name wan0 netns ${pid}`);
    world.run(`ip link set q${n} master in0; ip link set q${n} up`);
    this.run(`ip link set lo up; ip link set p${n} name lan0; ip link set lan0 up`);
    this.run(`ip addr add 10.20.${n}.1/24 dev lan0; ip addr add ${this.address}/24 dev wan0`);
    this.run(`ip link set wan0 up; ip route add default via ${OUTSIDE}`);
    this.run('sysctl -qw net.ipv4.ip_forward=1');
    this.choose('same');
    lab.host('ip addr flush dev out0 scope global');
    lab.host(`ip addr add 10.20.${n}.2/24 dev out0; ip route add default via 10.20.${n}.1`);
  }

  /** For flows that begin from now on. */
  choose(ports: PortChoice): void {
    const how = ports === 'same' ? '' : ' random,fully-random';
    this.run(`nft -f - <<'END'
flush ruleset
table ip translation {
  chain out { type nat hook postrouting priority 100; oifname wan0 masquerade${how}; }
  chain in { type filter hook input priority 0; iifname wan0 ct state new drop; }
  chain through { type filter hook forward priority 0; iifname wan0 ct state new drop; }
}
END`);
  }

  /** Lets in what the world sends to this port, to the host behind it. */
  forward(port: number): void {
    this.run(`nft -f - <<'END'
table ip translation {
  chain forwarded { type nat hook prerouting priority -100; iifname wan0 udp dport ${port} dnat to 10.20.${this.#number}.2; }
}
insert rule ip translation through iifname wan0 ct status dnat accept
END`);
  }

  /** How many packets have come from `address` to this port of the router. @returns a function that counts since the call */
  counter(address: string, port: number): () => number {
    this.run(`nft -f - <<'END'
table ip translation {
  chain counted { type filter hook prerouting priority -300; ip saddr ${address} udp dport ${port} counter; }
}
END`);
    return () => {
      const text = this.run('nft list chain ip translation counted');
      return Number(/packets (\d+)/.exec(text)?.[1] ?? 0);
    };
  }

  run(command: string): string {
    const args = ['-t', String(this.#holder.pid), '-n', '--', 'sh', '-ec', command];
    return execFileSync('nsenter', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  end(): void {
    this.#holder.kill('SIGKILL');
  }
}
