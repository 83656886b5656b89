import { HubSettingError } from '../errors.ts';
import { chooseWeights } from '../model/choose-weights.ts';
import { hubStore } from '../model/model-store.ts';
import { parseModelId } from '../names.ts';
import { isNode } from '../node.ts';
import { type HubOptions, settingsOf } from '../settings.ts';
import { adapterFile } from './push-adapter.ts';

/** Options of {@link pullAdapter}. */
export interface PullAdapterOptions extends HubOptions {
  /** Name of the adapter's file, if the repository has several under unusual names. */
  file?: string;
}

/**
 * Gets an adapter from a hub into the cache, see {@link resolveFile}. Node only.
 *
 * @param id `organisation/name` or `organisation/name@revision`.
 * @returns The path of its file: `adapter.safetensors`, or the only safetensors file of the repository.
 * @throws {@link HubModelError} if the repository has no such file, and the errors of {@link resolveFile}.
 *
 * @example
 * ```ts no-run
 * import { pullAdapter } from '@e3va/hub';
 *
 * const path = await pullAdapter('me/swin-tiny-pets@v1');
 * ```
 */
export async function pullAdapter(
  id: string,
  { file, ...options }: PullAdapterOptions = {},
): Promise<string> {
  const model = parseModelId(id);
  if (!isNode()) throw new HubSettingError({ what: 'a browser has no folder to pull an adapter into' });
  const store = hubStore(await settingsOf(options), model);
  return (await chooseWeights(store, file, [adapterFile])).origin as string;
}
