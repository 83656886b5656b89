import { decodeSafetensors } from '@e3va/adapter-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { SwinConfig } from '../config.ts';
import { embeddedWeights } from '../embedded.ts';
import { SwinWeightsError } from '../errors.ts';
import { swinPresets } from '../presets.ts';
import { blankSwin } from '../swin.ts';
import { loadSwinWeights } from './assign.ts';
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
  const { tensors, metadata } = decodeSafetensors(await readBytes(file), nameOrPath);
  const config = options.config ?? configOf(metadata, nameOrPath);
  const { dropPath = config.dropPath, outLevels = config.outLevels, strict } = options;
  const model = blankSwin({ ...config, dropPath, outLevels });
  try {
    loadSwinWeights(model, tensors, { strict });
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

/** The architecture in a file's metadata, in the words of the official configuration files. */
function configOf(metadata: Record<string, string>, file: string): SwinConfig {
  const fail = (received: string, cause?: unknown) =>
    new SwinWeightsError(
      {
        what: `${file} does not tell its architecture`,
        expected: 'metadata with a key config: JSON with embed_dim, depths, num_heads and window_size',
        received,
        fix: 'pass it: loadSwin(file, { config: swinPresets.tiny })',
      },
      { cause },
    );
  if (metadata.config === undefined) throw fail('no key config');
  let raw: Record<string, unknown> | null;
  try {
    raw = JSON.parse(metadata.config);
  } catch (cause) {
    throw fail('a config that is not JSON', cause);
  }
  const { embed_dim, depths, num_heads, window_size, patch_size = 4, mlp_ratio = 4 } = raw ?? {};
  if ([embed_dim, depths, num_heads, window_size].includes(undefined)) throw fail(metadata.config);
  return {
    embedDim: embed_dim,
    depths,
    heads: num_heads,
    window: window_size,
    patch: patch_size,
    mlpRatio: mlp_ratio,
  } as SwinConfig;
}
