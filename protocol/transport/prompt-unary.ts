// Unary calls without waiting that grpc-js does for streams' sake. By itself it runs a handler when
// the caller has closed its side, which may come in a packet of its own; and it sends the status
// when the message has left, a turn of the event loop later, while the caller waits for it. A
// unary request is whole with its one message, and message and status go out together: here both
// happen at once. A second message is still refused. Streams keep grpc-js's back-pressure.
import * as grpc from '@grpc/grpc-js';

type Call = grpc.ServerInterceptingCallInterface;
type Listener = Parameters<Call['start']>[0];

/** For `interceptors` of a server. */
export const promptUnary: grpc.ServerInterceptor = (method, call) =>
  method.requestStream || method.responseStream
    ? // Left as it is; the type names the class that others derive from, and nobody asks for it.
      (call as grpc.ServerInterceptingCall)
    : new PromptUnaryCall(call);

class PromptUnaryCall extends grpc.ServerInterceptingCall {
  readonly #call: Call;
  /** The HTTP/2 stream, where grpc-js's own calls have it: `peer.ts` asks its connection. */
  readonly stream: unknown;

  constructor(call: Call) {
    super(call);
    this.#call = call;
    this.stream = (call as { readonly stream?: unknown }).stream;
  }

  override start(listener: Listener): void {
    let isWhole = false;
    const whole = (): void => {
      if (isWhole) return;
      isWhole = true;
      listener.onReceiveHalfClose();
    };
    this.#call.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => {
        listener.onReceiveMessage(message);
        whole();
      },
      onReceiveHalfClose: whole,
      onCancel: () => listener.onCancel(),
    });
  }

  /** `sent` is where the status follows; a message that cannot be sent has ended the call by then. */
  override sendMessage(message: unknown, sent: () => void): void {
    this.#call.sendMessage(message, () => undefined);
    sent();
  }
}
