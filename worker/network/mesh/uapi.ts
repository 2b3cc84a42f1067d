// WireGuard's cross-platform configuration protocol (wireguard.com/xplatform): the text that wireguard-go speaks on its socket. Pure.
import { TswarmError } from '#protocol/errors';
import type { DeviceChange, DevicePeer, DeviceState, PeerChange } from './wireguard.ts';

export const GET_REQUEST = 'get=1\n\n';

/** @param publicKeyOf public key (base64) of a private one (hex) */
export function parseGet(text: string, publicKeyOf: (privateHex: string) => string): DeviceState {
  const errno = Number(/^errno=(-?\d+)$/m.exec(text)?.[1] ?? '-1');
  if (errno !== 0) throw refused('read', errno);
  let publicKey = '';
  let listenPort = 0;
  const peers = new Map<string, DevicePeer>();
  let current: { key: string; peer: MutablePeer } | undefined;
  const finish = (): void => {
    if (current) peers.set(current.key, current.peer);
  };
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    const [name, value] = [line.slice(0, at), line.slice(at + 1)];
    if (name === 'private_key') publicKey = publicKeyOf(value);
    else if (name === 'listen_port') listenPort = Number(value);
    else if (name === 'public_key') {
      finish();
      current = { key: Buffer.from(value, 'hex').toString('base64'), peer: newPeer() };
    } else if (current) setPeer(current.peer, name, value);
  }
  finish();
  return { publicKey, listenPort, peers };
}

interface MutablePeer {
  endpoint: string;
  readonly allowedIps: string[];
  handshakeMs: number;
  receivedBytes: number;
  sentBytes: number;
}

function newPeer(): MutablePeer {
  return { endpoint: '', allowedIps: [], handshakeMs: 0, receivedBytes: 0, sentBytes: 0 };
}

function setPeer(peer: MutablePeer, name: string, value: string): void {
  if (name === 'endpoint') peer.endpoint = value;
  else if (name === 'allowed_ip') peer.allowedIps.push(value);
  else if (name === 'last_handshake_time_sec') peer.handshakeMs += Number(value) * 1000;
  else if (name === 'last_handshake_time_nsec') {
    peer.handshakeMs += Math.floor(Number(value) / 1_000_000);
  } else if (name === 'rx_bytes') peer.receivedBytes = Number(value);
  else if (name === 'tx_bytes') peer.sentBytes = Number(value);
}

export function setRequest(change: DeviceChange): string {
  const lines = ['set=1'];
  if (change.privateKey !== undefined) lines.push(`private_key=${hexKey(change.privateKey)}`);
  if (change.listenPort !== undefined) lines.push(`listen_port=${change.listenPort}`);
  for (const peer of change.peers) lines.push(...peerLines(peer));
  return `${lines.join('\n')}\n\n`;
}

function peerLines(peer: PeerChange): string[] {
  const lines = [`public_key=${hexKey(peer.publicKey)}`];
  if (peer.remove) return [...lines, 'remove=true'];
  if (peer.endpoint !== undefined) lines.push(`endpoint=${peer.endpoint}`);
  if (peer.keepaliveSeconds !== undefined) {
    lines.push(`persistent_keepalive_interval=${peer.keepaliveSeconds}`);
  }
  if (peer.replaceAllowedIps) lines.push('replace_allowed_ips=true');
  return [...lines, ...(peer.addAllowedIps ?? []).map((ip) => `allowed_ip=${ip}`)];
}

/** @throws TswarmError when the device refused */
export function checkSet(answer: string, change: DeviceChange): void {
  const errno = Number(/^errno=(-?\d+)$/m.exec(answer)?.[1] ?? '-1');
  if (errno === 0) return;
  // EADDRINUSE, negative or not by version.
  if (Math.abs(errno) === 98 && change.listenPort !== undefined) {
    throw new TswarmError('failed_precondition', `UDP port ${change.listenPort} is in use`, {
      hint: 'Choose another port for the mesh of this node (--mesh-port).',
    });
  }
  throw refused('configuration', errno);
}

function refused(what: string, errno: number): TswarmError {
  return new TswarmError('internal', `wireguard-go: ${what} failed (error ${errno})`, {
    retryable: true,
  });
}

function hexKey(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex');
}
