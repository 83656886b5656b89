import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import {
  HubAccessError,
  HubDiskError,
  type HubError,
  HubIntegrityError,
  HubNotFoundError,
  HubResponseError,
  HubStallError,
  HubUnavailableError,
  resolveFile,
} from '../src/index.ts';
import { type FakeHub, noise, repo, sha256, type Trouble, token } from './fake-hub.ts';
import { checkCache, filesBelow, optionsFor, startHub } from './helpers.ts';

const weights = noise(300_000);
const part = `${sha256(weights)}.e3va.incomplete`;
const file = { repo, path: 'model.safetensors' };

interface Case {
  name: string;
  trouble: Trouble;
  /** Class and text of the error; none if the file arrives all the same. */
  error?: [new (...args: never[]) => HubError, RegExp];
  /** Whether a part stays that is resumed. */
  keeps?: boolean;
  /** Ranges of the requests for the contents. */
  ranges: (string | undefined)[];
}

const first = undefined; // the range of a request without one
const some = expect.toBeOneOf([first, expect.stringMatching(/^bytes=[1-9]\d*-$/)]) as string;
const cases: Case[] = [
  {
    name: 'a stall once',
    trouble: { kind: 'stall', after: 100_000, times: 1 },
    ranges: [first, 'bytes=100000-'],
  },
  {
    name: 'stalls always',
    trouble: { kind: 'stall' },
    error: [HubStallError, /stalled[\s\S]*0\.4 seconds[\s\S]*stallTimeout/],
    ranges: [first, first, first, first],
  },
  {
    name: 'stalls after some bytes, always',
    trouble: { kind: 'stall', after: 50_000 },
    error: [HubStallError, /stalled/],
    keeps: true,
    ranges: [first, 'bytes=50000-', 'bytes=100000-', 'bytes=150000-'],
  },
  {
    name: 'a body that ends early, twice',
    trouble: { kind: 'truncated', after: 65_536, times: 2 },
    ranges: [first, some, some], // what was on its way when the connection ended may be lost
  },
  {
    name: 'a body that ends early at once, always',
    trouble: { kind: 'truncated' },
    error: [HubUnavailableError, /connection/],
    ranges: [first, first, first, first],
  },
  { name: 'a reset once', trouble: { kind: 'reset', times: 1 }, ranges: [first, first] },
  {
    name: 'other bytes of the right length',
    trouble: { kind: 'garbage' },
    error: [HubIntegrityError, /damaged[\s\S]*checksum/],
    ranges: [first],
  },
  {
    name: 'a web page instead of the contents',
    trouble: { kind: 'html' },
    error: [HubResponseError, /web page/],
    ranges: [first],
  },
  {
    name: 'a web page instead of the headers',
    trouble: { kind: 'html', head: true },
    error: [HubResponseError, /web page/],
    ranges: [],
  },
  {
    name: 'more bytes than announced',
    trouble: { kind: 'oversize' },
    error: [HubResponseError, /another length/],
    ranges: [first],
  },
  {
    name: 'a longer content-length than the hub announces',
    trouble: { kind: 'long-length' },
    error: [HubResponseError, /another length[\s\S]*300000[\s\S]*301000/],
    ranges: [first],
  },
  {
    name: 'a shorter content-length than the hub announces',
    trouble: { kind: 'short-length' },
    error: [HubResponseError, /another length/],
    ranges: [first],
  },
  {
    name: '401',
    trouble: { kind: 'status', status: 401, head: true },
    error: [HubAccessError, /401[\s\S]*set HF_TOKEN/],
    ranges: [],
  },
  {
    name: '403 of a licence',
    trouble: { kind: 'status', status: 403, head: true, headers: { 'x-error-code': 'GatedRepo' } },
    error: [HubAccessError, /403[\s\S]*accept the licence at http:\/\/127\.0\.0\.1:\d+\/org\/model /],
    ranges: [],
  },
  {
    name: '404 of the repository',
    trouble: { kind: 'status', status: 404, head: true, headers: { 'x-error-code': 'RepoNotFound' } },
    error: [HubNotFoundError, /404[\s\S]*check the id/],
    ranges: [],
  },
  {
    name: '404 that says nothing',
    trouble: { kind: 'status', status: 404, head: true },
    error: [HubNotFoundError, /check the id, the revision and the name/],
    ranges: [],
  },
  {
    name: '418',
    trouble: { kind: 'status', status: 418, head: true },
    error: [HubResponseError, /418[\s\S]*HF_ENDPOINT/],
    ranges: [],
  },
  {
    name: '403 at the contents',
    trouble: { kind: 'status', status: 403 },
    error: [HubAccessError, /403/],
    ranges: [first],
  },
  { name: '429 once', trouble: { kind: 'status', status: 429, head: true, times: 1 }, ranges: [first] },
  {
    name: '429 for an hour',
    trouble: { kind: 'status', status: 429, head: true, headers: { 'retry-after': '3600' } },
    error: [HubUnavailableError, /429/],
    ranges: [],
  },
  { name: '500 once', trouble: { kind: 'status', status: 500, head: true, times: 1 }, ranges: [first] },
  {
    name: '503 at the contents, twice',
    trouble: { kind: 'status', status: 503, times: 2 },
    ranges: [first, first, first],
  },
  {
    name: '500 always',
    trouble: { kind: 'status', status: 500, head: true },
    error: [HubUnavailableError, /500[\s\S]*try again later/],
    ranges: [],
  },
  {
    name: 'a file that changes between the headers and the contents, once',
    trouble: { kind: 'changed-etag', times: 1 },
    ranges: [first, first],
  },
  {
    name: 'a file that changes all the time',
    trouble: { kind: 'changed-etag' },
    error: [HubResponseError, /changes while it is downloaded/],
    ranges: [first, first, first],
  },
];

test.each(cases)('$name', async ({ trouble, error, keeps, ranges }) => {
  const hub = await startHub({ 'model.safetensors': weights });
  const options = optionsFor(hub);
  if (trouble.kind === 'stall') options.stallTimeout = 400;
  hub.trouble = { ...trouble };
  const result = resolveFile({ ...file, ...options });
  if (error) {
    const thrown = await result.catch((reason) => reason);
    expect(thrown).toBeInstanceOf(error[0]);
    expect(thrown.name).toBe(error[0].name);
    expect(thrown.message).toMatch(error[1]);
    expect(thrown.message).not.toContain(options.cacheDir);
    expect(checkCache(options.cacheDir, keeps ? [part] : [])).toEqual([]);
  } else {
    expect(readFileSync(await result).equals(weights)).toBe(true);
    expect(checkCache(options.cacheDir)).toEqual([sha256(weights)]);
  }
  expect(hub.downloads().map(({ range }) => range)).toEqual(ranges);

  hub.trouble = undefined; // and afterwards all is well
  expect(readFileSync(await resolveFile({ ...file, ...options })).equals(weights)).toBe(true);
  checkCache(options.cacheDir);
});

const onResume: Case[] = [
  {
    name: 'a wrong range once',
    trouble: { kind: 'wrong-range', times: 1 },
    ranges: ['bytes=100000-', first],
  },
  { name: 'a server that ignores ranges', trouble: { kind: 'ignores-range' }, ranges: ['bytes=100000-'] },
  { name: '416', trouble: { kind: 'range-not-satisfiable', times: 1 }, ranges: ['bytes=100000-', first] },
  {
    name: 'garbage behind a good beginning',
    trouble: { kind: 'garbage', times: 1 },
    ranges: ['bytes=100000-', first],
  },
  {
    name: 'more bytes than announced behind a good beginning',
    trouble: { kind: 'oversize', times: 1 },
    error: [HubResponseError, /another length/],
    ranges: ['bytes=100000-'],
  },
  { name: 'a changed file', trouble: { kind: 'changed-etag', times: 1 }, ranges: ['bytes=100000-', first] },
];

test.each(onResume)('when a download is resumed: $name', async ({ trouble, error, ranges }) => {
  const hub = await startHub({ 'model.safetensors': weights });
  const options = optionsFor(hub);
  await interrupted(hub, options);
  hub.trouble = { ...trouble };
  const result = resolveFile({ ...file, ...options });
  if (error) await expect(result).rejects.toThrow(error[0]);
  else expect(readFileSync(await result).equals(weights)).toBe(true);
  expect(hub.downloads().map(({ range }) => range)).toEqual(ranges);
  expect(checkCache(options.cacheDir)).toEqual(error ? [] : [sha256(weights)]);
});

/** Leaves a part of 100,000 bytes, by an abort. */
async function interrupted(hub: FakeHub, options: ReturnType<typeof optionsFor>): Promise<void> {
  hub.trouble = { kind: 'stall', after: 100_000 };
  const stop = new AbortController();
  const onProgress = ({ received }: { received: number }) => {
    if (received === 100_000) stop.abort(new Error('enough'));
  };
  await expect(
    resolveFile({ ...file, ...options, onProgress, stallTimeout: 20_000, signal: stop.signal }),
  ).rejects.toThrow('enough');
  expect(checkCache(options.cacheDir, [part])).toEqual([]);
  hub.seen.length = 0;
}

test('a hub that asks to wait is waited for', async () => {
  const hub = await startHub({ 'model.safetensors': weights });
  hub.trouble = { kind: 'status', status: 429, head: true, times: 1, headers: { 'retry-after': '1' } };
  const start = Date.now();
  await resolveFile({ ...file, ...optionsFor(hub) });
  expect(Date.now() - start).toBeGreaterThan(900);
});

test('a file that no disk holds is refused before its first byte', async () => {
  const hub = await startHub({ 'model.safetensors': weights });
  hub.headers.size = '900000000000000';
  const options = optionsFor(hub);
  await expect(resolveFile({ ...file, ...options })).rejects.toThrow(HubDiskError);
  expect(hub.downloads()).toEqual([]);
  expect(checkCache(options.cacheDir)).toEqual([]);
});

test.each(['../../evil', '..', '.', 'a/b', 'a\\b', '', 'x'.repeat(300), 'a.incomplete', 'a.lock', 'a b'])(
  'an ETag that is no name of a file is refused: %s',
  async (etag) => {
    const hub = await startHub({ 'model.safetensors': weights });
    hub.headers.etag = etag;
    const options = optionsFor(hub);
    await expect(resolveFile({ ...file, ...options })).rejects.toThrow(HubResponseError);
    expect(filesBelow(options.cacheDir)).toEqual([]);
  },
);

test.each(['', '..', '../x', 'a/b', 'main\n'])('a commit that is none is refused: %j', async (commit) => {
  const hub = await startHub({ 'model.safetensors': weights });
  if (commit === '') hub.headers.commit = false;
  else hub.commit = commit.trimEnd() === commit ? commit : `${commit.trimEnd()} x`;
  const options = optionsFor(hub);
  await expect(resolveFile({ ...file, ...options })).rejects.toThrow(/does not tell the commit/);
  expect(filesBelow(options.cacheDir)).toEqual([]);
});

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serverOf(location: (path: string) => string): Promise<string> {
  const server = createServer(({ url = '' }, response) => {
    response.writeHead(302, { location: location(url) }).end();
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('redirects in a circle and to other protocols end', async () => {
  const hub = await startHub({ 'model.safetensors': weights });
  const options = optionsFor(hub);
  const circle = await serverOf((path) => path);
  await expect(resolveFile({ ...file, ...options, endpoint: circle })).rejects.toThrow(/5 redirects/);
  const other = await serverOf(() => 'file:///etc/passwd');
  await expect(resolveFile({ ...file, ...options, endpoint: other })).rejects.toThrow(/no http or https/);
});

test('redirects of the hub to its own addresses are followed, with the token; to another hub without', async () => {
  const hub = await startHub({ 'model.safetensors': weights });
  const mirror = await serverOf((path) => `${hub.endpoint}${path}`);
  const options = { ...optionsFor(hub), token };
  // the other hub's word for commit and checksum is not the endpoint's
  await expect(resolveFile({ ...file, ...options, endpoint: mirror })).rejects.toThrow(HubResponseError);
  expect(hub.seen.every(({ authorization }) => authorization === undefined)).toBe(true);
  expect(hub.seen.length).toBeGreaterThan(0);
});

test('a token that cannot be a header is refused and not shown', async () => {
  const hub = await startHub({ 'model.safetensors': weights });
  const thrown = await resolveFile({ ...file, ...optionsFor(hub), token: 'hf_sec\nret' }).catch((e) => e);
  expect(thrown.name).toBe('HubSettingError');
  expect(thrown.message).not.toContain('ret');
  for (const endpoint of ['ftp://x', 'nowhere', 'http://u:secret@h', 'http://h/?a=1', '']) {
    const error = await resolveFile({ ...file, ...optionsFor(hub), endpoint }).catch((e) => e);
    expect(error.name).toBe('HubSettingError');
    expect(error.message).not.toContain('secret');
  }
  expect(hub.seen).toEqual([]);
});
