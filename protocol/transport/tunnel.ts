// A connection made of one gRPC stream of ReachPieces, as a Duplex of bytes: what a caller of Reach.Open and a node that answers with Reach.Serve hold.
// Back-pressure goes through both ways. Errors of the call come out as the stream's error, as TswarmError.
import { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';
import * as grpc from '@grpc/grpc-js';
import type { MethodDescriptor } from '#protocol/codec';
import { ReachPiece } from '#protocol/generated/reach';
import { fromServiceError, methodDefinition } from './grpc.ts';

/** gRPC frames are cut so that one connection does not hold up another on the same channel for long. */
const PIECE_BYTES_MAX = 64 * 1024;

/** Opens the stream; `first` says what it is for. Destroying the Duplex cancels the call. */
export function openTunnel(
  channel: grpc.Client,
  method: MethodDescriptor<ReachPiece, ReachPiece>,
  first: Partial<ReachPiece>,
): Duplex {
  const definition = methodDefinition(method as MethodDescriptor<unknown, unknown>);
  const call = channel.makeBidiStreamRequest(
    definition.path,
    definition.requestSerialize,
    definition.responseDeserialize,
    new grpc.Metadata(),
    {},
  ) as grpc.ClientDuplexStream<ReachPiece, ReachPiece>;
  call.write(ReachPiece.create(first));
  let isOver = false;
  const tunnel = new Duplex({
    read: () => call.resume(),
    write: (chunk: Buffer, _encoding, done) => writePieces(call, chunk, done),
    final: (done) => {
      call.end();
      done();
    },
    destroy: (error, done) => {
      // What was written last may be on its way still: only a connection that is not over both ways is cut.
      if (error || !isOver || !tunnel.writableFinished) call.cancel();
      done(error);
    },
  });
  const over = (): void => {
    if (!isOver && !tunnel.destroyed) tunnel.push(null);
    isOver = true;
  };
  call.on('data', ({ data, end }: ReachPiece) => {
    if (isOver || tunnel.destroyed) return;
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    if (bytes.length > 0 && !tunnel.push(bytes)) call.pause();
    if (end) over();
  });
  call.on('end', over);
  call.on('error', (error: grpc.ServiceError) => {
    if (!tunnel.destroyed) tunnel.destroy(fromServiceError(error));
  });
  call.pause();
  return tunnel;
}

function writePieces(
  call: grpc.ClientDuplexStream<ReachPiece, ReachPiece>,
  chunk: Buffer,
  done: (error?: Error | null) => void,
): void {
  let hasRoom = true;
  for (let at = 0; at < chunk.length; at += PIECE_BYTES_MAX) {
    const data = chunk.subarray(at, at + PIECE_BYTES_MAX);
    hasRoom = call.write(ReachPiece.create({ data }));
  }
  if (hasRoom) done();
  else call.once('drain', () => done());
}
