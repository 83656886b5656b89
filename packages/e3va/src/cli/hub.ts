import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { writeFileAtomic } from '@e3va/adapter-core';
import { pullAdapter, pushAdapter } from '@e3va/hub';
import { pullRun } from '../publish/pull-run.ts';
import { pushRun } from '../publish/push-run.ts';

/** What `e3va push` may be told. */
interface PushFlags {
  run: string | undefined;
  file: string | undefined;
  license: string | undefined;
  private: boolean | undefined;
}

/** Publishes a run, or the file of an adapter; gives the address of its page. */
export async function push(
  repo: string,
  { run, file, license, private: hidden }: PushFlags,
): Promise<string> {
  const options = {
    repo,
    ...(license !== undefined && { license }),
    ...(hidden && { private: true }),
  };
  if (file === undefined) return (await pushRun(run ?? 'runs/latest', options)).url;
  return (await pushAdapter({ ...options, file })).url;
}

/** Gets a published run, or the file of an adapter; gives what was written. */
export async function pull(id: string, out: string | undefined, adapter: boolean): Promise<string> {
  const name = basename(id.split('@')[0]!);
  if (!adapter) {
    const dir = out ?? join('runs', name);
    await pullRun(id, dir);
    return dir;
  }
  const file = out ?? `${name}.safetensors`;
  await writeFileAtomic(file, await readFile(await pullAdapter(id)));
  return file;
}
