// Loaded into tswarmd by the tests (NODE_OPTIONS=--import): counts the steps by which the process changes the world outside (files, programs, requests to
// helpers and shims) and kills the process right before a chosen one. The number of the step is in the file that TSWARM_CRASH_POINT names: counted from the
// start on when the file is there already, else from the next SIGUSR2 on. The file tells what became of it: `armed`, then `killed before …`.
import childProcess from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import { promisify } from 'node:util';

const file = process.env.TSWARM_CRASH_POINT ?? '';
const { existsSync, readFileSync, writeFileSync } = fs;
// Programs that this process starts are not counted in.
delete process.env.NODE_OPTIONS;
let countdown = existsSync(file) ? Number(readFileSync(file, 'utf8')) || 0 : 0;

const CHANGES = [
  'appendFile',
  'chmod',
  'chown',
  'lchown',
  'link',
  'mkdir',
  'rename',
  'rm',
  'rmdir',
].concat(['symlink', 'truncate', 'unlink', 'utimes', 'writeFile']);
/** Long arguments tell no more than their beginning. */
const TEXT_MAX = 200;
/** First bytes of a request to a shim: frame type Q, then its flags. */
const SHIM_REQUEST = [0x51, 0];
const SHIM_HEADER_BYTES = 8;

function step(what) {
  if (countdown === 0) return;
  countdown -= 1;
  if (countdown > 0) return;
  writeFileSync(file, `killed before ${what.slice(0, TEXT_MAX)}\n`);
  process.kill(process.pid, 'SIGKILL');
}

function wrap(object, name, describe) {
  const original = object[name];
  object[name] = function wrapped(...args) {
    step(describe(...args));
    return original.apply(this, args);
  };
  // `execFile` has a form of its own for promises.
  const { custom } = promisify;
  if (original[custom]) {
    object[name][custom] = original[custom];
    wrap(object[name], custom, describe);
  }
}

for (const name of CHANGES) {
  const describe = (path, second) => `${name} ${path} ${typeof second === 'string' ? second : ''}`;
  wrap(fs.promises, name, describe);
  wrap(fs, `${name}Sync`, describe);
}
const { open } = fs.promises;
fs.promises.open = async function opened(path, flags, ...rest) {
  const writes = flags !== undefined && flags !== 'r';
  if (writes) step(`open ${path} ${flags}`);
  const handle = await open.call(this, path, flags, ...rest);
  for (const name of writes ? ['writeFile', 'writev', 'truncate', 'chmod'] : []) {
    wrap(handle, name, () => `${name} ${path}`);
  }
  // Also of folders, which are opened for reading.
  for (const name of ['sync', 'datasync']) wrap(handle, name, () => `${name} ${path}`);
  return handle;
};
for (const name of ['spawn', 'execFile']) {
  wrap(childProcess, name, (program, args) => `run ${program} ${args?.join?.(' ')}`);
}
const { write } = Socket.prototype;
Socket.prototype.write = function written(data, ...rest) {
  // A line of JSON to a helper, or a request to a shim; answers to clients change nothing.
  if (typeof data === 'string' && data.startsWith('{"')) step(`ask ${data}`);
  else if (SHIM_REQUEST.every((byte, i) => data?.[i] === byte)) {
    step(`ask ${data.subarray(SHIM_HEADER_BYTES).toString()}`);
  }
  return write.call(this, data, ...rest);
};
syncBuiltinESMExports();

process.on('SIGUSR2', () => {
  countdown = Number(readFileSync(file, 'utf8'));
  writeFileSync(file, 'armed');
});
