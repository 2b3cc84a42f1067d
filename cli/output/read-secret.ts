// Reads a secret from the terminal without showing it, or from standard input. A secret is never taken from the command line, where others see it.
import { createInterface } from 'node:readline';
import { TswarmError } from '#protocol/errors';

/** A line without echo from a terminal; else all of standard input. */
export async function readSecret(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    let text = '';
    for await (const chunk of stdin) text += String(chunk);
    return text.trim();
  }
  stderr.write(prompt);
  // An output that shows nothing of what is typed.
  const lines = createInterface({ input: stdin, terminal: true, historySize: 0 });
  return new Promise((resolve, reject) => {
    lines.on('SIGINT', () => {
      lines.close();
      reject(new TswarmError('cancelled', 'cancelled'));
    });
    lines.on('line', (line) => {
      lines.close();
      stderr.write('\n');
      resolve(line.trim());
    });
  });
}
