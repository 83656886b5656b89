import { decodeSafetensors } from '@e3va/adapter-core';
import { memoryWeights } from '@e3va/weight-files';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { SwinConfig } from '../config.ts';
import { embeddedWeights } from '../embedded.ts';
import { SwinWeightsError } from '../errors.ts';
import { swinPresets } from '../presets.ts';
import { blankSwin } from '../swin.ts';
import { loadSwinWeights } from './assign.ts';
import { swinConfigOf } from './config-of.ts';
import { readBytes } from './read-bytes.ts';

/** Options of {@link loadSwin}. */
export interface LoadSwinOptions {
  /** The architecture of the file; needed if the file's metadata do not tell it. */
  config?: SwinConfig;
  /** Stochastic depth of the last block in training; default 0. */
  dropPath?: number;
  /** The levels to give out, ascending; default all four. */
  outLevels?: readonly number[];
  /** As in {@link loadSwinWeights}; default true. */
  strict?: boolean;
}

/**
 * A Swin with pretrained weights.
 *
 * `'nano'` is Swin-Nano, whose weights this package carries: 2.7 M parameters, trained on Tiny-ImageNet-200 at 64 × 64
 * pixels (research terms: see weights/README.md). Anything else is a path (under Node), a `file:` or an `http(s):`
 * address of a safetensors file with Microsoft's names; its architecture comes from its metadata (`config`, as JSON
 * with `embed_dim`, `depths`, `num_heads`, `window_size`) or from `options.config`. Out-norms that the file lacks
 * start as the identity; classifiers and other heads are dropped.
 *
 * @param nameOrPath `'nano'`, a path or an address.
 * @param options Architecture, levels and stochastic depth.
 * @returns The model of {@link swin} with the weights of the file.
 * @throws {@link SwinWeightsError} if the file cannot be read, tells no architecture, or does not fit;
 * `SafetensorsError` if it is damaged.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { loadSwin } from '@e3va/swin';
 *
 * await tf.setBackend('cpu');
 * const model = await loadSwin('nano', { outLevels: [1, 2, 3] });
 * console.log(model.outputs.map((level) => level.shape)); // channels 64, 128, 256
 * ```
 */
export async function loadSwin(nameOrPath: string, options: LoadSwinOptions = {}): Promise<LayersModel> {
  const file = Object.hasOwn(swinPresets, nameOrPath) ? embeddedFile(nameOrPath) : nameOrPath;
  const { tensors } = decodeSafetensors(await readBytes(file), nameOrPath);
  const weights = memoryWeights(tensors, { name: nameOrPath });
  const config = options.config ?? swinConfigOf(weights);
  const { dropPath = config.dropPath, outLevels = config.outLevels, strict } = options;
  const model = blankSwin({ ...config, dropPath, outLevels });
  try {
    await loadSwinWeights(model, weights, { strict, fresh: true });
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

function embeddedFile(name: string): URL {
  const address = Object.hasOwn(embeddedWeights, name) ? embeddedWeights[name] : undefined;
  if (address) return address();
  throw new SwinWeightsError({
    what: `the package carries no weights for '${name}'`,
    expected: `${Object.keys(embeddedWeights).join(', ')}, or the path or address of a safetensors file`,
    fix: `loadSwin('weights.safetensors', { config: swinPresets['${name}'] }), or swin(swinPresets['${name}']) for random weights`,
  });
}
