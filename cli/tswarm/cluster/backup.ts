// tswarm backup, restore: the state of the cluster as one file. A backup is written beside its name and put in place when it is whole.
import { createReadStream, createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { ClusterInfo } from '#api/cluster/types';
import { TswarmError } from '#protocol/errors';
import type { ApiClient } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { humanSize } from '../../output/human.ts';
import { readSecret } from '../../output/read-secret.ts';

export async function backup(client: ApiClient, file: string): Promise<number> {
  if (file === '-' && process.stdout.isTTY) {
    throw new TswarmError('invalid_argument', 'a backup is not for a terminal', {
      hint: 'Give a file, or send standard output to one.',
    });
  }
  const response = await client.open('GET', '/tswarm/v1/cluster/backup');
  if (file === '-') {
    await pipeline(response, process.stdout, { end: false });
    return EXIT.ok;
  }
  const partial = `${file}.partial`;
  try {
    const out = createWriteStream(partial, { mode: 0o600, flush: true });
    await pipeline(response, out);
    renameSync(partial, file);
    process.stdout.write(
      `Backup of the cluster written to ${file} (${humanSize(out.bytesWritten)}).\n`,
    );
  } catch (error) {
    rmSync(partial, { force: true });
    throw new TswarmError('unavailable', `backup to ${file}: ${(error as Error).message}`);
  }
  process.stdout.write('It holds the keys of the cluster: keep it as safe as a manager.\n');
  return EXIT.ok;
}

export async function restore(
  client: ApiClient,
  file: string,
  flags: {
    readonly advertiseAddr?: string;
    readonly listenAddr?: string;
    readonly unlockKey?: boolean;
  },
): Promise<number> {
  if (!existsSync(file)) throw new TswarmError('not_found', `${file}: no such file`);
  const key = flags.unlockKey ? await readSecret('Enter unlock key: ') : '';
  const response = await client.post<ClusterInfo>('/tswarm/v1/cluster/restore', {
    query: { advertiseAddr: flags.advertiseAddr, listenAddr: flags.listenAddr },
    stream: { data: createReadStream(file), type: 'application/octet-stream' },
    ...(key === '' ? {} : { headers: { 'x-unlock-key': key } }),
  });
  process.stdout.write(
    `Cluster restored: current node (${response.nodeId}) is its only manager.\n\n` +
      `Nodes of the cluster find it when it has an old manager's address; else let each one leave and join again:\n\n` +
      `    tswarm join --token ${response.joinTokens?.worker ?? ''} ${response.controlAddr}\n\n`,
  );
  return EXIT.ok;
}
