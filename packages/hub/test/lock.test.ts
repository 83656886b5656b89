import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from '../src/cache/lock.ts';
import { emptyFolder, filesBelow } from './helpers.ts';

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

test('one at a time, and nothing is left', async () => {
  const file = join(emptyFolder(), 'x.lock');
  let inside = 0;
  let most = 0;
  const results = await Promise.all(
    [1, 2, 3, 4].map((n) =>
      withLock(file, async ({ check }) => {
        most = Math.max(most, ++inside);
        await pause(20);
        await check();
        inside--;
        return n;
      }),
    ),
  );
  expect(results).toEqual([1, 2, 3, 4]);
  expect(most).toBe(1);
  expect(existsSync(file)).toBe(false);
});

test('an error frees the lock; an abort ends the wait', async () => {
  const file = join(emptyFolder(), 'x.lock');
  await expect(withLock(file, () => Promise.reject(new Error('inside')))).rejects.toThrow('inside');
  expect(existsSync(file)).toBe(false);
  await withLock(file, async () => {
    await expect(withLock(file, async () => {}, AbortSignal.timeout(50))).rejects.toThrow(/timeout/i);
  });
});

test('the lock of a dead process is taken over at once, by one of those that wait', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const folder = emptyFolder();
  const file = join(folder, 'x.lock');
  writeFileSync(file, JSON.stringify({ pid: child.pid, host: hostname(), id: 'dead' }));
  let inside = 0;
  const start = Date.now();
  await Promise.all(
    [1, 2, 3].map(() =>
      withLock(file, async () => {
        expect(++inside).toBe(1);
        await pause(20);
        inside--;
      }),
    ),
  );
  expect(Date.now() - start).toBeLessThan(5000);
  expect(filesBelow(folder)).toEqual([]);
});

test.each(['{"pid":1,"host":"elsewhere","id":"x"}', 'no lock of ours', ''])(
  'a lock without a sign of life is taken over, one with is not: %j',
  async (text) => {
    const file = join(emptyFolder(), 'x.lock');
    writeFileSync(file, text);
    await expect(withLock(file, async () => {}, AbortSignal.timeout(300))).rejects.toThrow(/timeout/i);
    expect(readFileSync(file, 'utf8')).toBe(text);
    utimesSync(file, Date.now() / 1000 - 60, Date.now() / 1000 - 60);
    expect(await withLock(file, async () => 'mine')).toBe('mine');
  },
);

test('the owner gives signs of life, and notices when the lock was taken over', async () => {
  const file = join(emptyFolder(), 'x.lock');
  await withLock(file, async () => {
    utimesSync(file, 1e9, 1e9);
    await pause(2300);
    expect(Date.now() - statSync(file).mtimeMs).toBeLessThan(2500);
  });
  const other = JSON.stringify({ pid: 1, host: 'elsewhere', id: 'other' });
  await withLock(file, async ({ check }) => {
    await pause(10);
    writeFileSync(file, other);
    const { now } = Date;
    Date.now = () => now() + 60_000; // as after a sleep of the machine
    try {
      await expect(check()).rejects.toThrow(/taken over/);
    } finally {
      Date.now = now;
    }
  });
  expect(readFileSync(file, 'utf8')).toBe(other);
});
