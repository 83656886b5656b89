import {
  HubAccessError,
  type HubError,
  type HubMissing,
  HubNotFoundError,
  HubResponseError,
  HubUnavailableError,
} from '../errors.ts';
import { shown } from '../names.ts';
import type { HubSettings } from '../settings.ts';

/** What was asked of the hub, for messages. */
export interface Asked {
  /** In words: `config.json of org/name`. */
  what: string;
  /** The repository that it concerns. */
  repo: string;
  /** Whether something is to be changed there. */
  write?: boolean;
}

/** The error for a status that is not one of success. */
export function statusError(
  { endpoint, token }: HubSettings,
  { what, repo, write }: Asked,
  answer: Response,
): HubError {
  const { status } = answer;
  const code = answer.headers.get('x-error-code') ?? '';
  const told = answer.headers.get('x-error-message') ?? answer.statusText;
  const received = `HTTP status ${status}${told === '' ? '' : ` ${shown(told)}`}`;
  const page = `${endpoint}/${repo}`;
  if (write && (status === 401 || status === 403)) {
    const fix = `set HF_TOKEN to a token that may write to ${page}`;
    return new HubAccessError({ what: `the hub does not allow ${what}`, received, fix });
  }
  if (code === 'GatedRepo' || status === 403) {
    const fix = `accept the licence at ${page} and ${token ? 'check that HF_TOKEN is of the same account' : 'set HF_TOKEN'}`;
    return new HubAccessError({ what: `the hub does not give ${what}`, received, fix });
  }
  if (status === 401) {
    const access = token
      ? `check HF_TOKEN: it is wrong, has expired or may not read ${page}`
      : `set HF_TOKEN if ${page} is private`;
    const fix = `${access}; check the id: hubs also answer 401 where there is no such repository`;
    return new HubAccessError({ what: `the hub does not give ${what}`, received, fix });
  }
  if (status === 404 || status === 410) return notFound(endpoint, { what, repo }, code, received);
  if (status === 429 || status >= 500) {
    const retryAfter = secondsOf(answer.headers.get('retry-after'));
    const pause = retryAfter === undefined ? 'later' : `in ${Math.ceil(retryAfter)} seconds`;
    const fix = `try again ${pause}${status === 429 && !token ? ', or set HF_TOKEN: hubs allow more with it' : ''}`;
    return new HubUnavailableError(
      { what: `the hub does not serve ${what} now`, received, fix },
      { retryAfter },
    );
  }
  const fix = `check that ${endpoint} is a hub (HF_ENDPOINT)`;
  return new HubResponseError({ what: `the hub does not give ${what}`, received, fix });
}

function notFound(endpoint: string, { what, repo }: Asked, code: string, received: string): HubNotFoundError {
  const known: Record<string, HubMissing> = {
    RepoNotFound: 'repository',
    RevisionNotFound: 'revision',
    EntryNotFound: 'file',
  };
  const missing = known[code] ?? 'unknown';
  const fix = {
    repository: 'check the id; a private repository also needs HF_TOKEN',
    revision: `check the revision: branches and tags stand at ${endpoint}/${repo}/tree/main`,
    file: `check the name: the files stand at ${endpoint}/${repo}/tree/main`,
    unknown: `check the id, the revision and the name of the file at ${endpoint}/${repo}`,
  }[missing];
  return new HubNotFoundError({ what: `the hub does not have ${what}`, received, fix }, missing);
}

/** Seconds of a Retry-After header: a number, or a date. */
function secondsOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

const noConnection = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** The error for a request or a body that broke: e3va's own and the caller's abort stay as they are. */
export function brokenError(settings: HubSettings, what: string, cause: unknown): unknown {
  const { signal, endpoint } = settings;
  if (signal?.aborted) return signal.reason;
  const below = (
    cause as { cause?: { code?: string; message?: string; errors?: { code?: string }[] } } | null
  )?.cause;
  const code = below?.code ?? below?.errors?.[0]?.code;
  return new HubUnavailableError(
    {
      what: `the connection for ${what} failed`,
      received: code ?? below?.message ?? (cause as Error)?.message ?? String(cause),
      fix: `check the network and the address ${endpoint}; set HF_HUB_OFFLINE=1 to use the cache alone`,
    },
    { cause, unreachable: code !== undefined && noConnection.has(code) },
  );
}
