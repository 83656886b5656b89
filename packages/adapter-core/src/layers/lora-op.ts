import * as tf from '@tensorflow/tfjs-core';
import { type LinearMap, rowsOf } from './linear-map.ts';
import { eachPart, type LoraChange } from './lora-kernel.ts';

/** The frozen part of {@link loraAffine}. */
export interface FrozenAffine {
  map: LinearMap;
  kernel: tf.Tensor;
  bias?: tf.Tensor;
}

/** The trained part of {@link loraAffine}. */
export interface LoraFactors {
  /** The map's kernel to the ranks of all parts, part after part: [..., in, parts · r]. */
  a: tf.Tensor;
  /** From the ranks to the outputs of each part, [parts, r, size]. */
  b: tf.Tensor3D;
  /** DoRA: what each output is multiplied by, [out]. */
  gate?: tf.Tensor1D;
}

/** The numbers of {@link loraAffine}. */
export interface LoraNumbers extends LoraChange {
  /** Dropout of the low-rank part's input: of the shape of x, 0 or 1 / (1 - rate). */
  mask?: tf.Tensor;
}

/**
 * LoRA on an affine map: `y = x W + b + s · (x A) B`, and with a gate g (DoRA) `y = b + g ∘ (x W + s · (x A) B)`.
 *
 * The gradient is hand-written: it reaches x, A, B and g, never W or b. Between forward and backward only x, the
 * low-rank product x A and the mask are held. With B zero and g one the result is the frozen layer's, bit for bit.
 *
 * With a mask m, A reads m ∘ x. Then, as in PEFT, the gate's part `(g - 1) ∘ (x W)` reads it as well.
 *
 * Source: Hu et al., arXiv 2106.09685; Liu et al., arXiv 2402.09353 (DoRA, with the norm as a constant).
 *
 * @param x What the layer of the base reads.
 * @returns What the layer of the base gives, changed.
 */
export function loraAffine(
  x: tf.Tensor,
  frozen: FrozenAffine,
  { a, b, gate }: LoraFactors,
  numbers: LoraNumbers,
): tf.Tensor {
  const given = gate ? [x, a, b, gate] : [x, a, b];
  const op = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const [x, a, b, gate] = args as [tf.Tensor, tf.Tensor, tf.Tensor3D, tf.Tensor1D?];
    const [y, low] = tf.tidy(() => forward(x, frozen, { a, b, gate }, numbers));
    const extras = [gate, numbers.mask].filter((t) => t !== undefined);
    save([x, low, a, b, ...extras]);
    return {
      value: y,
      gradFunc: (dy: tf.Tensor, [x, low, a, b, ...extras]: tf.Tensor[]) => {
        const factors = { a: a!, b: b as tf.Tensor3D, gate: gate && (extras[0] as tf.Tensor1D) };
        const all = { ...numbers, mask: numbers.mask && extras.at(-1) };
        return tf.tidy(() => backward(dy, x!, low!, frozen, factors, all)) as unknown as tf.Tensor;
      },
    };
  });
  return op(...given);
}

const masked = (x: tf.Tensor, mask?: tf.Tensor) => (mask ? tf.mul(x, mask) : x);

/** x W of the map without the bias, where nothing is dropped read off the frozen layer's own result. */
function product(x: tf.Tensor, { map, kernel, bias }: FrozenAffine, mask?: tf.Tensor, whole?: tf.Tensor) {
  if (mask || !whole) return map.apply(masked(x, mask), kernel);
  return bias ? tf.sub(whole, bias) : whole;
}

function forward(
  x: tf.Tensor,
  frozen: FrozenAffine,
  { a, b, gate }: LoraFactors,
  numbers: LoraNumbers,
): [y: tf.Tensor, low: tf.Tensor] {
  const whole = frozen.map.apply(x, frozen.kernel, frozen.bias);
  const { mask } = numbers;
  const low = frozen.map.apply(masked(x, mask), a);
  const delta = widened(low, b, whole.shape, numbers);
  if (!gate) return [tf.add(whole, delta), low];
  const changed = tf.add(tf.mul(product(x, frozen, mask, whole), tf.sub(gate, 1)), tf.mul(delta, gate));
  return [tf.add(whole, changed), low];
}

/** s · low B, zero in the parts without: the shape of the layer's result. */
function widened(low: tf.Tensor, b: tf.Tensor3D, shape: number[], { rank, scale, fused }: LoraChange) {
  return tf.tidy(() => {
    const rows = rowsOf(low);
    const factors = tf.unstack(tf.mul(b, scale)) as tf.Tensor2D[];
    const given = factors.map((factor, i) => tf.matMul(tf.slice(rows, [0, i * rank], [-1, rank]), factor));
    const all = eachPart(fused, given, () => tf.zerosLike(given[0]!));
    return tf.reshape(all.length === 1 ? all[0]! : tf.concat(all, 1), shape);
  });
}

/** The gradients with respect to x, A, B and, if there is one, the gate. */
function backward(
  dy: tf.Tensor,
  x: tf.Tensor,
  low: tf.Tensor,
  frozen: FrozenAffine,
  { a, b, gate }: LoraFactors,
  numbers: LoraNumbers,
): tf.Tensor[] {
  const { map, kernel } = frozen;
  const { rank, scale, mask, fused } = numbers;
  const size = b.shape[2];
  const gated = gate ? tf.mul(dy, gate) : dy;
  const parts = tf.tidy(() => {
    const scaled = rowsOf(tf.mul(gated, scale));
    return fused.on.map((i) => tf.slice(scaled, [0, i * size], [-1, size]));
  });
  const lowRows = rowsOf(low);
  const turned = tf.unstack(tf.transpose(b, [0, 2, 1])) as tf.Tensor2D[]; // [size, r] each
  const dB = tf.stack(
    parts.map((d, i) => tf.matMul(tf.transpose(tf.slice(lowRows, [0, i * rank], [-1, rank])), d)),
  );
  const dLow = tf.reshape(
    tf.concat(
      parts.map((d, i) => tf.matMul(d, turned[i]!)),
      1,
    ),
    low.shape,
  );
  const dA = tf.tidy(() => map.kernelGradient(masked(x, mask), dLow, a.shape));
  const fromLow = map.inputGradient(dLow, a, x.shape);
  // without a mask, the gate's part and the frozen one read the same x: one product for both
  const whole = map.inputGradient(mask ? dy : gated, kernel, x.shape);
  const extra =
    mask && gate ? tf.add(fromLow, map.inputGradient(tf.sub(gated, dy), kernel, x.shape)) : fromLow;
  const dX = tf.add(whole, masked(extra, mask));
  if (!gate) return [dX, dA, dB];
  const dGate = tf.tidy(() => {
    const ungated = tf.add(product(x, frozen, mask), widened(low, b, dy.shape, numbers));
    return tf.sum(rowsOf(tf.mul(dy, ungated)), 0);
  });
  return [dX, dA, dB, dGate];
}
