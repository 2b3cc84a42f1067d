// The root file system of the test image: a static busybox with all its applets, two users, a file in /data.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes a root file system with a static busybox, passwd and group. */
export function writeBusyboxRoot(folder: string): void {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'data', 'run']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  cpSync('/usr/bin/busybox', join(folder, 'bin/busybox'));
  const applets = execFileSync('/usr/bin/busybox', ['--list'], { encoding: 'utf8' });
  for (const applet of applets.trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(folder, 'bin', applet));
  }
  writeFileSync(
    join(folder, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nweb:x:101:102:w:/data:/bin/sh\n',
  );
  writeFileSync(join(folder, 'etc/group'), 'root:x:0:\nadm:x:4:web\nwebs:x:102:\n');
  writeFileSync(join(folder, 'data/from-image'), 'image content\n');
}
