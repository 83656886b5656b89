import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ByteOrigin, nameOf, openBytes } from './byte-source.ts';
import { WeightFileError } from './errors.ts';

const content = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
let folder: string;
let server: Server;
let address: string;

const answers: Record<string, RequestListener> = {
  '/whole': (_, response) => response.end(content),
  '/missing': (_, response) => response.writeHead(404).end('no'),
  '/cut': (_, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write(content.subarray(0, 10));
    setTimeout(() => response.destroy(), 20);
  },
  '/stalled': (_, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write(content.subarray(0, 10));
  },
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'e3va-bytes-'));
  writeFileSync(join(folder, 'a b#c.bin'), content);
  server = createServer((request, response) => answers[request.url!]?.(request, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  rmSync(folder, { recursive: true });
  server.closeAllConnections();
  server.close();
});

describe('every origin gives the same bytes, in memory of their own', () => {
  const origins: Record<string, () => ByteOrigin> = {
    'a path': () => join(folder, 'a b#c.bin'),
    'a file address': () => pathToFileURL(join(folder, 'a b#c.bin')),
    'a file address as text': () => pathToFileURL(join(folder, 'a b#c.bin')).href,
    'an http address': () => `${address}/whole`,
    'a data address': () => `data:;base64,${Buffer.from(content).toString('base64')}`,
    'a Blob': () => new Blob([content]),
    'a Uint8Array': () => new Uint8Array([9, ...content]).subarray(1),
    'a Buffer': () => Buffer.from(content),
  };
  it.each(Object.keys(origins))('%s', async (kind) => {
    const origin = origins[kind]!();
    const bytes = await openBytes(origin);
    expect(bytes.size).toBe(1000);
    const part = await bytes.read(300, 8);
    expect([...part]).toEqual([...content.subarray(300, 308)]);
    expect(part.buffer.byteLength).toBe(8);
    part.fill(0);
    expect((await bytes.read(300, 1))[0]).toBe(content[300]);
    expect((await bytes.read(1000, 0)).length).toBe(0);
    await expect(bytes.read(999, 2)).rejects.toThrow(/cut short/);
    await expect(bytes.read(-1, 2)).rejects.toThrow(WeightFileError);
    await bytes.close();
    await bytes.close();
    await expect(bytes.read(0, 1)).rejects.toThrow(/closed/);
  });
});

it('a File lends its name, and a path is one', async () => {
  expect((await openBytes(new File([content], 'mine.bin'))).name).toBe('mine.bin');
  expect((await openBytes(new Blob([content]))).name).toBe('weights');
  expect((await openBytes(content, 'given')).name).toBe('given');
  expect(nameOf('https://me:secret@host/a/b?signature=1#c')).toBe('https://host/a/b');
  expect(nameOf(new URL('http://host/'))).toBe('http://host/');
  expect(nameOf('a/b?c@d')).toBe('a/b?c@d');
  expect((await openBytes('data:,abc')).name).toBe('data address');
});

it('a link is followed', async () => {
  symlinkSync('a b#c.bin', join(folder, 'link'));
  const bytes = await openBytes(join(folder, 'link'));
  expect(bytes.size).toBe(1000);
  await bytes.close();
});

it('a file that shrinks while it is read', async () => {
  const path = join(folder, 'shrinks');
  writeFileSync(path, content);
  const bytes = await openBytes(path);
  truncateSync(path, 500);
  expect((await bytes.read(0, 500)).length).toBe(500);
  await expect(bytes.read(400, 200)).rejects.toThrow(/became shorter/);
  await bytes.close();
});

it.each<[string, () => ByteOrigin, RegExp]>([
  ['no file', () => join(folder, 'none'), /ENOENT/],
  ['a folder', () => folder, /is no file/],
  ['a device', () => '/dev/zero', /is no file/],
  ['no server', () => 'http://127.0.0.1:1/x', /cannot be read/],
  ['status 404', () => `${address}/missing`, /HTTP status 404/],
  ['a connection that ends', () => `${address}/cut`, /cannot be read/],
  ['nothing', () => undefined as never, /cannot be opened/],
  ['a number', () => 5 as never, /cannot be opened/],
])('%s is an error', async (_, origin, message) => {
  const error = await openBytes(origin(), 'it').catch((e) => e);
  expect(error).toBeInstanceOf(WeightFileError);
  expect(error.message).toMatch(message);
});

it('a download ends when it is told to', async () => {
  const stop = AbortSignal.timeout(50);
  await expect(openBytes(`${address}/stalled`, 'it', stop)).rejects.toThrow(WeightFileError);
});
