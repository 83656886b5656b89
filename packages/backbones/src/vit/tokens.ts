import { separable } from '@e3va/highway-grad';
import type { LayerConfig } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { channelsOf, single, singleShape } from '../layers/layer.ts';
import { cubicMatrix } from './cubic.ts';

/**
 * The positions of a square grid, resized (bicubic) to another grid.
 *
 * @param positions [grid², channels], row by row.
 * @param size Height and width of the other grid.
 * @param antialias Whether the kernel grows with the step where the grid shrinks.
 * @returns [height * width, channels]; the positions themselves if the grids are equal.
 */
export function resizePositions(
  positions: tf.Tensor2D,
  [height, width]: [number, number],
  antialias: boolean,
): tf.Tensor2D {
  const [count, channels] = positions.shape;
  const grid = Math.sqrt(count);
  if (height === grid && width === grid) return positions;
  return tf.tidy(() => {
    const matrix = (to: number) => tf.tensor2d(cubicMatrix(to, grid, antialias), [to, grid]);
    const map = tf.reshape(positions, [1, grid, grid, channels]) as tf.Tensor4D;
    return tf.reshape(separable(map, matrix(height), matrix(width)), [height * width, channels]);
  });
}

/** Options of {@link TokenEmbedding}. */
export interface TokenEmbeddingConfig extends LayerConfig {
  /** Side of the grid of patches that there are positions for. */
  grid: number;
  /** Number of register tokens, which have no position; default 0. */
  registers?: number;
  /** Whether positions are resized with antialiasing; default false. */
  antialias?: boolean;
}

/**
 * The tokens of a ViT from the map of its patches: class token, registers, patches row by row, [batch, height, width, C] to
 * [batch, 1 + registers + height * width, C], with positions added that are resized (bicubic) to the grid of the image.
 *
 * Weights: `cls_token` [C], `position_embeddings` [1 + grid², C] whose first row is the class token's, and
 * `register_tokens` [registers, C] if there are any.
 */
export class TokenEmbedding extends layers.Layer {
  static readonly className = 'E3vaTokenEmbedding';
  readonly grid: number;
  readonly registers: number;
  readonly antialias: boolean;
  private classToken!: LayerVariable;
  private positions!: LayerVariable;
  private registerTokens?: LayerVariable;

  constructor(config: TokenEmbeddingConfig) {
    super(config);
    this.grid = config.grid;
    this.registers = config.registers ?? 0;
    this.antialias = config.antialias ?? false;
  }

  override build(shape: Shape | Shape[]): void {
    const channels = channelsOf(this.name, singleShape(shape));
    const normal = () => initializers.truncatedNormal({ stddev: 0.02 });
    const rows = 1 + this.grid ** 2;
    this.classToken = this.addWeight('cls_token', [channels], 'float32', normal());
    this.positions = this.addWeight('position_embeddings', [rows, channels], 'float32', normal());
    if (this.registers > 0) {
      const shape = [this.registers, channels];
      this.registerTokens = this.addWeight('register_tokens', shape, 'float32', normal());
    }
    super.build(shape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [batch, height, width, channels] = single<tf.Tensor4D>(inputs).shape;
      const positions = this.positions.read() as tf.Tensor2D;
      const ofPatches = tf.slice(positions, [1, 0], [this.grid ** 2, channels]);
      const resized = resizePositions(ofPatches, [height, width], this.antialias);
      const patches = tf.reshape(single(inputs), [batch, height * width, channels]);
      const first = tf.slice(positions, [0, 0], [1, channels]);
      const one = (rows: tf.Tensor) => tf.tile(tf.expandDims(rows, 0), [batch, 1, 1]);
      return tf.concat(
        [
          one(tf.add(first, this.classToken.read())),
          ...(this.registerTokens ? [one(this.registerTokens.read())] : []),
          tf.add(patches, resized),
        ],
        1,
      );
    });
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    const [batch, height, width, channels] = singleShape(shape);
    const tokens = height == null || width == null ? null : 1 + this.registers + height * width;
    return [batch ?? null, tokens, channels ?? null];
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { grid, registers, antialias } = this;
    return { ...super.getConfig(), grid, registers, antialias };
  }
}

tf.serialization.registerClass(TokenEmbedding, '@e3va/backbones', TokenEmbedding.className);
