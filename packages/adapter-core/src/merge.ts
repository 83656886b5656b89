import { E3vaError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { MergeableLayer } from './methods/method.ts';
import type { Variant } from './variant.ts';

/** An adapter cannot be folded into the weights of its base. */
export class MergeError extends E3vaError {}

/** Folds the present adapter of a variant into the weights of its layers, or takes it out again. */
export function mergeInPlace(variant: Variant, merged: boolean): void {
  mergeableLayers(variant);
  variant.setMerged(merged);
}

/** The base's layers once more, with the present adapter of a variant in their weights. */
export function mergedModel(base: LayersModel, variant: Variant): LayersModel {
  const replaced = mergeableLayers(variant);
  const merged = copyModel(base);
  tf.tidy(() => {
    base.layers.forEach((layer, i) => {
      if (layer.weights.length === 0) return;
      const weights = replaced.get(layer.name)?.mergedWeights() ?? (layer.getWeights() as tf.Tensor[]);
      merged.layers[i]!.setWeights(weights);
    });
  });
  return merged;
}

function copyModel(base: LayersModel): LayersModel {
  const cls = base.constructor as unknown as { fromConfig(cls: unknown, config: unknown): LayersModel };
  try {
    return cls.fromConfig(cls, base.getConfig());
  } catch (cause) {
    throw new MergeError(
      {
        what: `model '${base.name}' cannot be made again from its configuration`,
        received: (cause as Error).message,
        fix: 'register its custom layers by tf.serialization.registerClass, with a complete getConfig()',
      },
      { cause },
    );
  }
}

function mergeableLayers({ method, split }: Variant): Map<string, MergeableLayer> {
  if (split.replaced) return split.replaced;
  throw new MergeError({
    what: `an adapter of method '${method.name}' cannot be merged into its base`,
    expected:
      'a method that changes weights of the base and adds no layers, such as lora, bitFit, norm or partial',
    received: `${method.name}, whose layers read activations: no weight of the base can stand for them`,
    fix: 'save adapted.model as a whole, or keep base and adapter file apart',
  });
}
