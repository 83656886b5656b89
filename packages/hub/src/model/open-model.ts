import { openWeights, type WeightFile } from '@e3va/weight-files';
import { HubModelError, HubUnavailableError } from '../errors.ts';
import { isRepo, type ModelId, parseModelId, shown } from '../names.ts';
import { fs, isNode, path } from '../node.ts';
import { type HubOptions, type HubSettings, settingsOf } from '../settings.ts';
import { webError } from '../web/web-file.ts';
import { chooseWeights, usualNames } from './choose-weights.ts';
import { folderStore, hubStore, type ModelStore } from './model-store.ts';
import { readConfig } from './read-config.ts';

/** Options of {@link openModel}. */
export interface OpenModelOptions extends HubOptions {
  /** Branch, tag or commit hash, if the model id names none; default `main`. */
  revision?: string;
  /** Which file of the folder or repository holds the weights; needed where it has several under unusual names. */
  file?: string;
}

/** A model as it was published: its configuration and its open weights. */
export interface ModelFiles {
  /** The repository, or the name of the folder or file. */
  readonly name: string;
  /** The commit of the hub; undefined for what lies on this machine. */
  readonly commit: string | undefined;
  /** The contents of config.json, if there is one. */
  readonly config: Record<string, unknown> | undefined;
  /** The weights. */
  readonly weights: WeightFile;
  /** Closes the weights; reading is an error afterwards. */
  close(): Promise<void>;
}

/**
 * Opens the weights of a model and its config.json.
 *
 * - `organisation/name` or `organisation/name@revision`: a model on a hub. In Node its files come into the cache that Python shares,
 *   see {@link resolveFile}; in browsers into Cache Storage. Either way once, verified, and usable offline afterwards.
 * - A folder with weights and perhaps a config.json.
 * - A weight file; a config.json beside it belongs to it if the file has the name that `save_pretrained` gives it.
 * - An address of `http:`, `https:`, `data:` or `blob:`: weights alone.
 *
 * What exists as a path is one; so is what begins with `.`, `/` or `~`, or ends as weight files do. Of the weights, `model.safetensors`
 * is preferred, then its index with several files, then `pytorch_model.bin` and its index, then the only `.safetensors` or `.pth`
 * file.
 *
 * @throws {@link HubModelError} if there is no such model, or no weights in it; the errors of {@link resolveFile};
 * `WeightFileError` of `@e3va/weight-files` if the weights are damaged.
 *
 * @example
 * ```ts no-run
 * import { openModel } from '@e3va/hub';
 *
 * const model = await openModel('microsoft/swin-tiny-patch4-window7-224');
 * console.log(model.config?.model_type, model.weights.entries.size);
 * await model.close();
 * ```
 */
export async function openModel(source: string | URL, options: OpenModelOptions = {}): Promise<ModelFiles> {
  const settings = await settingsOf(options);
  const { file, revision } = options;
  const text = String(source);
  if (/^(https?|data|blob):/i.test(text)) return openStore(addressStore(text), settings, text);
  const local = isNode() ? await localStore(source, file) : undefined;
  if (local) return openStore(local.store, settings, local.file);
  if (isPath(text) || !isRepo(text.split('@')[0]!)) throw nothing(text);
  const id = parseModelId(revision === undefined || text.includes('@') ? text : `${text}@${revision}`);
  try {
    return await openRemote(settings, id, file);
  } catch (cause) {
    throw webError(cause);
  }
}

/**
 * Opens a model as {@link openModel} does, and closes it after use, also on an error.
 *
 * @param use What is done with it.
 * @returns What `use` gives.
 *
 * @example
 * ```ts no-run
 * import { withModel } from '@e3va/hub';
 *
 * const tensors = await withModel('facebook/dinov2-small', {}, async ({ weights }) => weights.entries.size);
 * ```
 */
export async function withModel<T>(
  source: string | URL,
  options: OpenModelOptions,
  use: (files: ModelFiles) => Promise<T>,
): Promise<T> {
  const files = await openModel(source, options);
  try {
    return await use(files);
  } finally {
    await files.close();
  }
}

/** Opens a model of a hub; what the cache has, if the hub cannot be reached. */
async function openRemote(settings: HubSettings, id: ModelId, file?: string): Promise<ModelFiles> {
  try {
    return await openStore(hubStore(settings, id), settings, file);
  } catch (error) {
    if (!(error instanceof HubUnavailableError) || settings.offline) throw error;
    const cached = { ...settings, offline: true };
    const model = await openStore(hubStore(cached, id), cached, file).catch(() => {
      throw error;
    });
    settings.warn(`${error.parts.what}: ${id.repo} is taken from the cache (commit ${model.commit}).`);
    return model;
  }
}

async function openStore(store: ModelStore, settings: HubSettings, file?: string): Promise<ModelFiles> {
  const config = await readConfig(store);
  const chosen = await chooseWeights(store, file);
  const folder = chosen.file.replace(/[^/]*$/, '');
  const beside = async (name: string) => (await chooseWeights(store, folder + name)).origin;
  const { signal } = settings;
  const name = chosen.file === store.name ? store.name : `${store.name} (${chosen.file})`;
  const weights = await openWeights(chosen.origin, { name, beside, ...(signal && { signal }) });
  return { name: store.name, commit: store.commit, config, weights, close: () => weights.close() };
}

/** A folder or file of this machine; undefined if there is none. */
async function localStore(
  source: string | URL,
  given?: string,
): Promise<{ store: ModelStore; file: string | undefined } | undefined> {
  const text = String(source);
  const place = /^file:/i.test(text) ? fileOf(text) : text;
  if (place === '' || place.includes('\0')) return undefined;
  const stat = await fs()
    .stat(place)
    .catch(() => undefined);
  if (stat?.isDirectory()) return { store: folderStore(place), file: given };
  if (!stat) return undefined;
  const { dirname, basename } = path();
  const file = basename(place);
  const store = folderStore(dirname(place));
  const configured = usualNames.includes(file);
  const get: ModelStore['get'] = async (name) =>
    name === 'config.json' && !configured ? undefined : store.get(name);
  return { store: { ...store, name: file, get }, file };
}

function fileOf(address: string): string {
  const { pathname } = new URL(address);
  return decodeURIComponent(process.platform === 'win32' ? pathname.slice(1) : pathname);
}

/** Weights at an address, alone. */
function addressStore(address: string): ModelStore {
  const name = /^data:/i.test(address) ? 'data address' : address;
  const at = (file: string) => (file === address ? address : new URL(file, address).href);
  return {
    name,
    commit: undefined,
    offline: false,
    has: async () => false,
    get: async (file) => (file === 'config.json' ? undefined : at(file)),
    list: async () => [],
  };
}

/** Whether a text is meant as a path or file, and not as a model of a hub. */
function isPath(text: string): boolean {
  return /^[./~\\]|^[A-Za-z]:|\\|^file:|\.(safetensors|pth?|bin|ckpt|pkl|json|h5|keras|npz)$/i.test(text);
}

function nothing(text: string): HubModelError {
  return new HubModelError({
    what: 'there is no such file, folder or model',
    expected: "a path that exists, or a model id such as 'microsoft/swin-tiny-patch4-window7-224'",
    received: shown(text),
    fix: 'check the path or id',
  });
}
