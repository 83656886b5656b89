import { decodeAdapter } from '@e3va/adapter-core';
import { HubModelError } from '../errors.ts';
import { checkRepo } from '../names.ts';
import { fs, isNode } from '../node.ts';
import { modelCard } from './model-card.ts';
import { checkLicense, type Pushed, type PushOptions, pushFiles, pushSettings } from './push-files.ts';

/** What {@link pushAdapter} publishes, and where. */
export interface PushAdapterOptions extends PushOptions {
  /** Path of the adapter's file. Either this or `bytes`. */
  file?: string;
  /** The adapter's file itself. */
  bytes?: Uint8Array;
  /** Repository of the model that it adapts; for the model card. */
  baseModel?: string;
  /** Identifier of the adapter's licence, such as `apache-2.0`; for the model card. */
  license?: string;
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
export async function pushAdapter(options: PushAdapterOptions): Promise<Pushed> {
  const { repo, baseModel, license } = options;
  if (baseModel !== undefined) checkRepo(baseModel);
  if (license !== undefined) checkLicense(license);
  await pushSettings(options);
  const bytes = await bytesOf(options);
  const { metadata } = decodeAdapter(bytes, options.file ?? 'the adapter');
  return pushFiles({
    message: `Upload an adapter of the method ${metadata.method.name}`,
    ...options,
    files: { [adapterFile]: bytes },
    defaults: { 'README.md': modelCard({ repo, file: adapterFile, baseModel, license }, metadata) },
  });
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
