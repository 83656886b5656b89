import { separable } from '@e3va/highway-grad';
import type { LayerConfig } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';

/**
 * The matrix [to, from] that brings one axis of a map from one stride to another: pixel i of the result covers the image
 * pixels [i * toStride, (i + 1) * toStride). It interpolates linearly at the centre; from twice the stride on, where that would
 * leave pixels out, it takes the mean of what it covers.
 */
function strideMatrix(to: number, from: number, toStride: number, fromStride: number): Float32Array {
  const matrix = new Float32Array(to * from);
  const ratio = toStride / fromStride;
  for (let i = 0; i < to; i++) {
    const row = matrix.subarray(i * from, (i + 1) * from);
    if (ratio < 2) interpolate(row, (i + 0.5) * ratio - 0.5);
    else average(row, i * ratio, (i + 1) * ratio);
  }
  return matrix;
}

function interpolate(row: Float32Array, at: number): void {
  const position = Math.min(row.length - 1, Math.max(0, at));
  const low = Math.floor(position);
  row[low] = 1 - (position - low);
  if (position > low) row[low + 1] = position - low;
}

function average(row: Float32Array, start: number, end: number): void {
  const covered = Math.min(end, row.length) - start;
  for (let j = Math.floor(start); j < Math.min(end, row.length); j++) {
    row[j] = (Math.min(end, j + 1) - Math.max(start, j)) / covered;
  }
}

/** Options of {@link Resample}. */
export interface ResampleConfig extends LayerConfig {
  /** Stride of the map that comes in, in image pixels. */
  from: number;
  /** Stride of the result. */
  to: number;
}

/**
 * A map at another stride: a map [batch, height, width, C] and the images that it was made from (only their shape is read) to
 * [batch, ⌈image height / to⌉, ⌈image width / to⌉, C]; bilinear, or the mean of what is covered from twice the stride on.
 * The pixels stand exactly where the stride says, also from a stride of 14 to one of 16. It has no weights.
 */
export class Resample extends layers.Layer {
  static readonly className = 'E3vaResample';
  readonly from: number;
  readonly to: number;

  constructor(config: ResampleConfig) {
    super(config);
    this.from = config.from;
    this.to = config.to;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [map, images] = inputs as [tf.Tensor4D, tf.Tensor4D];
    if (this.from === this.to) return map;
    return tf.tidy(() => {
      const matrix = (axis: 1 | 2) => {
        const [to, from] = [Math.ceil(images.shape[axis] / this.to), map.shape[axis]];
        return tf.tensor2d(strideMatrix(to, from, this.to, this.from), [to, from]);
      };
      return separable(map, matrix(1), matrix(2));
    });
  }

  override computeOutputShape(shapes: Shape | Shape[]): Shape {
    const [map, images] = shapes as [Shape, Shape];
    const side = (n: number | null | undefined) => (n == null ? null : Math.ceil(n / this.to));
    return [map[0]!, side(images[1]), side(images[2]), map[3]!];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), from: this.from, to: this.to };
  }
}

tf.serialization.registerClass(Resample, '@e3va/backbones', Resample.className);
