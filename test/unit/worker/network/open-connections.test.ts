// Which rows of the kernel's TCP tables count as connections that a stopping container still has to finish. Rows as Linux writes them (proc(5)).
import { describe, expect, it } from 'vitest';
import { countOpen, countPackets, listeningPorts } from '#worker/network/open-connections';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const row = (local: string, remote: string, state: string): string =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 4 1 0\n`;
const listen = row('00000000:1F90', '00000000:0000', '0A');
const remote = '0500000A:C001';

describe('open connections', () => {
  it.each([
    ['established', '01', 1],
    ['closed by us with data on the way', '04', 1],
    ['closed by the client, answer to come', '08', 1],
    ['last data', '09', 1],
    ['in TIME_WAIT', '06', 0],
    ['half open', '03', 1],
  ])('%s: %s counts %i', (_, state, count) => {
    expect(countOpen(HEAD + listen + row('0400000A:1F90', remote, state))).toBe(count);
  });

  it('does not count what the container opened itself, nor its own health checks', () => {
    const own = row('0400000A:D431', '0500000A:0050', '01');
    const health = row('0100007F:1F90', '0100007F:C002', '01');
    expect(countOpen(HEAD + listen + own + health)).toBe(0);
  });

  it('counts IPv6 and IPv4 clients of an IPv6 socket', () => {
    const zero = '0'.repeat(32);
    const mapped = '0000000000000000FFFF00000500000A';
    const loopback = '0000000000000000FFFF00000100007F';
    const table = [
      row(`${zero}:0050`, `${zero}:0000`, '0A'),
      row(`${mapped}:0050`, `${mapped}:C001`, '01'),
      row('000000FD000000000000000004000000:0050', '000000FD000000000000000005000000:C001', '01'),
      row(`${loopback}:0050`, `${loopback}:C001`, '01'),
      row('00000000000000000000000001000000:0050', '00000000000000000000000001000000:C003', '01'),
    ];
    expect(countOpen(HEAD + table.join(''))).toBe(2);
  });

  it('is none when nothing listens or there is no table', () => {
    expect(countOpen('')).toBe(0);
    expect(countOpen(HEAD + row('0400000A:1F90', remote, '01'))).toBe(0);
  });
});

describe('ports on which a container listens', () => {
  it('are those that others can reach, in either family', () => {
    const zero = '0'.repeat(32);
    const table = [
      listen,
      row(`${zero}:0050`, `${zero}:0000`, '0A'),
      row('0100007F:2328', '00000000:0000', '0A'),
      row('00000000000000000000000001000000:2329', `${zero}:0000`, '0A'),
      row('0400000A:D431', '0500000A:0051', '01'),
    ];
    expect([...listeningPorts(HEAD + table.join(''))]).toEqual([8080, 80]);
  });
});

describe('packets', () => {
  it('are those in and out of all interfaces but the loopback', () => {
    const table = [
      'Inter-|   Receive                                                |  Transmit',
      ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
      '    lo:     900      9    0    0    0     0          0         0      900      9    0    0    0     0       0          0',
      '  eth0:    1300     13    0    0    0     0          0         0      700      7    0    0    0     0       0          0',
      '  eth1:       0      1    0    0    0     0          0         0        0      2    0    0    0     0       0          0',
    ];
    expect(countPackets(`${table.join('\n')}\n`)).toBe(23);
    expect(countPackets('')).toBe(0);
  });
});
