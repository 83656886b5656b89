import { gelu } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { rowsOf } from './linear-map.ts';

/** A projection x · f_1 · f_2 … + bias: one kernel, or the factors of a low-rank one. */
export interface Projection {
  /** Matrices that fit each other, [in, …], …, […, out]. */
  factors: tf.Tensor2D[];
  /** [out]. */
  bias: tf.Tensor1D;
}

/** The weights of a {@link bottleneck}. */
export interface BottleneckWeights {
  /** C to the hidden width. */
  down: Projection;
  /** The hidden width to C. */
  up: Projection;
}

/** The numbers of a {@link bottleneck}. */
export interface BottleneckNumbers {
  /** `gelu` is the exact one. */
  activation: 'gelu' | 'relu';
  scale: number;
  /** Dropout of the hidden width: [rows, width], 0 or 1 / (1 - rate). */
  mask?: tf.Tensor2D;
}

/**
 * `y + scale · up(mask ∘ activation(down(x)))`, the form of the adapters that stand in the base: Houlsby's with
 * y = x, AdaptFormer's with y the result of the block that x goes into.
 *
 * The gradient reaches x, y and the weights and is hand-written: between forward and backward only x, the weights and
 * the mask are held; the backward pass computes the hidden width again. With the last factor and the bias of `up`
 * zero the result is y bit for bit.
 *
 * @param y [..., C].
 * @param x The same shape.
 * @returns The same shape.
 */
export function bottleneck(
  y: tf.Tensor,
  x: tf.Tensor,
  weights: BottleneckWeights,
  numbers: BottleneckNumbers,
): tf.Tensor {
  const count = weights.down.factors.length;
  const op = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const [y, x, ...w] = args as [tf.Tensor, tf.Tensor, ...tf.Tensor[]];
    save(numbers.mask ? [x, ...w, numbers.mask] : [x, ...w]);
    return {
      value: tf.tidy(() => {
        const change = project(
          hidden(rowsOf(x), unflatten(w, count), numbers).activated,
          unflatten(w, count).up,
        );
        return tf.add(y, tf.reshape(scaled(change, numbers.scale), y.shape));
      }),
      gradFunc: (dy: tf.Tensor, [x, ...rest]: tf.Tensor[]) =>
        tf.tidy(() => {
          const mask = numbers.mask && (rest.pop() as tf.Tensor2D);
          const [dX, ...others] = backward(dy, x!, unflatten(rest, count), { ...numbers, mask });
          return [tf.clone(dy), tf.reshape(dX!, x!.shape), ...others];
        }) as unknown as tf.Tensor,
    };
  });
  return op(y, x, ...flatten(weights));
}

/**
 * `y + (x · factors… + bias)`: holds x and the weights between forward and backward, nothing of the size of y.
 *
 * @param y [..., C].
 * @param x Rows, [rows, width].
 */
export function addProjection(y: tf.Tensor, x: tf.Tensor2D, { factors, bias }: Projection): tf.Tensor {
  const part = (list: tf.Tensor[]) => ({
    factors: list.slice(0, -1) as tf.Tensor2D[],
    bias: list.at(-1) as tf.Tensor1D,
  });
  const op = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const [y, x, ...w] = args as [tf.Tensor, tf.Tensor2D, ...tf.Tensor[]];
    save([x, ...w]);
    return {
      value: tf.tidy(() => tf.add(y, tf.reshape(project(x, part(w)), y.shape))),
      gradFunc: (dy: tf.Tensor, [x, ...w]: tf.Tensor[]) =>
        tf.tidy(() => [
          tf.clone(dy),
          ...projectBackward(x as tf.Tensor2D, part(w), rowsOf(dy)),
        ]) as unknown as tf.Tensor,
    };
  });
  return op(y, x, ...factors, bias);
}

const scaled = (x: tf.Tensor, scale: number): tf.Tensor => (scale === 1 ? x : tf.mul(x, scale));

function project(x: tf.Tensor2D, { factors, bias }: Projection): tf.Tensor2D {
  const last = factors.at(-1)!;
  const before = factors.slice(0, -1).reduce((t, factor) => tf.matMul(t, factor), x);
  return tf.add(tf.matMul(before, last), bias);
}

/** What lies between the projections, [rows, width]: in front of the activation, and what `up` reads. */
function hidden(x: tf.Tensor2D, { down }: BottleneckWeights, { activation, mask }: BottleneckNumbers) {
  const before = project(x, down);
  const active = activation === 'gelu' ? gelu(before) : tf.relu(before);
  return { before, activated: mask ? tf.mul<tf.Tensor2D>(active, mask) : active };
}

/** The gradients of x and the weights, in the order of {@link flatten}. */
function backward(dy: tf.Tensor, x: tf.Tensor, weights: BottleneckWeights, numbers: BottleneckNumbers) {
  const rows = rowsOf(x);
  const d = scaled(rowsOf(dy), numbers.scale) as tf.Tensor2D;
  const { before, activated } = tf.tidy(() => hidden(rows, weights, numbers));
  const [dActivated, ...up] = projectBackward(activated, weights.up, d);
  const dBefore = tf.tidy(() => {
    const masked = numbers.mask ? tf.mul(dActivated!, numbers.mask) : dActivated!;
    return tf.mul(masked, slope(before, numbers.activation)) as tf.Tensor2D;
  });
  return [...projectBackward(rows, weights.down, dBefore), ...up];
}

/** The gradients of the input, the factors and the bias. */
function projectBackward(x: tf.Tensor2D, { factors }: Projection, dy: tf.Tensor2D): tf.Tensor[] {
  const inputs = [x];
  for (const factor of factors.slice(0, -1)) inputs.push(tf.matMul(inputs.at(-1)!, factor));
  let d = dy;
  const grads = factors.map((_, i) => {
    const at = factors.length - 1 - i;
    const grad = tf.matMul(tf.transpose(inputs[at]!), d);
    d = tf.matMul(d, tf.transpose(factors[at]!));
    return grad;
  });
  return [d, ...grads.reverse(), tf.sum(dy, 0)];
}

/** The derivative of the activation. */
function slope(x: tf.Tensor, activation: 'gelu' | 'relu'): tf.Tensor {
  return tf.tidy(() => {
    if (activation === 'relu') return tf.cast(tf.greater(x, 0), 'float32');
    const cdf = tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
    const density = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return tf.add(cdf, tf.mul(x, density));
  });
}

const flatten = ({ down, up }: BottleneckWeights): tf.Tensor[] => [
  ...down.factors,
  down.bias,
  ...up.factors,
  up.bias,
];

function unflatten(list: tf.Tensor[], count: number): BottleneckWeights {
  const part = (from: number, to: number) => ({
    factors: list.slice(from, to) as tf.Tensor2D[],
    bias: list[to] as tf.Tensor1D,
  });
  return { down: part(0, count), up: part(count + 1, list.length - 1) };
}
