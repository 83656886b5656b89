import { ShapeError } from '@e3va/highway-grad';
import { gatherPatches, type LayerConfig, linear } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { channelsOf, single, singleShape } from './layer.ts';

/**
 * A convolution whose kernel is as large as its stride, without padding, as one product of two matrices.
 *
 * @param x [batch, height, width, in].
 * @param kernel [size² in, out]; its rows in the order column of the patch, row of the patch, channel.
 * @param bias [out].
 * @param edge What becomes of rows and columns that fill no patch: they are cut off, or filled up with zeros.
 * @returns [batch, height / size, width / size, out], rounded down or up.
 * @throws ShapeError if nothing is left of the map.
 */
export function patchConv(
  x: tf.Tensor4D,
  kernel: tf.Tensor2D,
  bias: tf.Tensor1D,
  size: number,
  edge: 'crop' | 'pad',
): tf.Tensor4D {
  return tf.tidy(() => {
    const whole = edge === 'crop' ? cropped(x, size) : x;
    return linear(gatherPatches(whole, size), kernel, bias) as tf.Tensor4D;
  });
}

function cropped(x: tf.Tensor4D, size: number): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const [h, w] = [height - (height % size), width - (width % size)];
  if (h === 0 || w === 0) {
    throw new ShapeError({
      what: 'the image is too small: nothing is left of a map',
      expected: `a map of ${size} × ${size} at least`,
      received: `${height} × ${width}`,
    });
  }
  return h === height && w === width ? x : tf.slice(x, [0, 0, 0, 0], [batch, h, w, channels]);
}

/** Options of {@link PatchConv}. */
export interface PatchConvConfig extends LayerConfig {
  /** Channels of the result. */
  filters: number;
  /** Side of a patch: kernel and stride. */
  size: number;
  /** What becomes of rows and columns that fill no patch; default `'crop'`, as in PyTorch. */
  edge?: 'crop' | 'pad';
}

/** Layer of {@link patchConv}. Weights: `kernel` [size² in, filters] and `bias` [filters]. */
export class PatchConv extends layers.Layer {
  static readonly className = 'E3vaPatchConv';
  readonly filters: number;
  readonly size: number;
  readonly edge: 'crop' | 'pad';
  private kernel!: LayerVariable;
  private bias!: LayerVariable;

  constructor(config: PatchConvConfig) {
    super(config);
    this.filters = config.filters;
    this.size = config.size;
    this.edge = config.edge ?? 'crop';
  }

  override build(shape: Shape | Shape[]): void {
    const rows = this.size ** 2 * channelsOf(this.name, singleShape(shape));
    const normal = initializers.truncatedNormal({ stddev: 0.02 });
    this.kernel = this.addWeight('kernel', [rows, this.filters], 'float32', normal);
    this.bias = this.addWeight('bias', [this.filters], 'float32', initializers.zeros());
    super.build(shape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [kernel, bias] = [this.kernel.read() as tf.Tensor, this.bias.read() as tf.Tensor];
    return patchConv(single(inputs), kernel as tf.Tensor2D, bias as tf.Tensor1D, this.size, this.edge);
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    const [batch, height, width] = singleShape(shape);
    const round = this.edge === 'crop' ? Math.floor : Math.ceil;
    const patches = (n: number | null | undefined) => (n == null ? null : round(n / this.size));
    return [batch ?? null, patches(height), patches(width), this.filters];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), filters: this.filters, size: this.size, edge: this.edge };
  }
}

tf.serialization.registerClass(PatchConv, '@e3va/backbones', PatchConv.className);
