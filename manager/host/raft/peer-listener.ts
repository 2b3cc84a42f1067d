// The port on which other managers speak to this member. A caller is heard when its certificate is a
// manager's of this cluster, its node is a known member, and its Raft id belongs to that node; what
// it says must come from that id and be meant for this one. Anything else ends the call, never the
// process. The listener opens with the first identity; a new one counts for new connections, and
// ends only calls whose certificate is not trusted any more.
import { decodeMessages } from '#manager/raft/codec';
import type { Message } from '#manager/raft/types';
import { pemBlocks } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import {
  type PeerFrame,
  type PeerHello,
  PeerNotice,
  RaftTransportService,
} from '#protocol/generated/raft';
import { MESSAGE_BYTES_MAX } from '#protocol/transport/grpc';
import { GrpcServer } from '#protocol/transport/grpc-server';
import type { ServerCall } from '#protocol/transport/server-call';
import { ADDRESS_CHARS_MAX, withSeenHost } from '../places.ts';
import type { Greeting, Judgement } from './greeting.ts';
import {
  CONNECT_TIMEOUT_MAX_MS,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  PEER_WINDOW_BYTES,
} from './limits.ts';
import { checkHello, PEER_MESSAGES, refuseRemoved } from './peer-protocol.ts';
import { callingManager, tlsIdentityOf } from './peer-tls.ts';
import type { RaftIdentity } from './raft-node.ts';

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
  readonly snapshot: (call: ServerCall, admit: (hello: PeerHello | undefined) => number) => void;
  readonly note: (message: string, values: Readonly<Record<string, string | number>>) => void;
}

/** A caller that was let in; `from` is null before its hello. */
interface Admitted {
  readonly call: ServerCall;
  readonly isMessages: boolean;
  from: number | null;
  /** Of the caller's process; '' when it does not say. */
  instance: string;
}

export class PeerListener {
  readonly #deps: PeerListenerDeps;
  readonly #server: GrpcServer;
  readonly #calls = new Set<Admitted>();
  #roots: readonly string[] = [];
  #port: number | null = null;
  #isOpen = false;
  #isClosed = false;

  constructor(deps: PeerListenerDeps) {
    this.#deps = deps;
    this.#server = new GrpcServer({
      requestBytesMax: MESSAGE_BYTES_MAX,
      streamsMax: 16,
      keepaliveMs: KEEPALIVE_MS,
      keepaliveTimeoutMs: KEEPALIVE_TIMEOUT_MS,
      // 64 KiB on the way would be 1 MB/s over a distance of 50 ms.
      windowBytes: PEER_WINDOW_BYTES,
    });
    const { messages, snapshot } = RaftTransportService.methods;
    this.#server.addMethod(messages, (call) => this.#onMessages(call));
    this.#server.addMethod(snapshot, (call) => this.#onSnapshot(call));
  }

  get port(): number | null {
    return this.#port;
  }

  /** @throws TswarmError failed_precondition when the address cannot be had */
  async open(address: string, identity: RaftIdentity): Promise<void> {
    this.#roots = identity.roots.flatMap(pemBlocks);
    const tls = tlsIdentityOf(identity);
    if (this.#isOpen) {
      this.#server.useIdentity(tls);
      this.#endUntrusted();
      return;
    }
    this.#isOpen = true;
    try {
      this.#port = await this.#server.listen(address, tls, true);
    } catch (error) {
      this.#isOpen = false;
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
    this.#server.destroy();
  }

  /** Ends what a member says that is not known any more. */
  endUnknown(): void {
    for (const { call, from } of this.#calls) {
      if (from === null || this.#deps.nodeOf(from) !== null) continue;
      call.fail(new TswarmError('unavailable', `member ${from} is not known here`));
    }
  }

  #endUntrusted(): void {
    for (const { call } of this.#calls) {
      try {
        callingManager(call, this.#roots, this.#deps.clusterId);
      } catch (error) {
        call.fail(error);
      }
    }
  }

  #onMessages(call: ServerCall): void {
    const admitted = this.#register(call, true);
    call.on('data', (message) => {
      const frame = message as PeerFrame;
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
        call.fail(error);
      }
      // Not above: what the core cannot go on with is no matter of this call.
      if (messages.length > 0) this.#deps.receive(messages);
    });
    call.on('end', () => call.end());
  }

  #onSnapshot(call: ServerCall): void {
    const admitted = this.#register(call, false);
    this.#deps.snapshot(call, (hello) => {
      admitted.from = this.#admit(admitted, hello);
      return admitted.from ?? 0;
    });
  }

  #register(call: ServerCall, isMessages: boolean): Admitted {
    const admitted: Admitted = { call, isMessages, from: null, instance: '' };
    this.#calls.add(admitted);
    const greetingTimer = setTimeout(() => {
      if (admitted.from !== null) return;
      call.fail(new TswarmError('deadline_exceeded', 'no hello in time'));
    }, CONNECT_TIMEOUT_MAX_MS);
    const gone = (): void => {
      clearTimeout(greetingTimer);
      if (this.#calls.delete(admitted)) this.#ended(admitted);
    };
    call.on('close', gone);
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
      refuseRemoved(call, from);
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

/** What a caller says of its address, its host as seen from here if it gives none; '' = nothing. */
function addressSeen(addr: string, seen: string): string {
  return /^.+:\d{1,5}$/.test(addr) && addr.length <= ADDRESS_CHARS_MAX
    ? withSeenHost(addr, seen)
    : '';
}
