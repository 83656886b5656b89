import { type AdapterMetadata, decodeAdapter } from '@e3va/adapter-core';
import { HubAccessError, HubModelError, HubNameError, HubSettingError } from '../errors.ts';
import { commitOnHub, listedFile } from '../hub-lists.ts';
import { checkRepo, checkRevision, defaultRevision, shown } from '../names.ts';
import { fs, isNode } from '../node.ts';
import { type HubOptions, type HubSettings, settingsOf } from '../settings.ts';
import { viaLibrary } from './library.ts';
import { modelCard } from './model-card.ts';

/** What {@link pushAdapter} publishes, and where. */
export interface PushAdapterOptions extends HubOptions {
  /** `organisation/name`; made if it does not exist. */
  repo: string;
  /** Path of the adapter's file. Either this or `bytes`. */
  file?: string;
  /** The adapter's file itself. */
  bytes?: Uint8Array;
  /** Repository of the model that it adapts; for the model card. */
  baseModel?: string;
  /** Identifier of the adapter's licence, such as `apache-2.0`; for the model card. */
  license?: string;
  /** Whether a repository that is made is private; otherwise the organisation decides. */
  private?: boolean;
  /** The branch; default `main`. */
  revision?: string;
  /** Title of the commit. */
  message?: string;
}

/** Where an adapter was published. */
export interface PushedAdapter {
  repo: string;
  commit: string;
  /** Address of the repository's page. */
  url: string;
}

/** Name of an adapter's file in a repository. */
export const adapterFile = 'adapter.safetensors';

/**
 * Publishes an adapter on a hub: its file as `adapter.safetensors`, and a model card if the repository has none. Needs a token that may
 * write. Node only.
 *
 * @throws {@link HubNameError}, {@link HubSettingError}, `AdapterFileError` and `SafetensorsError` of `@e3va/adapter-core` before any
 * request, for bad names, without a token, and for what is no adapter; {@link HubAccessError} if the token may not write.
 *
 * @example
 * ```ts no-run
 * import { pushAdapter } from '@e3va/hub';
 *
 * const { url } = await pushAdapter({
 *   repo: 'me/swin-tiny-pets',
 *   file: 'adapter.safetensors',
 *   baseModel: 'microsoft/swin-tiny-patch4-window7-224',
 *   license: 'apache-2.0',
 * });
 * ```
 */
export async function pushAdapter(options: PushAdapterOptions): Promise<PushedAdapter> {
  const { repo, baseModel, license, revision = defaultRevision } = options;
  if (!checkRepo(repo).includes('/')) {
    throw new HubNameError({
      what: 'not a repository to push to',
      expected: "'organisation/name'",
      received: shown(repo),
    });
  }
  if (baseModel !== undefined) checkRepo(baseModel);
  if (license !== undefined) checkLicense(license);
  checkRevision(revision);
  const settings = await settingsOf(options);
  if (settings.offline) throw refused('the offline mode is on', 'unset HF_HUB_OFFLINE');
  if (settings.token === undefined) throw refused('there is no token', 'set HF_TOKEN to one that may write');
  const bytes = await bytesOf(options);
  const { metadata } = decodeAdapter(bytes, options.file ?? 'the adapter');
  await makeRepo(settings, options);
  const commit = await upload(settings, options, revision, bytes, metadata);
  return { repo, commit, url: `${settings.endpoint}/${repo}` };
}

async function bytesOf({ file, bytes }: PushAdapterOptions): Promise<Uint8Array> {
  if ((file === undefined) === (bytes === undefined)) {
    throw new HubModelError({ what: 'nothing to push, or two things', expected: 'either file or bytes' });
  }
  if (bytes) return bytes;
  try {
    if (isNode()) return new Uint8Array(await fs().readFile(file!));
  } catch (cause) {
    const received = (cause as Error).message;
    throw new HubModelError({ what: `${file} cannot be read`, received, fix: 'check the path' }, { cause });
  }
  throw new HubModelError({ what: 'a browser cannot read a path', fix: 'pass bytes' });
}

async function makeRepo(settings: HubSettings, { repo, private: hidden }: PushAdapterOptions): Promise<void> {
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

async function upload(
  settings: HubSettings,
  { repo, baseModel, license, message }: PushAdapterOptions,
  revision: string,
  bytes: Uint8Array,
  metadata: AdapterMetadata,
): Promise<string> {
  const asked = { repo, what: `the upload to ${repo}`, write: true };
  const files = [{ path: adapterFile, content: new Blob([new Uint8Array(bytes)]) }];
  if (!(await listedFile(settings, { repo, path: 'README.md', revision }))) {
    const card = modelCard({ repo, file: adapterFile, baseModel, license }, metadata);
    files.push({ path: 'README.md', content: new Blob([card]) });
  }
  const commitTitle = message ?? `Upload an adapter of the method ${metadata.method.name}`;
  const { signal } = settings;
  const result = await viaLibrary(settings, asked, ({ uploadFiles }, common) =>
    uploadFiles({
      repo,
      files,
      commitTitle,
      branch: revision,
      ...common,
      ...(signal && { abortSignal: signal }),
    }),
  );
  return result?.commit.oid ?? '';
}

function checkLicense(license: string): void {
  if (/^[a-z0-9][a-z0-9.+-]{0,49}$/.test(license)) return;
  throw new HubSettingError({
    what: 'not the identifier of a licence',
    expected: "one as hubs list them: 'apache-2.0', 'mit', 'cc-by-4.0', 'other'",
    received: shown(license),
  });
}

function refused(received: string, fix: string): HubSettingError {
  return new HubSettingError({ what: 'an adapter cannot be pushed', received, fix });
}
