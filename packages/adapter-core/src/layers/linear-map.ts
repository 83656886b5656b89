import * as tf from '@tensorflow/tfjs-core';

/** A map that is linear in its input and in its kernel, the kernel's last axis being the outputs. Not for the tape. */
export interface LinearMap {
  /** The result, with a bias if one is given. */
  apply(x: tf.Tensor, kernel: tf.Tensor, bias?: tf.Tensor): tf.Tensor;
  /** The gradient with respect to the input. */
  inputGradient(dy: tf.Tensor, kernel: tf.Tensor, inputShape: number[]): tf.Tensor;
  /** The gradient with respect to a kernel of that shape. */
  kernelGradient(x: tf.Tensor, dy: tf.Tensor, kernelShape: number[]): tf.Tensor;
}

/** A tensor as a matrix of its rows: [..., C] to [rows, C]. */
export function rowsOf(x: tf.Tensor): tf.Tensor2D {
  const channels = x.shape[x.rank - 1]!;
  return tf.reshape(x, [x.size / channels, channels]);
}

/** A product over the last axis: x [..., in] · kernel [in, out]. */
export const denseMap: LinearMap = {
  // fused with the bias, as the layers of tfjs do it: the same result bit for bit
  apply: (x, kernel, bias) =>
    tf.tidy(() => {
      const y = tf.fused.matMul({ a: rowsOf(x), b: kernel as tf.Tensor2D, bias });
      return tf.reshape(y, [...x.shape.slice(0, -1), kernel.shape[1]!]);
    }),
  // a transposed operand is slow on wasm: turned first, which copies the smaller of the two
  inputGradient: (dy, kernel, shape) =>
    tf.tidy(() => tf.reshape(tf.matMul(rowsOf(dy), tf.transpose(kernel) as tf.Tensor2D), shape)),
  kernelGradient: (x, dy) => tf.tidy(() => tf.matMul(tf.transpose(rowsOf(x)) as tf.Tensor2D, rowsOf(dy))),
};

/** The geometry of a convolution on [batch, height, width, channels]. */
export interface ConvGeometry {
  strides: [number, number];
  padding: 'same' | 'valid';
  dilation: [number, number];
}

/**
 * A convolution: x [batch, height, width, in] with kernel [kh, kw, in, out].
 *
 * A dilated one works with a kernel that has zeros between its entries: tfjs has no gradient of dilated convolutions.
 */
export function convMap({ strides, padding, dilation }: ConvGeometry): LinearMap {
  const attrs = { strides, pad: padding, dataFormat: 'NHWC', dimRoundingMode: undefined };
  const run = (kernel: string, inputs: object, more: object) =>
    tf
      .engine()
      .runKernel(
        kernel,
        inputs as tf.NamedTensorMap,
        { ...attrs, ...more } as unknown as tf.NamedAttrMap,
      ) as tf.Tensor;
  return {
    apply: (x, kernel, bias) => {
      const [input, filter] = [x as tf.Tensor4D, kernel as tf.Tensor4D];
      return tf.fused.conv2d({ x: input, filter, bias, strides, pad: padding, dilations: dilation });
    },
    inputGradient: (dy, kernel, inputShape) =>
      tf.tidy(() =>
        run(tf.Conv2DBackpropInput, { dy, filter: spread(kernel as tf.Tensor4D, dilation) }, { inputShape }),
      ),
    kernelGradient: (x, dy, shape) =>
      tf.tidy(() => {
        const [kh, kw, ...rest] = shape as [number, number, number, number];
        const filterShape = [(kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1, ...rest];
        return gather(run(tf.Conv2DBackpropFilter, { x, dy }, { filterShape }) as tf.Tensor4D, dilation);
      }),
  };
}

/** Puts dilation - 1 zeros between the rows and the columns of a kernel. */
function spread(kernel: tf.Tensor4D, [dy, dx]: [number, number]): tf.Tensor4D {
  if (dy === 1 && dx === 1) return kernel;
  const [kh, kw, from, to] = kernel.shape;
  const [height, width] = [(kh - 1) * dy + 1, (kw - 1) * dx + 1];
  const columns = tf.pad(tf.reshape(kernel, [kh, kw, 1, from * to]), [
    [0, 0],
    [0, 0],
    [0, dx - 1],
    [0, 0],
  ]);
  const wide = tf.slice(tf.reshape(columns, [kh, kw * dx, from * to]), [0, 0, 0], [kh, width, from * to]);
  const rows = tf.pad(tf.reshape(wide, [kh, 1, width * from * to]), [
    [0, 0],
    [0, dy - 1],
    [0, 0],
  ]);
  const tall = tf.slice(tf.reshape(rows, [kh * dy, width * from * to]), [0, 0], [height, -1]);
  return tf.reshape(tall, [height, width, from, to]);
}

/** Takes every dilation-th row and column: the inverse of {@link spread}. */
function gather(kernel: tf.Tensor4D, [dy, dx]: [number, number]): tf.Tensor4D {
  if (dy === 1 && dx === 1) return kernel;
  const [height, width, from, to] = kernel.shape;
  const [kh, kw] = [(height - 1) / dy + 1, (width - 1) / dx + 1];
  const tall = tf.pad(tf.reshape(kernel, [height, width * from * to]), [
    [0, kh * dy - height],
    [0, 0],
  ]);
  const rows = tf.slice(tf.reshape(tall, [kh, dy, width * from * to]), [0, 0, 0], [-1, 1, -1]);
  const wide = tf.pad(tf.reshape(rows, [kh, width, from * to]), [
    [0, 0],
    [0, kw * dx - width],
    [0, 0],
  ]);
  const columns = tf.slice(tf.reshape(wide, [kh, kw, dx, from * to]), [0, 0, 0, 0], [-1, -1, 1, -1]);
  return tf.reshape(columns, [kh, kw, from, to]);
}
