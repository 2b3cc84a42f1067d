// Why a connection to an address could not be made, in words: codes of Node's sockets and of its name
// lookups. Who says so adds from where it was tried, and what to do. Other codes stay as they are.

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'the host is not reachable',
  ENETUNREACH: 'there is no route to it',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up',
};

/** `code` of an error of node:net, in words. */
export function reachErrorText(code: string): string {
  return WORDS[code] ?? code;
}
