import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { checkFeatures, type Level } from './batch.ts';
import { tidyLosses } from './dense/losses.ts';
import type { Detector } from './detection.ts';

/**
 * A detector behind a neck: over the levels of a backbone instead of those of a pyramid.
 *
 * @param neck From the maps of the levels with an index of `from` on to the detector's.
 * @param levels The levels that are handed in; the finest `from` of them are not read.
 * @param detector Over the pyramid; disposed with this one.
 */
export function withNeck(
  neck: LayersModel,
  levels: readonly Level[],
  from: number,
  detector: Detector,
): Detector {
  const pyramidOf = (features: tf.Tensor4D[], training: boolean) =>
    [neck.apply(features.slice(from), { training })].flat() as tf.Tensor4D[];
  return {
    classes: detector.classes,
    models: { neck, ...detector.models },
    loss(features, targets, sizes, options = {}) {
      checkFeatures(features, levels, sizes);
      const training = options.training ?? true;
      return tidyLosses(() => detector.loss(pyramidOf(features, training), targets, sizes, options));
    },
    async detect(features, sizes) {
      checkFeatures(features, levels, sizes);
      const pyramid = tf.tidy(() => pyramidOf(features, false));
      try {
        return await detector.detect(pyramid, sizes);
      } finally {
        tf.dispose(pyramid);
      }
    },
    dispose() {
      neck.dispose();
      detector.dispose();
    },
  };
}
