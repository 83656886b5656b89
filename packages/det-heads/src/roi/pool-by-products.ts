import * as tf from '@tensorflow/tfjs-core';
import type { AxisBins } from './axis-bins.ts';
import { binsOf, type PoolingTask } from './pooling.ts';

/** Most numbers that an intermediate result of a chunk of boxes holds, beyond those of one box: 64 MB. */
const chunkLimit = 1 << 24;

/**
 * The pooled regions of a map, [picked, h, w, channels] in the order of the returned places: for each chunk of boxes a
 * product over the map's height and one over its width. For backends whose numbers lie on a graphics card.
 */
export function poolByProducts(
  task: PoolingTask,
  map: tf.Tensor4D,
): { places: number[]; pooled: tf.Tensor4D } {
  const [, height, width, channels] = task.shape;
  const [h, w] = task.bins.size;
  const places: number[] = [];
  const pooled = tf.tidy(() => {
    const parts = chunksOf(task).map(({ image, picked }) => {
      places.push(...picked);
      return tf.tidy(() => {
        const { rows, columns } = matrices(task, picked);
        const own = tf.reshape(tf.slice(map, [image, 0, 0, 0], [1, -1, -1, -1]), [height, width * channels]);
        const high = tf.reshape(tf.matMul(rows, own), [picked.length, h, width, channels]);
        const turned = tf.reshape(tf.transpose(high, [0, 2, 1, 3]), [picked.length, width, h * channels]);
        const wide = tf.reshape(tf.matMul(columns, turned), [picked.length, w, h, channels]);
        return tf.transpose(wide, [0, 2, 1, 3]) as tf.Tensor4D;
      });
    });
    return parts.length > 0 ? tf.concat(parts, 0) : tf.zeros<tf.Rank.R4>([0, h, w, channels]);
  });
  return { places, pooled };
}

/** The gradient of {@link poolByProducts} in the map, from `dy`, [regions of all maps, h, w, channels]. */
export function unpoolByProducts(task: PoolingTask, dy: tf.Tensor4D): tf.Tensor4D {
  const [batch, height, width, channels] = task.shape;
  const [h, w] = task.bins.size;
  return tf.tidy(() => {
    const images = Array.from({ length: batch }, () => tf.zeros<tf.Rank.R2>([height, width * channels]));
    for (const { image, picked } of chunksOf(task)) {
      const sum = tf.tidy(() => {
        const { rows, columns } = matrices(task, picked);
        const own = tf.gather(dy, tf.tensor1d(picked, 'int32'));
        const turned = tf.reshape(tf.transpose(own, [0, 2, 1, 3]), [picked.length, w, h * channels]);
        const wide = tf.reshape(tf.matMul(columns, turned, true), [picked.length, width, h, channels]);
        const lines = tf.reshape(tf.transpose(wide, [0, 2, 1, 3]), [picked.length * h, width * channels]);
        return tf.add(images[image]!, tf.matMul(rows, lines, true)) as tf.Tensor2D;
      });
      images[image]!.dispose();
      images[image] = sum;
    }
    return tf.reshape(tf.stack(images), task.shape);
  });
}

/** The boxes by image, so many at a time that no intermediate result is larger than the limit. */
function chunksOf({ shape, rois, picked, bins }: PoolingTask): { image: number; picked: number[] }[] {
  const [batch, , width, channels] = shape;
  const perBox = Math.max(bins.size[0], bins.size[1]) * width * channels;
  const most = Math.max(1, Math.floor(chunkLimit / perBox));
  return Array.from({ length: batch }, (_, image) => {
    const own = [...picked].filter((i) => rois.images[i] === image);
    const count = Math.ceil(own.length / most);
    return Array.from({ length: count }, (_, c) => ({ image, picked: own.slice(c * most, (c + 1) * most) }));
  }).flat();
}

/** The bins of some boxes as matrices: [boxes · h, height of the map] and [boxes, w, width of the map]. */
function matrices(task: PoolingTask, picked: number[]): { rows: tf.Tensor2D; columns: tf.Tensor3D } {
  const [, height, width] = task.shape;
  const [h, w] = task.bins.size;
  const rows = new Float32Array(picked.length * h * height);
  const columns = new Float32Array(picked.length * w * width);
  for (const [k, index] of picked.entries()) {
    const bins = binsOf(task, index);
    fill(rows.subarray(k * h * height), bins.rows, height);
    fill(columns.subarray(k * w * width), bins.columns, width);
  }
  return {
    rows: tf.tensor2d(rows, [picked.length * h, height]),
    columns: tf.tensor3d(columns, [picked.length, w, width]),
  };
}

function fill(matrix: Float32Array, { starts, pixels, weights }: AxisBins, length: number): void {
  for (let bin = 0; bin + 1 < starts.length; bin++) {
    for (let e = starts[bin]!; e < starts[bin + 1]!; e++) matrix[bin * length + pixels[e]!] = weights[e]!;
  }
}
