import { HubSettingError } from './errors.ts';
import { codeOf, fs, isNode, os, path } from './node.ts';

/** How far a download has come. */
export interface HubProgress {
  /** Path in the repository. */
  file: string;
  /** Bytes that are here, those of an earlier run included. */
  received: number;
  /** Bytes in all. */
  total: number;
}

/** How a hub is talked to. What is not given comes from the environment, as Python's `huggingface_hub` reads it. */
export interface HubOptions {
  /** Address of the hub; otherwise `HF_ENDPOINT`, otherwise `https://huggingface.co`. */
  endpoint?: string;
  /**
   * Token for private models and those with a licence to accept; otherwise `HF_TOKEN`, otherwise the file `$HF_HOME/token`. `false`
   * sends none. It goes to the endpoint alone, and not to the hosts it redirects to.
   */
  token?: string | false;
  /** Folder of the cache; otherwise `HF_HUB_CACHE`, otherwise `$HF_HOME/hub`, otherwise `~/.cache/huggingface/hub`. */
  cacheDir?: string;
  /** Whether to make no request and take what the cache has; otherwise `HF_HUB_OFFLINE`. */
  offline?: boolean;
  /** Called whenever bytes have come. */
  onProgress?: (progress: HubProgress) => void;
  /** Called when a file of the cache is used because the hub does not answer, and the like; otherwise `console.warn`, once. */
  onWarning?: (message: string) => void;
  /** Milliseconds without a byte after which a connection is given up; default 30,000. */
  stallTimeout?: number;
  /** Milliseconds before the first further try; twice as many before the next. Default 1,000. There are three further tries. */
  retryDelay?: number;
  /** Ends the download; what is there stays and is resumed next time. */
  signal?: AbortSignal;
}

/** Options and environment together. */
export interface HubSettings {
  endpoint: string;
  token: string | undefined;
  cacheDir: string;
  offline: boolean;
  onProgress: (progress: HubProgress) => void;
  warn: (message: string) => void;
  stallTimeout: number;
  retryDelay: number;
  signal: AbortSignal | undefined;
}

/**
 * Reads the options and the environment.
 *
 * @throws {@link HubSettingError} if a setting is none.
 */
export async function settingsOf(options: HubOptions): Promise<HubSettings> {
  const home = isNode() ? homeOf() : '';
  return {
    endpoint: endpointOf(options.endpoint ?? env('HF_ENDPOINT') ?? 'https://huggingface.co'),
    token: await tokenOf(options.token, home),
    cacheDir: isNode() ? cacheOf(options.cacheDir, home) : '',
    offline: options.offline ?? isTrue(env('HF_HUB_OFFLINE') ?? env('TRANSFORMERS_OFFLINE')),
    onProgress: options.onProgress ?? (() => {}),
    warn: options.onWarning ?? warnOnce,
    stallTimeout: milliseconds('stallTimeout', options.stallTimeout ?? 30_000),
    retryDelay: milliseconds('retryDelay', options.retryDelay ?? 1_000),
    signal: options.signal,
  };
}

function env(name: string): string | undefined {
  const value = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[
    name
  ];
  return value === '' ? undefined : value;
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '');
}

const warned = new Set<string>();

function warnOnce(message: string): void {
  if (warned.has(message)) return;
  warned.add(message);
  console.warn(message);
}

function endpointOf(address: string): string {
  try {
    const url = new URL(address);
    if (/^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash) {
      return url.href.replace(/\/+$/, '');
    }
  } catch {
    // the error below says it
  }
  throw new HubSettingError({
    what: 'the address of the hub is none',
    expected: "'https://huggingface.co' or another http or https address without user, query and fragment",
    received: `'${address.replace(/\/\/[^/@]*@/, '//…@')}'`, // whatever stands before the @ may be a password
    fix: 'set HF_ENDPOINT or the option endpoint',
  });
}

async function tokenOf(given: string | false | undefined, home: string): Promise<string | undefined> {
  if (given === false) return undefined;
  const implicit = !isTrue(env('HF_HUB_DISABLE_IMPLICIT_TOKEN'));
  const found =
    given ??
    (implicit ? (env('HF_TOKEN') ?? env('HUGGING_FACE_HUB_TOKEN') ?? (await tokenFile(home))) : undefined);
  const token = found?.trim();
  if (token === undefined || token === '') return undefined;
  if (/^[\x21-\x7e]{1,512}$/.test(token)) return token;
  throw new HubSettingError({
    what: 'the token for the hub cannot be sent', // and is not shown
    expected: 'letters, digits and signs of ASCII without spaces, at most 512',
    received: `${token.length} characters`,
    fix: 'set HF_TOKEN to a token from the settings of your account',
  });
}

async function tokenFile(home: string): Promise<string | undefined> {
  if (!isNode()) return undefined;
  try {
    return await fs().readFile(env('HF_TOKEN_PATH') ?? path().join(home, 'token'), 'utf8');
  } catch (error) {
    if (/^(ENOENT|ENOTDIR|EACCES|EISDIR)$/.test(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

function homeOf(): string {
  const { join } = path();
  const parent = env('XDG_CACHE_HOME') ?? join(os().homedir(), '.cache');
  return expanded(env('HF_HOME') ?? join(parent, 'huggingface'));
}

function cacheOf(given: string | undefined, home: string): string {
  const folder = given ?? env('HF_HUB_CACHE') ?? env('HUGGINGFACE_HUB_CACHE') ?? path().join(home, 'hub');
  if (folder !== '' && !folder.includes('\0')) return path().resolve(expanded(folder));
  throw new HubSettingError({ what: 'the folder of the cache has no name', fix: 'set HF_HOME' });
}

function expanded(folder: string): string {
  return folder.replace(/^~(?=$|[/\\])/, () => os().homedir());
}

function milliseconds(name: string, value: number): number {
  if (Number.isFinite(value) && value >= 0 && value < 2 ** 31) return value;
  throw new HubSettingError({
    what: `${name} is no time`,
    expected: 'milliseconds',
    received: String(value),
  });
}
