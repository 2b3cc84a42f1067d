// The host's permission to forward packets, which everything here needs. IPv4 from the start; IPv6 only when a container has IPv6, or other nodes may need this
// one between them, because it changes what the host is: a router does not listen to routers, and a host that got its own default route from one would lose it. So interfaces that listen are told to
// go on listening (accept_ra 2) first.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import type { Inspection, NetHelper } from './net-helper.ts';

const IPV6_SETTINGS = '/proc/sys/net/ipv6/conf';
const IPV4_SETTINGS = '/proc/sys/net/ipv4/conf';
/** rp_filter */
const OFF = '0';
const STRICT = '1';
/** Accept router advertisements: when not forwarding; always. */
const ACCEPT_AS_HOST = '1';
const ACCEPT_ALWAYS = '2';

export class Forwarding {
  readonly #helper: NetHelper;
  readonly #log: Log;
  #ipv6: Promise<void> | undefined;
  /** It was said that there is no IPv6. */
  #isWithout = false;

  constructor(helper: NetHelper, log: Log) {
    this.#helper = helper;
    this.#log = log;
  }

  async start(): Promise<void> {
    await this.#helper.sysctl({ 'net.ipv4.ip_forward': '1' });
    await this.#loosenSenderCheck();
  }

  /**
   * Of a host's two settings for checking senders by the way back the higher one counts, so the one for all interfaces would also bind ours, where answers
   * come by another way than questions go. It moves to each interface that it is meant for: the effect there is the same.
   */
  async #loosenSenderCheck(): Promise<void> {
    const all = await readSetting(`${IPV4_SETTINGS}/all/rp_filter`);
    if (all !== STRICT) return;
    const names = await readdir(IPV4_SETTINGS).catch(() => []);
    for (const name of names.filter((one) => one !== 'all')) {
      const file = `${IPV4_SETTINGS}/${name}/rp_filter`;
      if ((await readSetting(file)) === OFF) await writeFile(file, STRICT).catch(() => {});
    }
    await writeFile(`${IPV4_SETTINGS}/all/rp_filter`, OFF).catch((error: unknown) => {
      this.#log.warn('strict rp_filter may stop clients of other nodes', {
        error: messageOf(error),
      });
    });
  }

  /** Called for a container with IPv6. @throws TswarmError when the host has none */
  needIpv6(): Promise<void> {
    this.#ipv6 ??= this.#startIpv6().catch((error: unknown) => {
      this.#ipv6 = undefined;
      throw error;
    });
    return this.#ipv6;
  }

  /** For what goes on without it, only less well. */
  async mayNeedIpv6(): Promise<void> {
    await this.needIpv6().catch((error: unknown) => {
      if (this.#isWithout) return;
      this.#isWithout = true;
      this.#log.warn('no packets are passed on between other nodes', { error: messageOf(error) });
    });
  }

  /** Switches on again what somebody switched off. */
  async repair(found: Inspection['forwarding']): Promise<void> {
    if (!found.v4) {
      this.#log.warn('forwarding was switched off, switching it on again');
      await this.start();
    }
    if (this.#ipv6 && !found.v6) {
      this.#log.warn('IPv6 forwarding was switched off, switching it on again');
      await this.#startIpv6();
    }
  }

  async #startIpv6(): Promise<void> {
    for (const name of await readdir(IPV6_SETTINGS).catch(() => [])) {
      const file = `${IPV6_SETTINGS}/${name}/accept_ra`;
      const accepts = (await readFile(file, 'utf8').catch(() => '')).trim();
      if (accepts !== ACCEPT_AS_HOST) continue;
      await writeFile(file, ACCEPT_ALWAYS).catch((error: unknown) => {
        this.#log.warn('interface may lose its IPv6 router', { name, error: messageOf(error) });
      });
    }
    await this.#helper.sysctl({ 'net.ipv6.conf.all.forwarding': '1' });
  }
}

async function readSetting(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).trim();
}
