// Entry of the manager process; what it does is in host/process.ts. Sets V8 up first: a small heap
// that is cleaned early, because most of the time a manager is idle beside the containers that the
// host is for; but not --optimize-for-size, which halves the writes per second (figures: DESIGN.md).
import { setFlagsFromString } from 'node:v8';

// Garbage may be a fifth of the heap before it is looked for, instead of up to all of it again.
setFlagsFromString('--heap-growing-percent=20');
setFlagsFromString('--max-semi-space-size=2');
// Only now, so that the flags hold for everything that is loaded.
const { runManagerProcess } = await import('./host/process.ts');
runManagerProcess();
