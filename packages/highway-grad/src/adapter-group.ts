import * as tf from '@tensorflow/tfjs-core';
import { geluDerivative, normalCdf } from './gelu.ts';
import type { LowRankWeights, PqWeights } from './highway-weights.ts';

/** Some adapters of a stage, worked through at once: off the tape. */
export interface AdapterGroup {
  /** Their taps as rows [n, C]. */
  taps: tf.Tensor2D[];
  /** Their share of the weights. */
  weights: PqWeights;
  /** Batch, height and width of the maps that the rows are; for mixing. */
  map: [number, number, number];
}

/** Width-m temporaries of one group of adapters stay below this; a stage is worked through group by group. */
const groupBytes = 2 * 2 ** 20;

/** How many adapters of hidden width m on n rows are worked through at once. */
export const groupSize = (rows: number, width: number): number =>
  Math.max(1, Math.floor(groupBytes / (rows * width * 4)));

/**
 * The sum of the adapters' changes E_i(u_i) - u_i, [n, C]: [G_1 q_1 … G_k q_k]·[p_1; …; p_k] + Σ bias is one matrix
 * product.
 */
export function groupChange(group: AdapterGroup): tf.Tensor {
  return tf.tidy(() => {
    const { down, up } = group.weights;
    const a2 = tf.tidy(() => batched(activation(hidden(reduced(group.taps, down), group).mixed), up.q));
    // [g, n, r] -> [n, g, r] -> [n, gr]
    const joined = tf.reshape(tf.transpose(a2, [1, 0, 2]), [a2.shape[1]!, -1]);
    const channels = up.p.shape[2];
    return tf.add(tf.matMul(joined, tf.reshape(up.p, [-1, channels])), tf.sum(up.bias, 0));
  });
}

/** The gradients of a group's weights but for the bias of the up projection, and of its taps if asked for. */
export interface GroupGradients {
  /** Of down.q, down.p, down.bias, up.q, up.p. */
  weights: tf.Tensor[];
  mixing: tf.Tensor[];
  /** Through the changes alone, each [n, C]. */
  taps: tf.Tensor[];
}

/**
 * The backward pass of {@link groupChange}: everything of the hidden width is computed again.
 *
 * @param d The gradient of the sum, [n, C].
 * @param tapGradients Whether the taps' own gradients are wanted.
 */
export function groupGradients(group: AdapterGroup, d: tf.Tensor2D, tapGradients: boolean): GroupGradients {
  const { taps, weights } = group;
  const { down, up, mixing } = weights;
  const channels = d.shape[1];
  const a1 = reduced(taps, down);
  const { h, activated, slope } = tf.tidy(() => {
    const { h, mixed } = hidden(a1, group);
    const cdf = normalCdf(mixed);
    return {
      slope: geluDerivative(mixed, cdf) as tf.Tensor3D,
      activated: tf.mul(mixed, cdf) as tf.Tensor3D,
      h: mixing ? h : undefined,
    };
  });
  const [g, n, r] = [taps.length, d.shape[0], up.q.shape[2]];
  // up: a2 = activated·q, y = Σ a2·p. No product needs a large tensor transposed.
  const upP = tf.tidy(() =>
    tf.reshape(tf.matMul(tf.reshape(swap(batched(activated, up.q)), [g * r, n]), d), up.p.shape),
  );
  const dA2 = tf.tidy(() => {
    const joined = tf.matMul(d, tf.transpose(tf.reshape(up.p, [g * r, channels]))); // [n, gr]
    return tf.transpose(tf.reshape(joined, [n, g, r]), [1, 0, 2]);
  }) as tf.Tensor3D; // [g, n, r]
  const upQ = tf.tidy(() => swap(batched(swap(dA2), activated))); // ([g, r, n]·[g, n, m])ᵀ
  activated.dispose();
  let dH = tf.tidy(() => tf.mul(batched(dA2, swap(up.q)), slope)) as tf.Tensor3D;
  slope.dispose();
  const filters: tf.Tensor[] = [];
  if (mixing && h) {
    filters.push(filterGradients(h, dH, group.map));
    h.dispose();
    const mixed = dH;
    // the transposed filter is the rotated one
    dH = mix(mixed, tf.reverse(mixing, [1, 2]), group.map);
    mixed.dispose();
  }
  // down: h = a1·p + bias, a1 = u·q
  const downP = batched(swap(a1), dH);
  const downBias = tf.sum(dH, 1);
  const dA1 = swap(batched(dH, swap(down.p))); // [g, r, n]
  dH.dispose();
  const perTap = tf.unstack(dA1).map((t, i) => tf.matMul(t as tf.Tensor2D, taps[i]!)); // [r, C]
  const downQ = swap(tf.stack(perTap) as tf.Tensor3D);
  const back = tapGradients ? tf.unstack(batched(swap(dA1), swap(down.q))) : [];
  return { weights: [downQ, downP, downBias, upQ, upP], mixing: filters, taps: back };
}

/** In front of the GELU, before and after mixing: the same tensor without mixing. */
function hidden(a1: tf.Tensor3D, { weights, map }: AdapterGroup): { h: tf.Tensor3D; mixed: tf.Tensor3D } {
  const h = widened(a1, weights.down);
  return { h, mixed: weights.mixing ? mix(h, weights.mixing, map) : h };
}

/** h + filter ∗ h for every adapter; h [g, n, m], filters [g, 3, 3, m]. */
function mix(h: tf.Tensor3D, filters: tf.Tensor4D, map: [number, number, number]): tf.Tensor3D {
  return tf.tidy(() => {
    const [, rows, width] = h.shape;
    const kernels = tf.unstack(tf.expandDims(filters, 4)) as tf.Tensor4D[];
    const maps = tf.unstack(h).map((one, i) => {
      const x = tf.reshape(one, [...map, width]) as tf.Tensor4D;
      return tf.reshape(tf.add(x, tf.depthwiseConv2d(x, kernels[i]!, 1, 'same')), [rows, width]);
    });
    return tf.stack(maps) as tf.Tensor3D;
  });
}

/** The gradients of the filters of {@link mix}, [g, 3, 3, m]. */
function filterGradients(h: tf.Tensor3D, dy: tf.Tensor3D, map: [number, number, number]): tf.Tensor {
  return tf.tidy(() => {
    const width = h.shape[2];
    const attrs = {
      strides: 1,
      pad: 'same',
      dilations: 1,
      dimRoundingMode: null,
      filterShape: [3, 3, width, 1],
    };
    const maps = (t: tf.Tensor3D) => tf.unstack(t).map((one) => tf.reshape(one, [...map, width]));
    const [xs, ds] = [maps(h), maps(dy)];
    const grads = xs.map((x, i) =>
      tf.reshape(
        tf
          .engine()
          .runKernel(
            'DepthwiseConv2dNativeBackpropFilter',
            { x, dy: ds[i]! },
            attrs as unknown as tf.NamedAttrMap,
          ) as tf.Tensor,
        [3, 3, width],
      ),
    );
    return tf.stack(grads);
  });
}

/** Every tap times its first factor: [g, n, r]. */
function reduced(taps: tf.Tensor2D[], { q }: LowRankWeights): tf.Tensor3D {
  return tf.tidy(() => {
    const factors = tf.unstack(q) as tf.Tensor2D[];
    return tf.stack(taps.map((u, i) => tf.matMul(u, factors[i]!))) as tf.Tensor3D;
  });
}

/** From the rank to the hidden width: [g, n, m]. */
function widened(a1: tf.Tensor3D, { p, bias }: LowRankWeights): tf.Tensor3D {
  return tf.tidy(() => tf.add(batched(a1, p), tf.expandDims(bias, 1)));
}

const activation = (h: tf.Tensor3D): tf.Tensor3D => tf.mul(h, normalCdf(h));
const batched = (a: tf.Tensor3D, b: tf.Tensor3D): tf.Tensor3D => tf.matMul(a, b);
const swap = (x: tf.Tensor3D): tf.Tensor3D => tf.transpose(x, [0, 2, 1]);
