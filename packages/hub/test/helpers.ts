import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import type { HubOptions } from '../src/index.ts';
import { type FakeHub, fakeHub, gitSha, sha256 } from './fake-hub.ts';

const folders: string[] = [];
const hubs: FakeHub[] = [];

afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder that goes after the test. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'e3va-hub-'));
  folders.push(folder);
  return folder;
}

/** A hub that goes after the test. */
export async function startHub(files: Record<string, Uint8Array | string>): Promise<FakeHub> {
  const hub = await fakeHub(files);
  hubs.push(hub);
  return hub;
}

/** Options of a test: its own cache, short times, nothing of the environment. */
export function optionsFor(hub: FakeHub, cacheDir = emptyFolder()): HubOptions & { cacheDir: string } {
  return {
    endpoint: hub.endpoint,
    cacheDir,
    token: false,
    offline: false,
    stallTimeout: 10_000, // tests of stalls have their own
    retryDelay: 5,
    onWarning: (message) => warnings.push(message),
  };
}

/** Warnings of the options above. */
export const warnings: string[] = [];
afterEach(() => {
  warnings.length = 0;
});

/** All files below a folder, links not followed. */
export function filesBelow(folder: string, prefix = ''): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const name = join(prefix, entry.name);
    return entry.isDirectory() ? filesBelow(folder, name) : [name];
  });
}

/** Asserts that a cache holds whole blobs, links to them and refs, and these parts of blobs; returns the names of the blobs. */
export function checkCache(cacheDir: string, parts: string[] = []): string[] {
  const blobs: string[] = [];
  const found: string[] = [];
  for (const name of filesBelow(cacheDir)) {
    const [repo, kind, ...rest] = name.split('/');
    expect(repo).toBe('models--org--model');
    const file = join(cacheDir, name);
    if (kind === 'blobs' && rest[0]!.endsWith('.incomplete')) found.push(rest[0]!);
    else if (kind === 'blobs') {
      const bytes = readFileSync(file);
      expect([sha256(bytes), gitSha(bytes)]).toContain(rest[0]);
      blobs.push(rest[0]!);
    } else if (kind === 'snapshots') {
      expect(lstatSync(file).isSymbolicLink()).toBe(true);
      expect(readlinkSync(file)).toMatch(/^(\.\.\/)+blobs\/[0-9a-f]+$/);
      readFileSync(file);
    } else
      expect([kind, readFileSync(file, 'utf8')]).toEqual(['refs', expect.stringMatching(/^[0-9a-f]{40}$/)]);
  }
  expect(found).toEqual(parts);
  return blobs;
}
