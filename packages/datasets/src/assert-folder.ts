import { FolderNotFoundError } from './errors.ts';
import { nodeModule } from './node.ts';

/** @throws FolderNotFoundError unless there is a folder of that path. */
export async function assertFolder(directory: string): Promise<void> {
  const { stat } = nodeModule('node:fs/promises');
  const kind = await stat(directory).catch(() => undefined);
  if (kind?.isDirectory()) return;
  throw new FolderNotFoundError({
    what: `there is no folder ${directory}`,
    received: kind ? 'a file' : 'nothing of that name',
    fix: 'check the path; it is relative to the current folder',
  });
}
