// Ctrl-C of a verb that has something to end first.
import { EXIT } from '../output/fail.ts';

/** Ctrl-C and SIGTERM as something to ask and to wait for; a third one ends the process at once. */
export class Interrupt {
  count = 0;
  #listener: (() => void) | undefined;
  readonly #handler = (): void => {
    this.count += 1;
    if (this.count > 2) process.exit(EXIT.interrupted);
    this.#listener?.();
  };

  constructor() {
    process.on('SIGINT', this.#handler).on('SIGTERM', this.#handler);
  }

  /** The listener for the next interruption; replaces the one before. */
  onInterrupt(listener: () => void): void {
    this.#listener = listener;
  }

  dispose(): void {
    process.off('SIGINT', this.#handler).off('SIGTERM', this.#handler);
  }
}
