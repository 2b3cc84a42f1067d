// Goal: nobody gets a port that somebody has, also not when two ask at the same time. Method: a registry with made-up other programs and services.
import { describe, expect, it } from 'vitest';
import type { ServiceEndpoints } from '#protocol/generated/dispatcher';
import { PortRegistry } from '#worker/network/ports';
import { port, service } from '../../../support/network-lab/objects.ts';

/** `held`: port → program. */
function registry(
  held: Readonly<Record<number, string>> = {},
  services: readonly ServiceEndpoints[] = [],
): PortRegistry {
  return new PortRegistry(
    async (_protocol, number) => held[number],
    () => services,
  );
}

describe('ports of containers', () => {
  it('belong to the first that claims them, until it lets go', async () => {
    const ports = registry();
    expect(await ports.claim('c1', 'web', [port('8080:80')])).toEqual([port('8080:80')]);
    await expect(ports.claim('c2', 'other', [port('8080:81')])).rejects.toMatchObject({
      code: 'failed_precondition',
      message: 'Bind for 0.0.0.0:8080 failed: port is already allocated (by container web)',
    });
    ports.release('c1');
    await ports.claim('c2', 'other', [port('8080:81')]);
  });

  it('are claimed in one step', async () => {
    const ports = registry();
    const all = Array.from({ length: 5 }, (_, i) =>
      ports.claim(`c${i}`, `n${i}`, [port('8080:80')]),
    );
    const results = await Promise.allSettled(all);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
      'rejected',
    ]);
  });

  it('are one per protocol and host address', async () => {
    const ports = registry();
    await ports.claim('c1', 'a', [port('80:80'), port('80:80/udp'), port('127.0.0.1:81:80')]);
    await ports.claim('c2', 'b', [port('127.0.0.2:81:80')]);
    await expect(ports.claim('c3', 'c', [port('81:80')])).rejects.toThrow(/already allocated/);
    await expect(ports.claim('c3', 'c', [port('127.0.0.1:81:80')])).rejects.toThrow(
      /by container a/,
    );
    await expect(ports.claim('c3', 'c', [port('82:1'), port('82:2')])).rejects.toThrow(
      /by this container/,
    );
  });

  it('are not those of other programs or of services', async () => {
    const web = service({
      name: 'web',
      ports: [port('8080:80', 'ingress'), port('90:90', 'host')],
    });
    const ports = registry({ 22: 'sshd (pid 7)' }, [web]);
    await expect(ports.claim('c', 'c', [port('22:22')])).rejects.toMatchObject({
      code: 'failed_precondition',
      message: 'port 22/tcp is already in use on this host by sshd (pid 7)',
    });
    await expect(ports.claim('c', 'c', [port('8080:80')])).rejects.toThrow(/by service web/);
    expect((await ports.claim('c', 'c', [port('90:90')])).length).toBe(1);
  });

  it('leave nothing claimed when one of them is taken', async () => {
    const ports = registry({ 22: 'sshd (pid 7)' });
    await expect(ports.claim('c1', 'a', [port('80:80'), port('22:22')])).rejects.toThrow(/sshd/);
    await ports.claim('c2', 'b', [port('80:80')]);
  });

  it('are chosen where 0 is asked for: free ones, and different ones', async () => {
    const ports = registry({ 32768: 'x (pid 1)', 32770: 'x (pid 1)' });
    const chosen = await ports.claim('c1', 'a', [port('0:80'), port('0:81'), port('0:82/udp')]);
    const numbers = chosen.map(({ publishedPort }) => publishedPort);
    expect(new Set(numbers).size).toBe(3);
    expect(numbers).not.toContain(32_768);
    expect(numbers).not.toContain(32_770);
    const more = await Promise.all(
      Array.from({ length: 20 }, (_, i) => ports.claim(`d${i}`, 'd', [port('0:80')])),
    );
    const all = more.flat().map(({ publishedPort }) => publishedPort);
    expect(new Set([...all, ...numbers]).size).toBe(23);
  });

  it('are held over a restart', async () => {
    const ports = registry();
    ports.hold('c1', 'old', [port('80:80')]);
    await expect(ports.claim('c2', 'new', [port('80:80')])).rejects.toThrow(/by container old/);
  });

  it('need a real host address', async () => {
    await expect(registry().claim('c', 'c', [port('nonsense:80:80')])).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });
});

describe('ports of a task’s service', () => {
  const web = service({
    name: 'web',
    ports: [port('8080:80', 'ingress'), port('9:9/sctp', 'ingress'), port('91:91', 'host')],
    tasks: { t1: {} },
  });

  it('must be free on the host', async () => {
    await expect(
      registry({ 8080: 'nginx (pid 8)' }, [web]).checkIngress(web.serviceId),
    ).rejects.toThrow('port 8080/tcp is already in use on this host by nginx (pid 8)');
    expect((await registry({ 91: 'x', 9: 'x' }, [web]).checkIngress(web.serviceId)).length).toBe(2);
    expect(await registry({ 8080: 'x' }, [web]).checkIngress('another')).toEqual([]);
    expect(await registry({ 8080: 'x' }, [web]).checkIngress('')).toEqual([]);
  });
});
