import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { type LayerConfig, single, singleShape } from './layer.ts';

/** A run of entries of one axis: `length` of the source from `start`, or zeros where `start` is null. */
interface Piece {
  start: number | null;
  length: number;
}

/** The map size after padding to whole windows. */
export function paddedSize(size: number, window: number): number {
  return Math.ceil(size / window) * window;
}

/** An axis of `size` entries, padded with zeros at its end to `padded`, then rolled by `-shift`. */
function rolledPieces(size: number, padded: number, shift: number): Piece[] {
  const pieces: Piece[] = [
    { start: shift, length: size - shift },
    { start: null, length: padded - Math.max(size, shift) },
    { start: 0, length: Math.min(size, shift) },
    { start: null, length: shift - size },
  ];
  return pieces.filter(({ length }) => length > 0);
}

/** The inverse of {@link rolledPieces}: the axis rolled back by `shift`, then cropped to `size`. */
function unrolledPieces(size: number, padded: number, shift: number): Piece[] {
  const pieces: Piece[] = [
    { start: padded - shift, length: Math.min(size, shift) },
    { start: 0, length: size - shift },
  ];
  return pieces.filter(({ length }) => length > 0);
}

/** Puts pieces of the second axis of a [rows, n * unit] matrix, in entries of `unit` numbers, behind each other. */
function assemble(x: tf.Tensor2D, unit: number, pieces: Piece[]): tf.Tensor2D {
  const [rows, width] = x.shape;
  const parts = pieces.map(({ start, length }) => {
    if (start === null) return tf.zeros<tf.Rank.R2>([rows, length * unit]);
    return length * unit === width ? x : tf.slice(x, [0, start * unit], [rows, length * unit]);
  });
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 1);
}

/** Rearranges height and width of a map by pieces; rank 2 throughout, which every backend slices fast. */
function rearrange(x: tf.Tensor4D, rows: Piece[], cols: Piece[]): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const total = (pieces: Piece[]) => pieces.reduce((sum, { length }) => sum + length, 0);
  const tall = assemble(tf.reshape(x, [batch, height * width * channels]), width * channels, rows);
  const all = assemble(tf.reshape(tall, [batch * total(rows), width * channels]), channels, cols);
  return tf.reshape(all, [batch, total(rows), total(cols), channels]);
}

/**
 * Cuts a map into windows: pads with zeros at the right and the bottom to whole windows, rolls by `-shift` in both
 * directions, and partitions.
 *
 * This is the form of dense-prediction code: the window never shrinks, and the shift stays on small maps.
 * Source: Liu et al., arXiv 2103.14030, section 3.2.
 *
 * @param x Map, [batch, height, width, channels].
 * @param window Side of a window in tokens.
 * @param shift How far the windows are shifted, 0 to window - 1.
 * @returns [batch * windows, window * window, channels]; windows and tokens in row-major order.
 */
export function windowPartition(x: tf.Tensor4D, window: number, shift = 0): tf.Tensor3D {
  return tf.tidy(() => {
    const [batch, height, width, channels] = x.shape;
    const [h, w] = [paddedSize(height, window), paddedSize(width, window)];
    const map = rearrange(x, rolledPieces(height, h, shift), rolledPieces(width, w, shift));
    const strips = tf.reshape(map, [(batch * h) / window, window, w / window, window * channels]);
    const windows = tf.transpose(strips, [0, 2, 1, 3]); // [batch * rows of windows, columns of windows, y, x * c]
    return tf.reshape(windows, [(batch * h * w) / window ** 2, window ** 2, channels]);
  });
}

/**
 * Puts windows back into a map: the inverse of {@link windowPartition}, padding cropped.
 *
 * @param windows [batch * windows, window * window, channels].
 * @param size Height and width of the map before padding.
 * @param window Side of a window in tokens.
 * @param shift How far the windows were shifted.
 * @returns The map, [batch, height, width, channels].
 */
export function windowReverse(
  windows: tf.Tensor3D,
  size: [height: number, width: number],
  window: number,
  shift = 0,
): tf.Tensor4D {
  return tf.tidy(() => {
    const [height, width] = size;
    const channels = windows.shape[2];
    const [h, w] = [paddedSize(height, window), paddedSize(width, window)];
    const batch = windows.size / (h * w * channels);
    const grid = tf.reshape(windows, [(batch * h) / window, w / window, window, window * channels]);
    const map = tf.reshape(tf.transpose(grid, [0, 2, 1, 3]), [batch, h, w, channels]);
    return rearrange(map as tf.Tensor4D, unrolledPieces(height, h, shift), unrolledPieces(width, w, shift));
  });
}

/** Options of {@link WindowPartition} and {@link WindowReverse}. */
export interface WindowConfig extends LayerConfig {
  /** Side of a window in tokens. */
  window: number;
  /** How far the windows are shifted; default 0. */
  shift?: number;
}

/** Base of the two layers: the sizes and their configuration. */
abstract class WindowLayer extends layers.Layer {
  readonly window: number;
  readonly shift: number;

  constructor(config: WindowConfig) {
    super(config);
    this.window = config.window;
    this.shift = config.shift ?? 0;
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), window: this.window, shift: this.shift };
  }
}

/**
 * Layer of {@link windowPartition}: map [batch, height, width, C] to windows [batch * windows, window², C].
 */
export class WindowPartition extends WindowLayer {
  static readonly className = 'E3vaWindowPartition';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return windowPartition(single<tf.Tensor4D>(inputs), this.window, this.shift);
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    const [batch, height, width, channels] = singleShape(shape) as [Shape[0], Shape[0], Shape[0], number];
    const known = batch != null && height != null && width != null;
    const windows = known ? batch * Math.ceil(height / this.window) * Math.ceil(width / this.window) : null;
    return [windows, this.window ** 2, channels];
  }
}

/**
 * Layer of {@link windowReverse}: windows [batch * windows, window², C] and any map of the wanted height and width
 * (only its shape is read) to a map [batch, height, width, C].
 */
export class WindowReverse extends WindowLayer {
  static readonly className = 'E3vaWindowReverse';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [windows, map] = inputs as [tf.Tensor3D, tf.Tensor4D];
    return windowReverse(windows, [map.shape[1], map.shape[2]], this.window, this.shift);
  }

  override computeOutputShape(shapes: Shape | Shape[]): Shape {
    const [windows, map] = shapes as [Shape, Shape];
    return [...map.slice(0, 3), windows[2] ?? null];
  }
}

tf.serialization.registerClass(WindowPartition, '@e3va/swin', WindowPartition.className);
tf.serialization.registerClass(WindowReverse, '@e3va/swin', WindowReverse.className);
