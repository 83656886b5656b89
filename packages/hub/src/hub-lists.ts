import { HubNotFoundError, HubResponseError } from './errors.ts';
import { askedOf, type Checksum, checksumOf, type FileId } from './file-id.ts';
import { wholeBody } from './http/chunks.ts';
import { retried } from './http/retry.ts';
import { send } from './http/send.ts';
import { watchStall } from './http/stall-watch.ts';
import { type Asked, statusError } from './http/status-error.ts';
import { isCommit, type ModelId, shown } from './names.ts';
import type { HubSettings } from './settings.ts';

/** Most files that a list is read to. */
const mostFiles = 10_000;

/** Asks a hub for the commit of a branch or tag. */
export async function commitOnHub(settings: HubSettings, { repo, revision }: ModelId): Promise<string> {
  const asked = { repo, what: `${repo} (${revision})` };
  const { value } = await askJson(settings, asked, apiOf(settings, { repo, revision }, 'revision'));
  const sha = (value as { sha?: unknown } | null)?.sha;
  if (typeof sha === 'string' && isCommit(sha)) return sha;
  throw new HubResponseError({
    what: `the server does not tell the commit of ${repo} (${revision})`,
    received: shown(sha),
    fix: 'check that the endpoint is the address of a hub',
  });
}

/** Size and checksum of a file; undefined if the hub does not list it. */
export async function listedFile(
  settings: HubSettings,
  file: FileId,
): Promise<{ size: number; checksum: Checksum } | undefined> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ paths: [file.path] }),
  };
  try {
    const { value } = await askJson(settings, askedOf(file), apiOf(settings, file, 'paths-info'), init);
    const found = entriesOf(value).find(({ type, path }) => type === 'file' && path === file.path);
    const checksum = checksumOf(String(found?.lfs?.oid ?? found?.oid ?? ''));
    const size = found?.lfs?.size ?? found?.size;
    return checksum && Number.isSafeInteger(size) && size! >= 0 ? { size: size!, checksum } : undefined;
  } catch (error) {
    if (error instanceof HubNotFoundError || error instanceof HubResponseError) return undefined;
    throw error;
  }
}

/** Names of the files at the top of a repository. */
export async function filesOnHub(settings: HubSettings, { repo, revision }: ModelId): Promise<string[]> {
  const asked = { repo, what: `the list of files of ${repo}` };
  const names: string[] = [];
  let page: string | undefined = apiOf(settings, { repo, revision }, 'tree');
  while (page !== undefined && names.length < mostFiles) {
    const answer = await askJson(settings, asked, page);
    for (const { type, path } of entriesOf(answer.value)) {
      if (type === 'file' && typeof path === 'string') names.push(path);
    }
    page = nextOf(answer.headers, page);
  }
  return names;
}

function apiOf({ endpoint }: HubSettings, { repo, revision }: ModelId, what: string): string {
  return `${endpoint}/api/models/${repo}/${what}/${encodeURIComponent(revision)}`;
}

/** The next page of a list, if it has one of the same server. */
function nextOf(headers: Headers, page: string): string | undefined {
  const [, target] = /<([^>]+)>\s*;\s*rel="next"/.exec(headers.get('link') ?? '') ?? [];
  if (target === undefined || !URL.canParse(target, page)) return undefined;
  const next = new URL(target, page);
  return next.origin === new URL(page).origin && next.href !== page ? next.href : undefined;
}

interface Entry {
  type?: unknown;
  path?: unknown;
  oid?: unknown;
  size?: number;
  lfs?: { oid?: unknown; size?: number };
}

function entriesOf(value: unknown): Entry[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'object' && entry !== null) : [];
}

async function askJson(settings: HubSettings, asked: Asked, url: string, init?: RequestInit) {
  return retried(settings, async () => {
    const watch = watchStall(settings, asked.what);
    try {
      const { response } = await send(settings, { ...asked, url, watch, ...(init && { init }) });
      if (!response.ok) {
        await response.body?.cancel();
        throw statusError(settings, asked, response);
      }
      const text = await (await wholeBody(settings, response, watch, asked.what)).text();
      return { value: parse(settings, asked, text), headers: response.headers };
    } finally {
      watch.stop();
    }
  });
}

function parse({ endpoint }: HubSettings, { what }: Asked, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HubResponseError(
      {
        what: `what the server answers for ${what} is not what a hub answers`,
        received: shown(text),
        fix: `check that ${endpoint} is the address of a hub`,
      },
      { cause },
    );
  }
}
