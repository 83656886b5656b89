/**
 * One output of a backbone, as a head needs to know it: heads consume declared features and know no backbone.
 *
 * @example
 * ```ts
 * import type { Level } from '@e3va/seg-heads';
 *
 * const levels: Level[] = [32, 64, 128, 256].map((channels, i) => ({ name: `level${i}`, channels, stride: 4 << i }));
 * console.log(levels.at(-1)?.stride); // 32
 * ```
 */
export interface Level {
  /** Names the input of the head that reads the level; unique within a head. */
  name: string;
  /** Channels of its map, [batch, height, width, channels]. */
  channels: number;
  /** Pixels of the image that one step on its map spans. */
  stride: number;
}
