// Docker's counters of a container's interfaces, from those of the host's ends: what the container sends, the host's end receives. Pure.
import type { InterfaceStats } from './types.ts';

const NOTHING: InterfaceStats = {
  rx_bytes: 0,
  rx_packets: 0,
  rx_errors: 0,
  rx_dropped: 0,
  tx_bytes: 0,
  tx_packets: 0,
  tx_errors: 0,
  tx_dropped: 0,
};

/** The container's view; zeros when the interface has gone. */
export function containerStats(host: InterfaceStats | undefined): InterfaceStats {
  if (!host) return NOTHING;
  return {
    rx_bytes: host.tx_bytes,
    rx_packets: host.tx_packets,
    rx_errors: host.tx_errors,
    rx_dropped: host.tx_dropped,
    tx_bytes: host.rx_bytes,
    tx_packets: host.rx_packets,
    tx_errors: host.rx_errors,
    tx_dropped: host.rx_dropped,
  };
}
