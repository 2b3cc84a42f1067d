// Secrets and configs as files: written to a tmpfs folder of the container's own with the asked-for owner and mode, then bound read-only to their targets.
// They are written anew at each start and go with the run. A missing one is an error that names it; nothing of the data is ever logged.
import { chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { makeFolder } from '../files.ts';
import type { BoundFile } from './bundle-mounts.ts';
import type { Container } from './container.ts';
import type { FileReader, RuntimeDeps } from './deps.ts';
import type { FileReference } from './record.ts';

/** Writes what the record refers to. @returns the binds. @throws failed_precondition when data is not here (yet) */
export async function writeFileReferences(
  container: Container,
  deps: RuntimeDeps,
): Promise<readonly BoundFile[]> {
  const references = container.record.task?.files ?? [];
  if (references.length === 0) return [];
  const reader: FileReader = {
    taskId: container.record.task?.taskId ?? '',
    env: container.record.config.Env,
  };
  const folder = container.paths.secretsDir;
  await makeFolder(folder);
  return Promise.all(
    references.map(async (reference, index): Promise<BoundFile> => {
      const source = join(folder, String(index));
      await writeReference(source, reference, reader, deps);
      return { source, target: reference.target, readonly: true };
    }),
  );
}

async function writeReference(
  path: string,
  reference: FileReference,
  reader: FileReader,
  deps: RuntimeDeps,
): Promise<void> {
  const data = deps.fileSource.read(reference, reader);
  if (!data) {
    throw new TswarmError(
      'failed_precondition',
      `${reference.kind} ${reference.name}: its data is not on this node`,
      { retryable: true, hint: 'It comes from a manager; check that one is in reach.' },
    );
  }
  await writeFile(path, data, { mode: 0o600 });
  await chown(path, reference.uid, reference.gid);
  await chmod(path, reference.mode);
}
