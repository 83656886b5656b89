import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a server does wrong with the contents of files. Each is used up after its `times`; default always. */
export interface Trouble {
  kind:
    | 'stall'
    | 'truncated'
    | 'reset'
    | 'garbage'
    | 'html'
    | 'oversize'
    | 'long-length'
    | 'short-length'
    | 'wrong-range'
    | 'ignores-range'
    | 'range-not-satisfiable'
    | 'changed-etag'
    | 'status';
  /** Of status. */
  status?: number;
  /** What an address must contain; of status. */
  only?: string;
  headers?: Record<string, string>;
  /** Whether HEAD requests are concerned too; of status and html. */
  head?: boolean;
  times?: number;
  /** Bytes that are sent before the trouble begins. */
  after?: number;
}

export interface Seen {
  method: string;
  /** Path and query. */
  url: string;
  /** `hub` or `other`: the host that large files are redirected to. */
  host: string;
  range: string | undefined;
  authorization: string | undefined;
}

export interface FakeHub {
  endpoint: string;
  seen: Seen[];
  /** Contents by path of the only repository `org/model`; large ones (see lfs) are known by their SHA-256. */
  files: Map<string, Uint8Array>;
  lfs: Set<string>;
  commit: string;
  trouble: Trouble | undefined;
  /** Whether large files are redirected to another host. */
  redirects: boolean;
  /** Whether the answer carries a header; for servers that tell less. */
  headers: { linked: boolean; commit: boolean; etag: string | undefined; size: string | undefined };
  /** Whether the server sends Access-Control headers and the lists. */
  lists: boolean;
  /** Milliseconds between pieces of 64 KiB. */
  delay: number;
  /** Requests for contents: GET of a file at a host that sends it. */
  downloads(): Seen[];
  /** What was pushed. */
  pushed: { created: unknown[]; commits: Record<string, unknown>[]; lfs: Map<string, Uint8Array> };
  close(): Promise<void>;
}

export const repo = 'org/model';
export const token = 'hf_abcdefghijklmnop';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const gitSha = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.byteLength}\0`).update(bytes).digest('hex');

/** Bytes that look like nothing, the same for the same seed. */
export function noise(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** A server on the loopback that plays a hub with one repository, and a second one that plays its storage. */
export async function fakeHub(files: Record<string, Uint8Array | string>): Promise<FakeHub> {
  const contents = new Map(
    Object.entries(files).map(([path, data]) => [path, typeof data === 'string' ? Buffer.from(data) : data]),
  );
  const own = createServer((request, response) => answer(request, response, 'hub'));
  const other = createServer((request, response) => answer(request, response, 'other'));
  await Promise.all(
    [own, other].map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done))),
  );
  const address = (server: typeof own) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const hub: FakeHub = {
    endpoint: address(own),
    seen: [],
    files: contents,
    lfs: new Set([...contents].filter(([, data]) => data.byteLength >= 4096).map(([path]) => path)),
    commit: 'c0ffee'.padEnd(40, '0'),
    trouble: undefined,
    redirects: false,
    headers: { linked: true, commit: true, etag: undefined, size: undefined },
    lists: true,
    delay: 0,
    downloads: () =>
      hub.seen.filter(({ method, url }) => method === 'GET' && /\/resolve\/|\/storage\//.test(url)),
    pushed: { created: [], commits: [], lfs: new Map() },
    close: async () => {
      for (const server of [own, other]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };

  function answer(request: IncomingMessage, response: ServerResponse, host: string): void {
    const { method = '', url = '', headers } = request;
    hub.seen.push({ method, url, host, range: headers.range, authorization: headers.authorization });
    response.on('error', () => {});
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-allow-headers', '*');
    response.setHeader('access-control-expose-headers', '*');
    if (method === 'OPTIONS') return void response.end();
    const path = decodeURIComponent(new URL(url, hub.endpoint).pathname);
    const file =
      /^\/storage\/(.+)$/.exec(path)?.[1] ?? /^\/org\/model\/resolve\/[^/]+\/(.+)$/.exec(path)?.[1];
    if (file) sendFile(request, response, host, file);
    else void sendApi(request, response, path);
  }

  /** Whether a trouble is on; uses it up once. */
  function troubled(head: boolean, ...kinds: Trouble['kind'][]): Trouble | undefined {
    const { trouble } = hub;
    if (!trouble || !kinds.includes(trouble.kind) || (head && !trouble.head)) return undefined;
    if (trouble.times !== undefined && trouble.times-- <= 0) return undefined;
    return trouble;
  }

  function sendFile(request: IncomingMessage, response: ServerResponse, host: string, path: string): void {
    const head = request.method === 'HEAD';
    if (host === 'hub') {
      const refused = troubled(head, 'status');
      if (refused && request.url!.includes(refused.only ?? '')) {
        response.writeHead(refused.status!, refused.headers).end(head ? undefined : 'no');
        return;
      }
      if (!request.url!.includes('/org/model/') || !/\/resolve\/(main|v1|c0ffee0+)\//.test(request.url!)) {
        response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end();
        return;
      }
    }
    const data = hub.files.get(path);
    if (!data) {
      response
        .writeHead(404, { 'x-error-code': 'EntryNotFound', 'x-error-message': 'Entry not found' })
        .end();
      return;
    }
    if (troubled(head, 'html')) {
      response
        .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
        .end('<html>Please log in</html>');
      return;
    }
    const large = hub.lfs.has(path);
    const changed = troubled(head, 'changed-etag') ? noise(9) : data;
    const etag = hub.headers.etag ?? (large ? sha256(changed) : gitSha(changed));
    if (host === 'hub') {
      if (hub.headers.commit) response.setHeader('x-repo-commit', hub.commit);
      if (large && hub.headers.linked) {
        response.setHeader('x-linked-etag', `"${etag}"`);
        response.setHeader('x-linked-size', hub.headers.size ?? String(data.byteLength));
      }
      if (large && hub.redirects) {
        response
          .writeHead(302, { location: `${address(other)}/storage/${path}`, etag: '"of the redirect"' })
          .end();
        return;
      }
    }
    response.setHeader('etag', host === 'other' ? '"of the storage"' : `"${etag}"`);
    response.setHeader(
      'content-type',
      path.endsWith('.json') ? 'application/json' : 'application/octet-stream',
    );
    if (head)
      return void response.writeHead(200, { 'content-length': hub.headers.size ?? data.byteLength }).end();
    void sendBody(request, response, data);
  }

  async function sendBody(
    request: IncomingMessage,
    response: ServerResponse,
    data: Uint8Array,
  ): Promise<void> {
    const range = troubled(false, 'ignores-range') ? undefined : request.headers.range;
    const from = range ? Number(/^bytes=(\d+)-$/.exec(range)![1]) : 0;
    const unsatisfiable = range !== undefined && troubled(false, 'range-not-satisfiable');
    if (unsatisfiable || from > data.byteLength) return void response.writeHead(416).end();
    let body = data.subarray(from);
    const wrong = range !== undefined && troubled(false, 'wrong-range');
    if (range) {
      const start = wrong ? Math.max(0, from - 10) : from;
      if (wrong) body = data.subarray(start);
      response.setHeader('content-range', `bytes ${start}-${data.byteLength - 1}/${data.byteLength}`);
    }
    response.statusCode = range ? 206 : 200;
    if (troubled(false, 'garbage')) body = noise(body.byteLength, 99);
    const oversize = troubled(false, 'oversize');
    if (oversize) body = Buffer.concat([body, noise(1_000_000)]);
    const long = troubled(false, 'long-length');
    const short = troubled(false, 'short-length');
    const length = body.byteLength + (long ? 1000 : 0) - (short ? 1000 : 0);
    if (!oversize) response.setHeader('content-length', length); // oversize: in chunks, so that nothing tells it
    const broken = troubled(false, 'stall', 'truncated', 'reset');
    const end = broken ? Math.min(broken.after ?? 0, body.byteLength) : short ? length : body.byteLength;
    for (let at = 0; at < end; at += 65536) {
      const piece = body.subarray(at, Math.min(end, at + 65536));
      await new Promise((done) => response.write(piece, done));
      if (hub.delay > 0) await new Promise((done) => setTimeout(done, hub.delay));
      if (response.destroyed) return;
    }
    if (broken && end > 0) await new Promise((done) => setTimeout(done, 30)); // let the bytes arrive
    if (broken?.kind === 'stall') {
      response.flushHeaders();
      return;
    }
    if (broken?.kind === 'reset') return void response.socket?.resetAndDestroy();
    if (broken?.kind === 'truncated') return void response.destroy();
    response.end();
  }

  async function sendApi(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const json = (value: unknown, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    const refused = troubled(true, 'status');
    if (refused && path.includes(refused.only ?? ''))
      return void response.writeHead(refused.status!, refused.headers).end();
    const entry = (name: string) => {
      const data = hub.files.get(name)!;
      const lfs = hub.lfs.has(name) && { oid: sha256(data), size: data.byteLength, pointerSize: 134 };
      return { type: 'file', path: name, size: data.byteLength, oid: gitSha(data), ...(lfs && { lfs }) };
    };
    if (hub.lists && /^\/api\/models\/org\/model\/revision\/(main|HEAD|v1|c0ffee0+)$/.test(path)) {
      return json({ _id: '1', id: repo, modelId: repo, sha: hub.commit, private: false, tags: [] });
    }
    if (hub.lists && path.startsWith('/api/models/org/model/paths-info/')) {
      const { paths } = JSON.parse(body.toString()) as { paths: string[] };
      return json(paths.filter((name) => hub.files.has(name)).map(entry));
    }
    if (hub.lists && path.startsWith('/api/models/org/model/tree/'))
      return json([...hub.files.keys()].map(entry));
    if (path === '/api/repos/create') {
      hub.pushed.created.push(JSON.parse(body.toString()));
      const exists = hub.pushed.created.length > 1;
      return json(
        exists ? { error: 'You already created this model repo' } : { url: '', id: '1' },
        exists ? 409 : 200,
      );
    }
    if (path.includes('/preupload/')) {
      const { files: asked } = JSON.parse(body.toString()) as { files: { path: string }[] };
      const mode = (name: string) => (name.endsWith('.safetensors') ? 'lfs' : 'regular');
      return json({
        files: asked.map((file) => ({ path: file.path, uploadMode: mode(file.path), shouldIgnore: false })),
      });
    }
    if (path.endsWith('.git/info/lfs/objects/batch')) {
      const { objects } = JSON.parse(body.toString()) as { objects: { oid: string; size: number }[] };
      const upload = (oid: string) => ({ upload: { href: `${address(other)}/lfs/${oid}` } });
      return json({ transfer: 'basic', objects: objects.map((o) => ({ ...o, actions: upload(o.oid) })) });
    }
    if (path.startsWith('/lfs/') && request.method === 'PUT') {
      hub.pushed.lfs.set(path.slice(5), body);
      return void response.end();
    }
    if (path.includes('/commit/')) {
      const lines = body.toString().trim().split('\n');
      hub.pushed.commits.push(...lines.map((line) => JSON.parse(line) as Record<string, unknown>));
      return json({ success: true, commitOid: hub.commit, commitUrl: `${hub.endpoint}/x`, hookOutput: '' });
    }
    const code = path.startsWith('/api/models/org/model/') ? {} : { 'x-error-code': 'RepoNotFound' };
    response.writeHead(404, code).end();
  }

  return hub;
}
