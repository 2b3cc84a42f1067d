// Addresses that no container can have, whatever a network is made with: kernels take them for something else, or the nodes have them among themselves.
// Whoever checks a subnet, of the cluster or of one node, asks here; how prefixes are compared is its own business.

/** What cannot be (a part of) a network's subnet, and what it is. */
export const RESERVED_SUBNETS: readonly {
  /** CIDR. */
  readonly subnet: string;
  readonly what: string;
}[] = [
  { subnet: '0.0.0.0/8', what: 'the unspecified addresses' },
  { subnet: '127.0.0.0/8', what: 'the loopback addresses' },
  { subnet: '169.254.0.0/16', what: 'the link-local addresses' },
  { subnet: '224.0.0.0/3', what: 'the multicast and reserved addresses' },
  { subnet: '::/16', what: 'the unspecified and loopback addresses' },
  { subnet: 'fe80::/10', what: 'the link-local addresses' },
  { subnet: 'ff00::/8', what: 'the multicast addresses' },
  { subnet: 'fd74:7377:6d00::/48', what: 'what nodes have inside the tunnel' },
];

/** Longest prefixes in which a container has room beside the gateway. */
export const SUBNET_LENGTH_MAX = { 4: 30, 6: 126 } as const;
/** Shortest: what is more hides half the Internet from containers. */
export const SUBNET_LENGTH_MIN = 8;
