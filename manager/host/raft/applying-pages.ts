// Pages of committed entries that the main thread has, oldest first, each with the response that the core waits for. A page is answered once its last entry is
// applied, never before; what a snapshot has replaced is not answered at all.

import type { Message } from '#manager/raft/types';

interface Page {
  readonly lastIndex: number;
  readonly response: Message;
}

export class ApplyingPages {
  #pages: Page[] = [];

  /** The main thread gets one more page. */
  add(page: Page): void {
    this.#pages.push(page);
  }

  /** The main thread has applied everything up to `index`: hands over the responses of the pages that end there or before, oldest first. */
  applied(index: number, respond: (response: Message) => void): void {
    for (;;) {
      const [oldest] = this.#pages;
      if (oldest === undefined || oldest.lastIndex > index) return;
      this.#pages.shift();
      respond(oldest.response);
    }
  }

  /** A snapshot up to `index` stands in their place. */
  replaced(index: number): void {
    this.#pages = this.#pages.filter(({ lastIndex }) => lastIndex > index);
  }
}
