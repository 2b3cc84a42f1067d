// tcompose: the program that is started. It answers for its version at once, as scripts and editors ask for that; everything else is in program.ts. What V8 has compiled is
// kept beside the installed modules, where only those may write who may change the program itself; without that right it is compiled anew each time.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

const [word, ...more] = process.argv.slice(2);
const asksVersion = more.length === 0 && (word === 'version' || word === '--version');

if (import.meta.main && asksVersion) {
  process.exitCode = await (await import('./version.ts')).version({});
} else if (import.meta.main) {
  const { dirname } = import.meta;
  const root = join(dirname, dirname.endsWith('dist/cli/tcompose') ? '../../..' : '../..');
  enableCompileCache(join(root, 'node_modules/.cache/tswarm'));
  await (await import('./program.ts')).runTcompose();
}
