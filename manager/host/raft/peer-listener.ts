// The port on which other managers speak to this member. A caller is heard when its certificate is a
// manager's of this cluster, its node is a known member, and its Raft id belongs to that node; what
// it says must come from that id and be meant for this one. Anything else ends the call, never the
// process. The listener opens with the first identity; a new one counts for new connections, and
// ends only calls whose certificate is not trusted any more.

import type { Http2Server, ServerHttp2Session } from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import { decodeMessages } from '#manager/raft/codec';
import type { Message } from '#manager/raft/types';
import { pemBlocks } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import {
  type PeerFrame,
  type PeerHello,
  PeerNotice,
  RaftTransportService,
  type SnapshotFrame,
  type SnapshotNotice,
} from '#protocol/generated/raft';
import {
  listen,
  MESSAGE_BYTES_MAX,
  methodDefinition,
  replaceServerIdentity,
  serverCredentials,
  toServiceError,
} from '#protocol/transport/grpc';
import { ADDRESS_CHARS_MAX, withSeenHost } from '../places.ts';
import type { Greeting, Judgement } from './greeting.ts';
import {
  CONNECT_TIMEOUT_MAX_MS,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  PEER_WINDOW_BYTES,
} from './limits.ts';
import { checkHello, PEER_MESSAGES, removedError } from './peer-protocol.ts';
import { callingManager, tlsIdentityOf } from './peer-tls.ts';
import type { RaftIdentity } from './raft-node.ts';

type MessageCall = grpc.ServerDuplexStream<PeerFrame, PeerNotice>;
export type SnapshotCall = grpc.ServerDuplexStream<SnapshotFrame, SnapshotNotice>;
type AnyCall = MessageCall | SnapshotCall;

export interface PeerListenerDeps {
  readonly clusterId: string;
  readonly raftId: number;
  /** The node of a member, null for an unknown one. */
  readonly nodeOf: (raftId: number) => string | null;
  readonly judge: (from: number, greeting: Greeting) => Judgement;
  /** A member has called; where it says that it is reached, '' = as known. */
  readonly admitted: (from: number, addr: string) => void;
  /** This member is of an older epoch than the caller. */
  readonly outdated: (by: number) => void;
  readonly receive: (messages: readonly Message[]) => void;
  /** The last stream of messages from this member has ended. */
  readonly lostContact: (from: number) => void;
  readonly snapshot: (call: SnapshotCall, admit: (hello: PeerHello | undefined) => number) => void;
  readonly note: (message: string, values: Readonly<Record<string, string | number>>) => void;
}

/** A caller that was let in; `from` is null before its hello. */
interface Admitted {
  readonly call: AnyCall;
  readonly isMessages: boolean;
  from: number | null;
  /** Of the caller's process; '' when it does not say. */
  instance: string;
}

export class PeerListener {
  readonly #deps: PeerListenerDeps;
  readonly #server: grpc.Server;
  readonly #calls = new Set<Admitted>();
  #credentials: grpc.ServerCredentials | null = null;
  #roots: readonly string[] = [];
  #port: number | null = null;
  #isClosed = false;

  constructor(deps: PeerListenerDeps) {
    this.#deps = deps;
    this.#server = new grpc.Server({
      'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
      'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
      'grpc.max_concurrent_streams': 16,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      'grpc.enable_channelz': 0,
    });
    const { messages, snapshot } = RaftTransportService.methods;
    this.#server.addService(
      { messages: methodDefinition(messages), snapshot: methodDefinition(snapshot) },
      {
        messages: (call: MessageCall) => this.#onMessages(call),
        snapshot: (call: SnapshotCall) => this.#onSnapshot(call),
      },
    );
  }

  get port(): number | null {
    return this.#port;
  }

  /** @throws TswarmError failed_precondition when the address cannot be had */
  async open(address: string, identity: RaftIdentity): Promise<void> {
    this.#roots = identity.roots.flatMap(pemBlocks);
    const tls = tlsIdentityOf(identity);
    if (this.#credentials !== null) {
      replaceServerIdentity(this.#credentials, tls);
      this.#endUntrusted();
      return;
    }
    const credentials = serverCredentials(tls, true);
    this.#credentials = credentials;
    try {
      this.#port = await listen(this.#server, address, credentials);
      widenWindows(this.#server);
    } catch (error) {
      this.#credentials = null;
      throw error;
    }
  }

  /** Name of the process that speaks for a member now. */
  instanceOf(id: number): string | null {
    for (const { from, isMessages, instance } of this.#calls) {
      if (from === id && isMessages && instance !== '') return instance;
    }
    return null;
  }

  close(): void {
    this.#isClosed = true;
    this.#server.forceShutdown();
  }

  /** Ends what a member says that is not known any more. */
  endUnknown(): void {
    for (const { call, from } of this.#calls) {
      if (from === null || this.#deps.nodeOf(from) !== null) continue;
      refuse(call, new TswarmError('unavailable', `member ${from} is not known here`));
    }
  }

  #endUntrusted(): void {
    for (const { call } of this.#calls) {
      try {
        callingManager(call, this.#roots, this.#deps.clusterId);
      } catch (error) {
        refuse(call, error);
      }
    }
  }

  #onMessages(call: MessageCall): void {
    const admitted = this.#register(call, true);
    call.on('data', (frame: PeerFrame) => {
      let messages: readonly Message[] = [];
      try {
        if (admitted.from === null) {
          admitted.from = this.#admit(admitted, frame.hello);
          if (admitted.from !== null) call.write(PeerNotice.create({ accepted: true }));
        } else {
          messages = this.#messagesOf(admitted.from, frame);
        }
      } catch (error) {
        this.#deps.note('ended the stream of a manager', {
          from: admitted.from ?? 0,
          error: String(error),
        });
        call.removeAllListeners('data');
        refuse(call, error);
      }
      // Not above: what the core cannot go on with is no matter of this call.
      if (messages.length > 0) this.#deps.receive(messages);
    });
    call.on('end', () => call.end());
  }

  #onSnapshot(call: SnapshotCall): void {
    const admitted = this.#register(call, false);
    this.#deps.snapshot(call, (hello) => {
      admitted.from = this.#admit(admitted, hello);
      return admitted.from ?? 0;
    });
  }

  #register(call: AnyCall, isMessages: boolean): Admitted {
    const admitted: Admitted = { call, isMessages, from: null, instance: '' };
    this.#calls.add(admitted);
    const greetingTimer = setTimeout(() => {
      if (admitted.from !== null) return;
      refuse(call, new TswarmError('deadline_exceeded', 'no hello in time'));
    }, CONNECT_TIMEOUT_MAX_MS);
    const gone = (): void => {
      clearTimeout(greetingTimer);
      if (this.#calls.delete(admitted)) this.#ended(admitted);
    };
    call.on('cancelled', gone);
    call.on('close', gone);
    call.on('finish', gone);
    // Without a listener an error of the stream would end the process.
    call.on('error', gone);
    return admitted;
  }

  #ended({ from, isMessages }: Admitted): void {
    if (!isMessages || from === null || this.#isClosed) return;
    for (const other of this.#calls) if (other.isMessages && other.from === from) return;
    this.#deps.lostContact(from);
  }

  /** The caller's Raft id; null when it was told to be removed. @throws TswarmError */
  #admit(caller: Admitted, hello: PeerHello | undefined): number | null {
    const { call } = caller;
    const { clusterId, nodeOf, judge, outdated } = this.#deps;
    const { nodeId, address } = callingManager(call, this.#roots, clusterId);
    const greeting = checkHello(hello, this.#deps);
    const from = hello?.from ?? 0;
    const judgement = judge(from, greeting);
    if (judgement === 'removed') {
      call.emit('error', removedError(from));
      return null;
    }
    if (nodeOf(from) !== nodeId) {
      const message = `member ${from} on node ${nodeId} is not known here (yet)`;
      throw new TswarmError('unavailable', message, { retryable: true });
    }
    if (judgement === 'outdated') {
      outdated(from);
      throw new TswarmError('failed_precondition', 'this manager is left over from an older group');
    }
    caller.instance = hello?.instance ?? '';
    this.#refuseSecond(caller, from, nodeId);
    this.#deps.admitted(from, addressSeen(hello?.addr ?? '', address));
    return from;
  }

  /**
   * One disk and a copy of it may not both speak for a member: they would vote twice. Who is here first
   * counts; one that is gone without a word is noticed by the keepalive.
   */
  #refuseSecond({ instance }: Admitted, from: number, nodeId: string): void {
    const first = this.instanceOf(from);
    if (instance === '' || first === null || first === instance) return;
    throw new TswarmError(
      'conflict',
      `another process speaks for manager ${nodeId} already: two hosts have the same identity`,
      {
        retryable: true,
        hint: 'Run `tswarm leave --force` on the copy and let it join anew.',
      },
    );
  }

  #messagesOf(from: number, frame: PeerFrame): readonly Message[] {
    const messages = decodeMessages(frame.messages);
    if (messages === null) {
      throw new TswarmError('invalid_argument', 'the messages cannot be read');
    }
    const { raftId } = this.#deps;
    if (messages.some((message) => message.from !== from || message.to !== raftId)) {
      throw new TswarmError('permission_denied', `a message is not from ${from} to ${raftId}`);
    }
    if (!messages.every(({ type }) => PEER_MESSAGES.has(type))) {
      throw new TswarmError('invalid_argument', 'a message is none of those between members');
    }
    return messages;
  }
}

/**
 * HTTP/2 lets a sender have 64 KiB on the way unless told otherwise, which over a distance of 50 ms
 * is 1 MB/s. grpc-js has an option for that on the calling side only; here its HTTP/2 servers are
 * reached directly.
 */
function widenWindows(server: grpc.Server): void {
  const { http2Servers } = server as unknown as {
    readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
  };
  for (const http2Server of http2Servers.keys()) {
    http2Server.on('session', (session: ServerHttp2Session) => {
      session.settings({ initialWindowSize: PEER_WINDOW_BYTES });
      session.setLocalWindowSize(PEER_WINDOW_BYTES);
    });
  }
}

/** What a caller says of its address, its host as seen from here if it gives none; '' = nothing. */
function addressSeen(addr: string, seen: string): string {
  return /^.+:\d{1,5}$/.test(addr) && addr.length <= ADDRESS_CHARS_MAX
    ? withSeenHost(addr, seen)
    : '';
}

/** Ends a call with an error that the caller understands. */
export function refuse(call: grpc.ServerDuplexStream<unknown, unknown>, error: unknown): void {
  call.emit('error', toServiceError(error));
}
