import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FileWriteError, writeFileAtomic } from './atomic-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'e3va-atomic-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('makes folders, replaces a file, and leaves no temporary name', async () => {
  const path = join(folder, 'a/b/file.bin');
  await writeFileAtomic(path, new Uint8Array([1, 2]));
  await writeFileAtomic(path, 'text');
  expect(await readFile(path, 'utf8')).toBe('text');
  expect(await readdir(join(folder, 'a/b'))).toEqual(['file.bin']);
});

it('names the reason, and keeps the old file', async () => {
  const blocked = join(folder, 'blocked');
  await writeFile(blocked, 'old');
  await expect(writeFileAtomic(join(blocked, 'file'), 'new')).rejects.toThrow(FileWriteError);
  await expect(writeFileAtomic(join(folder, 'a'), 'new')).rejects.toThrow(/a folder has this name/);
  expect(await readFile(blocked, 'utf8')).toBe('old');
  expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

it('says that the disk is full, and keeps the old file', async (context) => {
  const disk = join(folder, 'disk');
  await mkdir(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    console.warn('SKIPPED: a full disk cannot be made here (mounting a tmpfs needs root on Linux)');
    return context.skip();
  }
  try {
    const path = join(disk, 'file');
    await writeFileAtomic(path, 'old');
    await expect(writeFileAtomic(path, new Uint8Array(1_000_000))).rejects.toThrow(
      /no space left on the disk/,
    );
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(disk)).toEqual(['file']);
  } finally {
    execFileSync('umount', [disk]);
  }
});
