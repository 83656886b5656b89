/**
 * The level of a pyramid that each box is pooled from: ⌊log₂(√(w·h) / finestScale + 10⁻⁶)⌋, within the levels there are.
 *
 * Source: Lin et al., Feature Pyramid Networks, arXiv 1612.03144, equation 1; equal to torchvision's `LevelMapper` and to
 * mmdetection's `SingleRoIExtractor`.
 *
 * @param boxes Boxes `x1 y1 x2 y2` in pixels, four numbers each.
 * @param levels Number of levels.
 * @param finestScale Side of the boxes from which on the finest level is left, over two; 56 by default.
 * @returns A level a box, 0 the finest; a box without an area gets 0.
 *
 * @example
 * ```ts
 * import { assignLevels } from '@e3va/det-heads';
 *
 * console.log(assignLevels(Float32Array.of(0, 0, 100, 100, 0, 0, 112, 112), 4)); // 0 and 1
 * ```
 */
export function assignLevels(boxes: Float32Array, levels: number, finestScale = 56): Int32Array {
  return Int32Array.from({ length: boxes.length / 4 }, (_, i) => {
    const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4);
    const level = Math.floor(Math.log2(Math.sqrt((x2! - x1!) * (y2! - y1!)) / finestScale + 1e-6));
    return Number.isNaN(level) ? 0 : Math.min(levels - 1, Math.max(0, level));
  });
}
