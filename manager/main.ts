// Entry of the manager process; what it does is in host/process.ts. Sets V8 up first: a heap that does
// not grow to a multiple of what is alive, because most of the time a manager is idle beside the
// containers that the host is for; but not --optimize-for-size, which halves the writes per second,
// nor a collection for every fifth of the heap, which costs 50 µs of processor time per write
// (figures: DESIGN.md).
import { setFlagsFromString } from 'node:v8';

// As much garbage as live objects before it is looked for, instead of up to four times as much.
setFlagsFromString('--heap-growing-percent=100');
// Of threads that are started from here on: this one has its semi-spaces already.
setFlagsFromString('--max-semi-space-size=2');
// Only now, so that the flags hold for everything that is loaded.
const { runManagerProcess } = await import('./host/process.ts');
runManagerProcess();
