import { ShapeError } from '@e3va/highway-grad';
import type { LayerConfig } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';

/** Options of {@link TokenMap}. */
export interface TokenMapConfig extends LayerConfig {
  /** Side of a patch in pixels. */
  patch: number;
  /** How many tokens stand in front of the patches. */
  skip: number;
}

/**
 * The patches of a sequence of tokens as a map: tokens [batch, skip + height * width, C] and the images that they were made
 * from [batch, patch * height, patch * width, any], rounded up, (only their shape is read) to [batch, height, width, C].
 */
export class TokenMap extends layers.Layer {
  static readonly className = 'E3vaTokenMap';
  readonly patch: number;
  readonly skip: number;

  constructor(config: TokenMapConfig) {
    super(config);
    this.patch = config.patch;
    this.skip = config.skip;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [tokens, images] = inputs as [tf.Tensor3D, tf.Tensor4D];
      const [batch, count, channels] = tokens.shape;
      const [height, width] = [1, 2].map((axis) => Math.ceil(images.shape[axis]! / this.patch));
      const patches = height! * width!;
      if (count !== this.skip + patches) {
        throw new ShapeError({
          what: `${this.name}: the tokens do not come from these images`,
          expected: `${this.skip} + ${height} × ${width} tokens`,
          received: `${count}`,
        });
      }
      const rest = tf.slice(tokens, [0, this.skip, 0], [batch, patches, channels]);
      return tf.reshape(rest, [batch, height!, width!, channels]);
    });
  }

  override computeOutputShape(shapes: Shape | Shape[]): Shape {
    const [tokens, images] = shapes as [Shape, Shape];
    const side = (n: number | null | undefined) => (n == null ? null : Math.ceil(n / this.patch));
    return [tokens[0]!, side(images[1]), side(images[2]), tokens[2]!];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), patch: this.patch, skip: this.skip };
  }
}

tf.serialization.registerClass(TokenMap, '@e3va/backbones', TokenMap.className);
