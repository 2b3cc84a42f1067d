// One command in a running container, to its end: health checks and hooks. Nobody is attached; the beginning of its output is kept for the person who looks why it failed.
import { INSIDE_OUTPUT_BYTES_MAX } from '../limits.ts';
import type { Run } from './container.ts';
import type { OciProcess } from './oci.ts';
import type { ExitInfo } from './shim-client.ts';

export interface InsideResult {
  /** -1 when its end is not known: the container went first. */
  readonly exitCode: number;
  /** Both streams, cut after INSIDE_OUTPUT_BYTES_MAX. */
  readonly output: string;
  /** It was killed because of `timeoutMs` or `signal`. */
  readonly wasCut: boolean;
}

/** Runs it. @throws TswarmError when it cannot be started */
export async function runInside(
  run: Run,
  process: OciProcess,
  limit: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
): Promise<InsideResult> {
  const stream = await run.shim.exec({ process, stdin: false, detach: false });
  let wasCut = false;
  const cut = (): void => {
    wasCut = true;
    killProcess(stream.pid);
  };
  const { timeoutMs, signal } = limit;
  const timer = timeoutMs === undefined ? undefined : setTimeout(cut, timeoutMs);
  signal?.addEventListener('abort', cut);
  try {
    if (signal?.aborted) cut();
    const output = await readOutput(stream.output);
    const exit: ExitInfo | undefined = await stream.exit;
    return { exitCode: exit?.exitCode ?? -1, output, wasCut };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cut);
  }
}

/** Host pid of an exec that is still connected, so that the number cannot mean another process. */
function killProcess(pid: number): void {
  if (pid <= 1) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended in this moment.
  }
}

async function readOutput(output: AsyncIterable<{ readonly data: Uint8Array }>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const { data } of output) {
    if (bytes < INSIDE_OUTPUT_BYTES_MAX) {
      text += decoder.decode(data.subarray(0, INSIDE_OUTPUT_BYTES_MAX - bytes), { stream: true });
    }
    bytes += data.length;
  }
  return text;
}
