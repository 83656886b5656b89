import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeSafetensors } from '@e3va/adapter-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noise, repo, token } from './fake-hub.ts';
import { startHub } from './helpers.ts';

const browser = process.env.E3VA_CHROMIUM ?? 'chromium';
const there = spawnSync(browser, ['--version']).status === 0;
if (!there) console.warn(`SKIPPED: there is no ${browser}; name a Chromium by E3VA_CHROMIUM`);

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'e3va-browser-'));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));

/** Bundles the page as an application would. Returns the modules that it leaves to Node, and who asks for them. */
function bundle(): string[] {
  const sources = ['adapter-core', 'highway-grad', 'weight-files'].map(
    (name) => `--alias:@e3va/${name}=${join(root, 'packages', name, 'src/index.ts')}`,
  );
  const meta = join(folder, 'meta.json');
  const page = fileURLToPath(new URL('./browser-page.ts', import.meta.url));
  const flags = [
    '--bundle',
    '--format=esm',
    '--platform=browser',
    '--splitting',
    '--external:node:*',
    '--log-level=error',
  ];
  const args = [page, ...flags, ...sources, `--outdir=${folder}`, `--metafile=${meta}`];
  execFileSync(join(root, 'node_modules/.bin/esbuild'), args, { cwd: root });
  const { inputs } = JSON.parse(readFileSync(meta, 'utf8')) as {
    inputs: Record<string, { imports: { path: string; external?: boolean }[] }>;
  };
  return Object.entries(inputs).flatMap(([from, { imports }]) =>
    imports.filter(({ external }) => external).map(({ path }) => `${from}: ${path}`),
  );
}

/** A page in a browser that opens models as it is told. */
class Page {
  readonly #server: Server;
  #browser: ChildProcess | undefined;
  #asking: ServerResponse | undefined;
  #onAsk: (() => void) | undefined;
  #onResult: ((result: unknown) => void) | undefined;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const { url = '' } = request;
      if (url === '/next') {
        this.#asking = response;
        this.#onAsk?.();
      } else if (url === '/result') {
        let text = '';
        for await (const part of request) text += part;
        response.end();
        this.#onResult?.(JSON.parse(text));
      } else if (url === '/') {
        response.setHeader('content-type', 'text/html');
        response.end('<!doctype html><script type="module" src="/browser-page.js"></script>');
      } else if (/^\/[\w-]+\.js$/.test(url)) {
        response.setHeader('content-type', 'text/javascript');
        response.end(readFileSync(join(folder, url)));
      } else response.writeHead(404).end();
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    const { port } = this.#server.address() as AddressInfo;
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      `--user-data-dir=${join(folder, 'profile')}`,
    ];
    this.#browser = spawn(browser, [...flags, `http://127.0.0.1:${port}/`], {
      stdio: 'ignore',
      detached: true,
    });
    await this.#ready();
  }

  /** Waits until the page asks what to do. */
  async #ready(): Promise<ServerResponse> {
    while (!this.#asking) await new Promise<void>((done) => (this.#onAsk = done));
    const asking = this.#asking;
    return asking;
  }

  async open(source: string, options: object): Promise<Record<string, unknown>> {
    const result = new Promise((done) => (this.#onResult = done));
    await this.#tell({ source, options });
    return (await result) as Record<string, unknown>;
  }

  async reload(): Promise<void> {
    await this.#tell('reload');
    await this.#ready();
  }

  async #tell(command: unknown): Promise<void> {
    const asking = await this.#ready();
    this.#asking = undefined;
    asking.end(JSON.stringify(command));
  }

  async stop(): Promise<void> {
    const child = this.#browser;
    if (child?.pid && child.exitCode === null) {
      const ended = once(child, 'exit');
      process.kill(-child.pid, 'SIGKILL'); // the group of its processes
      await ended;
    }
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const weights = encodeSafetensors({
  a: { shape: [3], data: new Float32Array([1, 2, 3]) },
  big: { shape: [100_000], data: new Float32Array(100_000) },
});
const files = { 'config.json': '{"model_type":"swin"}', 'model.safetensors': weights };

describe.skipIf(!there)('in Chromium', () => {
  const page = new Page();
  let external: string[] = [];
  beforeAll(async () => {
    external = bundle();
    await page.start();
  });
  afterAll(() => page.stop());

  test('nothing of this package and of weight files needs Node in a bundle', () => {
    expect(external.filter((line) => /packages\/(hub|weight-files)\//.test(line))).toEqual([]);
  });

  test('a model is fetched once, verified, and kept over a reload, offline and without network', async () => {
    const hub = await startHub(files);
    hub.redirects = true;
    const options = { endpoint: hub.endpoint, token, retryDelay: 5 };
    const big = new Array(100_000).fill(0);
    const expected = {
      name: repo,
      commit: hub.commit,
      config: { model_type: 'swin' },
      values: { a: [1, 2, 3], big },
      warnings: [],
    };
    expect(await page.open(repo, options)).toEqual({ ...expected, last: weights.byteLength });
    const contents = hub.seen.filter(({ method, host }) => method === 'GET' && host === 'other');
    expect(contents.map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(hub.downloads().filter(({ host }) => host === 'hub')).toHaveLength(2); // config.json, and the redirect

    await page.reload();
    hub.seen.length = 0;
    expect(await page.open(repo, options)).toEqual(expected);
    expect(hub.downloads()).toEqual([]);
    hub.seen.length = 0;
    expect(await page.open(repo, { ...options, offline: true })).toEqual(expected);
    expect(await page.open(`${repo}@${hub.commit}`, options)).toEqual(expected);
    expect(hub.seen).toEqual([]);
    await hub.close();
    const { warnings, ...rest } = await page.open(repo, options);
    expect({ ...rest, warnings: [] }).toEqual(expected);
    expect(warnings).toEqual([expect.stringMatching(/taken from the cache/)]);
  });

  test.each([
    ['garbage', 'HubIntegrityError'],
    ['oversize', 'HubResponseError'],
    ['html', 'HubResponseError'],
    ['truncated', 'HubUnavailableError'],
    ['stall', 'HubStallError'],
  ] as const)('%s is an error, and nothing is kept', async (kind, error) => {
    const hub = await startHub(files);
    const options = { endpoint: hub.endpoint, retryDelay: 5, stallTimeout: 400 };
    hub.trouble = { kind };
    expect(await page.open(repo, options)).toMatchObject({ error });
    expect(await page.open(repo, { ...options, offline: true })).toMatchObject({ error: 'HubOfflineError' });
    hub.trouble = undefined;
    expect(await page.open(repo, options)).toMatchObject({ values: { a: [1, 2, 3] } });
  });

  test('shards, a missing repository, a refusal, a path', async () => {
    const hub = await startHub({
      'model.safetensors.index.json': JSON.stringify({ weight_map: { a: 'one.safetensors' } }),
      'one.safetensors': encodeSafetensors({ a: { shape: [1], data: new Float32Array([7]) } }),
      'noise.bin': noise(9),
    });
    const options = { endpoint: hub.endpoint, retryDelay: 5 };
    expect(await page.open(repo, options)).toMatchObject({ values: { a: [7] } });
    expect(await page.open('org/nothing', options)).toMatchObject({ error: 'HubNotFoundError' });
    expect(await page.open('./model.safetensors', options)).toMatchObject({ error: 'HubModelError' });
    hub.trouble = { kind: 'status', status: 401, head: true };
    expect(await page.open(`${repo}@v1`, options)).toMatchObject({ error: 'HubAccessError' });
  });
});
