import { HubAccessError, HubNameError, HubSettingError } from '../errors.ts';
import { commitOnHub, listedFile } from '../hub-lists.ts';
import { checkPath, checkRepo, checkRevision, defaultRevision, shown } from '../names.ts';
import { type HubOptions, type HubSettings, settingsOf } from '../settings.ts';
import { viaLibrary } from './library.ts';

/** Where something is published. */
export interface PushOptions extends HubOptions {
  /** `organisation/name`; made if it does not exist. */
  repo: string;
  /** Whether a repository that is made is private; otherwise the organisation decides. */
  private?: boolean;
  /** The branch; default `main`. */
  revision?: string;
  /** Title of the commit. */
  message?: string;
}

/** What {@link pushFiles} publishes, and where. */
export interface PushFilesOptions extends PushOptions {
  /** Contents by path in the repository; what is there under the same path is replaced. */
  files: Readonly<Record<string, Uint8Array | string>>;
  /** The same for files that are uploaded only where the repository has none of that path: a model card. */
  defaults?: Readonly<Record<string, Uint8Array | string>>;
}

/** Where something was published. */
export interface Pushed {
  repo: string;
  commit: string;
  /** Address of the repository's page. */
  url: string;
}

/**
 * Publishes files on a hub in one commit, and makes the repository if there is none. Needs a token that may write. Node only.
 *
 * @throws {@link HubNameError} and {@link HubSettingError} before any request, for bad names and paths and without a token; {@link HubAccessError}
 * if the token may not write.
 *
 * @example
 * ```ts no-run
 * import { readFile } from 'node:fs/promises';
 * import { pushFiles } from '@e3va/hub';
 *
 * const files = { 'model.safetensors': await readFile('model.safetensors') };
 * const { url } = await pushFiles({ repo: 'me/pets', files, defaults: { 'README.md': '# pets' } });
 * ```
 */
export async function pushFiles(options: PushFilesOptions): Promise<Pushed> {
  const { repo, files, defaults = {}, revision = defaultRevision } = options;
  for (const path of [...Object.keys(files), ...Object.keys(defaults)]) checkPath(path);
  const settings = await pushSettings(options);
  const wanted = new Map(Object.entries(files));
  await makeRepo(settings, options);
  for (const [path, content] of Object.entries(defaults)) {
    if (!(await listedFile(settings, { repo, path, revision }))) wanted.set(path, content);
  }
  const asked = { repo, what: `the upload to ${repo}`, write: true };
  const { signal } = settings;
  const result = await viaLibrary(settings, asked, ({ uploadFiles }, common) =>
    uploadFiles({
      repo,
      files: [...wanted].map(([path, content]) => ({ path, content: new Blob([bytesOf(content)]) })),
      commitTitle: options.message ?? `Upload ${[...wanted.keys()].join(', ')}`,
      branch: revision,
      ...common,
      ...(signal && { abortSignal: signal }),
    }),
  );
  return { repo, commit: result?.commit.oid ?? '', url: `${settings.endpoint}/${repo}` };
}

/** @throws what {@link pushFiles} throws before any request. */
export async function pushSettings(options: PushOptions): Promise<HubSettings> {
  const { repo, revision = defaultRevision } = options;
  if (!checkRepo(repo).includes('/')) {
    throw new HubNameError({
      what: 'not a repository to push to',
      expected: "'organisation/name'",
      received: shown(repo),
    });
  }
  checkRevision(revision);
  const settings = await settingsOf(options);
  if (settings.offline) throw refused('the offline mode is on', 'unset HF_HUB_OFFLINE');
  if (settings.token === undefined) throw refused('there is no token', 'set HF_TOKEN to one that may write');
  return settings;
}

/**
 * Checks the identifier of a licence.
 *
 * @throws {@link HubSettingError} if it is none.
 */
export function checkLicense(license: string): void {
  if (/^[a-z0-9][a-z0-9.+-]{0,49}$/.test(license)) return;
  throw new HubSettingError({
    what: 'not the identifier of a licence',
    expected: "one as hubs list them: 'apache-2.0', 'mit', 'cc-by-4.0', 'other'",
    received: shown(license),
  });
}

function bytesOf(content: Uint8Array | string): Uint8Array<ArrayBuffer> | string {
  return typeof content === 'string' ? content : new Uint8Array(content);
}

async function makeRepo(settings: HubSettings, { repo, private: hidden }: PushOptions): Promise<void> {
  const asked = { repo, what: `making the repository ${repo}`, write: true };
  const visibility = hidden === undefined ? undefined : hidden ? 'private' : 'public';
  await viaLibrary(settings, asked, ({ createRepo }, common) =>
    createRepo({
      repo,
      ...common,
      ...(visibility && { visibility }),
      credentials: { accessToken: '' }, // the token is put in by this package's fetch
    }).catch(async (error) => {
      const exists =
        error?.statusCode === 409 || (error instanceof HubAccessError && (await isThere(settings, repo)));
      if (!exists) throw error;
    }),
  );
}

/** Whether a repository exists: tokens may be allowed to write to it, and not to make one. */
async function isThere(settings: HubSettings, repo: string): Promise<boolean> {
  return commitOnHub(settings, { repo, revision: defaultRevision }).then(
    () => true,
    () => false,
  );
}

function refused(received: string, fix: string): HubSettingError {
  return new HubSettingError({ what: 'nothing can be pushed', received, fix });
}
