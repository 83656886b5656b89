import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { type LayerConfig, lastSize, single, singleShape } from './layer.ts';
import { paddedSize } from './window.ts';

/**
 * Gathers each patch of `size` × `size` positions into the channels of one, after padding with zeros at the right and
 * the bottom to whole patches.
 *
 * The channels run column by column: for size 2 the positions (0, 0), (1, 0), (0, 1), (1, 1) as (row, column), each
 * with its channels. That is the order of patch merging in the official code. Followed by a product with a matrix, it
 * is a convolution of kernel and stride `size`.
 *
 * @param x [batch, height, width, channels].
 * @param size Side of a patch.
 * @returns [batch, ⌈height / size⌉, ⌈width / size⌉, size² * channels].
 */
export function gatherPatches(x: tf.Tensor4D, size: number): tf.Tensor4D {
  return tf.tidy(() => {
    const [batch, height, width, channels] = x.shape;
    const [h, w] = [paddedSize(height, size), paddedSize(width, size)];
    const whole = h === height && w === width;
    const map = whole
      ? x
      : tf.pad(x, [
          [0, 0],
          [0, h - height],
          [0, w - width],
          [0, 0],
        ]);
    const strips = tf.reshape(map, [(batch * h) / size, size, w, channels]);
    const columns = tf.transpose(strips, [0, 2, 1, 3]); // [batch * rows of patches, x, y in the patch, c]
    return tf.reshape(columns, [batch, h / size, w / size, size ** 2 * channels]);
  });
}

/** Options of {@link PatchGather}. */
export interface PatchGatherConfig extends LayerConfig {
  /** Side of a patch. */
  size: number;
}

/**
 * Layer of {@link gatherPatches}: [batch, height, width, C] to [batch, ⌈height / size⌉, ⌈width / size⌉, size² C].
 */
export class PatchGather extends layers.Layer {
  static readonly className = 'E3vaPatchGather';
  readonly size: number;

  constructor(config: PatchGatherConfig) {
    super(config);
    this.size = config.size;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return gatherPatches(single<tf.Tensor4D>(inputs), this.size);
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    const given = singleShape(shape);
    const patches = (n: number | null | undefined) => (n == null ? null : Math.ceil(n / this.size));
    const channels = this.size ** 2 * lastSize(this.name, given);
    return [given[0] ?? null, patches(given[1]), patches(given[2]), channels];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), size: this.size };
  }
}

tf.serialization.registerClass(PatchGather, '@e3va/swin', PatchGather.className);
