import { type HubOptions, type ModelFiles, withModel } from '@e3va/hub';
import { openWeights, type WeightFile, type WeightsReport } from '@e3va/weight-files';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { blankSwinClassifier } from '../classifier.ts';
import { embeddedWeights } from '../embedded.ts';
import { SwinWeightsError } from '../errors.ts';
import { type SwinPreset, swinPresets } from '../presets.ts';
import { blankSwin } from '../swin.ts';
import { loadSwinWeights } from './assign.ts';
import { swinConfigOf } from './config-of.ts';
import { namingOf } from './file-naming.ts';

/** Options of {@link loadSwin}; those of the hub decide where and how models are downloaded. */
export interface LoadSwinOptions extends HubOptions {
  /** Stochastic depth of the last block in training; default 0. */
  dropPath?: number;
  /** The levels to give out, ascending; default all four. */
  outLevels?: readonly number[];
  /** Side of an attention window in place of the file's; the position tables are resized to it. */
  window?: number;
  /** As in {@link loadSwinWeights}; default true. */
  strict?: boolean;
  /** Gets what was loaded, resized, missing and skipped. */
  onReport?: (report: WeightsReport) => void;
}

/**
 * A Swin with pretrained weights.
 *
 * @param source `'nano'`: Swin-Nano, whose weights this package carries: 2.7 M parameters, trained on Tiny-ImageNet-200 at
 * 64 × 64 pixels (research terms: see weights/README.md). Another name of {@link swinPresets}: downloaded once from the hub. Else
 * a model id of the hub (`org/name`, `org/name@revision`), a folder, or a file or address of one in any format that
 * `openWeights` reads, with the names of any library that {@link loadSwinWeights} knows. Or files that `openModel` opened; they
 * stay open.
 *
 * The architecture is told by the shapes of the weights. Out-norms that the file lacks start as the identity; classifiers and
 * other heads are dropped: {@link loadSwinClassifier} keeps them.
 *
 * @param options Levels, window, stochastic depth, and where to download.
 * @returns The model of {@link swin} with the weights of the file.
 * @throws {@link SwinWeightsError} if the file holds no Swin; WeightsMismatchError if it does not fit; the errors of
 * `openModel`: nothing is left behind.
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
export async function loadSwin(
  source: string | Pick<ModelFiles, 'weights'>,
  { dropPath, outLevels, window, strict, onReport, ...hub }: LoadSwinOptions = {},
): Promise<LayersModel> {
  return withWeights(source, hub, async ({ weights }) => {
    const config = swinConfigOf(weights);
    const model = blankSwin({ ...config, dropPath, outLevels, window: window ?? config.window });
    const report = await loaded(model, weights, strict);
    onReport?.(report);
    return model;
  });
}

/** Options of {@link loadSwinClassifier}. */
export interface LoadSwinClassifierOptions extends HubOptions {
  /** Side of the images in pixels; default that of pretraining, 32 windows: 224 for a window of 7. */
  imageSize?: number;
}

/**
 * A Swin with the classifier that it was pretrained with: for ImageNet's classes, or as a check of the weights.
 *
 * Input: normalised images, [batch, imageSize, imageSize, 3]; output: logits, [batch, classes]. Layers: those of {@link swin}
 * without out-norms, then `norm`, `pool` (the mean over the map) and `head`. A stage whose map is no larger than a window shifts
 * none, as in the official code, transformers, timm and torchvision; so its levels differ from those of `swin` there.
 *
 * @param source As {@link loadSwin} takes it.
 * @throws As {@link loadSwin}, and {@link SwinWeightsError} if the file has no classifier.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { loadSwinClassifier } from '@e3va/swin';
 *
 * await tf.setBackend('cpu');
 * const model = await loadSwinClassifier('nano', { imageSize: 128 });
 * console.log((model.predict(tf.zeros([1, 128, 128, 3])) as tf.Tensor).shape); // [1, 200]
 * ```
 */
export async function loadSwinClassifier(
  source: string | Pick<ModelFiles, 'weights'>,
  { imageSize, ...hub }: LoadSwinClassifierOptions = {},
): Promise<LayersModel> {
  return withWeights(source, hub, async ({ weights }) => {
    const head = namingOf(weights).nameOf('head.bias');
    const classes = weights.entries.get(head)?.shape[0];
    if (classes === undefined) {
      throw new SwinWeightsError({ what: `${weights.name} has no classifier`, expected: head });
    }
    const model = blankSwinClassifier({ ...swinConfigOf(weights), classes, imageSize });
    await loaded(model, weights);
    return model;
  });
}

/** Loads weights into a model that was just made; it is disposed of on an error. */
async function loaded(model: LayersModel, weights: WeightFile, strict?: boolean): Promise<WeightsReport> {
  try {
    return await loadSwinWeights(model, weights, { strict, fresh: true });
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Opens what `source` names and closes it after use; open files are used as they are. */
async function withWeights<T>(
  source: string | Pick<ModelFiles, 'weights'>,
  hub: HubOptions,
  use: (files: Pick<ModelFiles, 'weights'>) => Promise<T>,
): Promise<T> {
  if (typeof source !== 'string') return use(source);
  const embedded = Object.hasOwn(embeddedWeights, source) ? embeddedWeights[source] : undefined;
  if (embedded) {
    const weights = await openWeights(embedded(), { name: `Swin ${source}` }); // needs nothing of a hub
    try {
      return await use({ weights });
    } finally {
      await weights.close();
    }
  }
  const presets: Readonly<Record<string, SwinPreset>> = swinPresets;
  const preset = Object.hasOwn(presets, source) ? presets[source] : undefined;
  return withModel(preset?.hub ?? source, hub, use);
}
