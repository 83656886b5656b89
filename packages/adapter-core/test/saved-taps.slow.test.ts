import { measure, registerTrainingKernels } from '@e3va/highway-grad';
import { loadSwin } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { beforeAll, expect, it } from 'vitest';
import { type Adapted, adapt, e3va } from '../src/index.ts';

let base: LayersModel;
/** A highway's weights after some steps of training, by name. */
let trained: Awaited<ReturnType<Adapted['adapterTensors']>>;
const images = () => tf.randomNormal([2, 128, 128, 3], 0, 1, 'float32', 5);

/** Pulls the pyramid's two halves of the batch apart: a loss whose gradient reaches every adapter. */
function lossOf(adapted: Adapted, x: tf.Tensor): tf.Scalar {
  return tf.tidy(() => {
    const scores = adapted.apply(x, { training: true }).map((level) => tf.mean(level, [1, 2]));
    const parts = scores.map((score, i) => {
      const logits = tf.matMul(
        score as tf.Tensor2D,
        tf.randomNormal([score.shape[1]!, 4], 0, 0.3, 'float32', i + 1),
      );
      return tf.losses.softmaxCrossEntropy(tf.oneHot(tf.tensor1d([i % 4, (i + 2) % 4], 'int32'), 4), logits);
    });
    return tf.addN(parts) as tf.Scalar;
  });
}

const variablesOf = (adapted: Adapted) => adapted.trainableWeights.map((w) => w.read() as tf.Variable);

beforeAll(async () => {
  await tf.setBackend('wasm');
  await tf.ready();
  registerTrainingKernels();
  base = (await loadSwin('nano')) as LayersModel;
  const adapted = adapt(base, e3va());
  const optimizer = tf.train.adam(2e-3);
  const x = images();
  for (let i = 0; i < 15; i++) optimizer.minimize(() => lossOf(adapted, x), false, variablesOf(adapted));
  trained = await adapted.adapterTensors();
  tf.dispose(x);
});

/** Larger than everything else that a step makes: where it stands is the step's peak. */
const ballast = 50_000_000;

/** The loss; behind the forward pass, when the backward pass begins, the ballast stands for a moment beside what is held. */
function loaded(loss: tf.Scalar): tf.Scalar {
  const op = tf.customGrad((x) => ({
    value: tf.clone(x as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => {
      tf.zeros([ballast / 4]).dispose();
      return tf.clone(dy);
    },
  }));
  return op(loss) as tf.Scalar;
}

/** Gradients by name, the bytes of the packed taps or of the taps, and all that is held when the backward pass begins. */
async function step(savedTaps: 'fp32' | 'int16' | 'int8' | 'recompute') {
  const adapted = adapt(base, e3va({ savedTaps }));
  adapted.setAdapterTensors(trained);
  const x = images();
  const variables = variablesOf(adapted);
  const run = () => tf.variableGrads(() => loaded(lossOf(adapted, x)), variables);
  tf.dispose(run() as unknown as tf.TensorContainer);
  const { result, growthBytes } = await measure(run);
  const names = adapted.trainableWeights.map((w) => w.originalName);
  const grads = new Map(names.map((name, i) => [name, result.grads[variables[i]!.name]!]));
  const taps = adapted.taps(x);
  const bytes = adapted.frozen.model.outputs.map(({ sourceLayer }, i) =>
    sourceLayer.getClassName() === 'E3vaPackTap' || /\.(attn|mlp)$/.test(sourceLayer.name)
      ? taps[i]!.size * 4
      : 0,
  );
  return { grads, heldBytes: growthBytes - ballast, tapBytes: bytes.reduce((a, b) => a + b, 0) };
}

const norm = (list: tf.Tensor[]) =>
  Math.sqrt(list.reduce((sum, t) => sum + tf.sum(tf.square(t)).dataSync()[0]!, 0));

/** How far the gradients of each adapter are off; a stage's adapters are stacked along the first axis. */
function eachAdapter(
  names: string[],
  grads: Map<string, tf.Tensor>,
  exact: Map<string, tf.Tensor>,
): number[] {
  const stages = [...new Set(names.map((name) => name.replace(/\/.*/, '')))];
  return stages.flatMap((stage) => {
    const own = names.filter((name) => name.startsWith(`${stage}/`));
    const parts = (all: Map<string, tf.Tensor>) => own.map((name) => tf.unstack(all.get(name)!));
    const [is, was] = [parts(grads), parts(exact)];
    return was[0]!.map(
      (_, i) => norm(is.map((t, j) => tf.sub(t[i]!, was[j]![i]!))) / norm(was.map((t) => t[i]!)),
    );
  });
}

it('packed and recomputed taps: bytes, peak and gradients against the exact ones, on a trained highway', async () => {
  const exact = await step('fp32');
  const rows = [];
  for (const [savedTaps, bytes, limit] of [
    ['int16', 0.55, 1e-3],
    ['int8', 0.3, 0.01],
    ['recompute', 0.01, 1e-4],
  ] as const) {
    const { grads, heldBytes, tapBytes } = await step(savedTaps);
    const adapters = [...exact.grads.keys()].filter((name) => name.includes('stage'));
    const off = (names: string[]) =>
      norm(names.map((n) => tf.sub(grads.get(n)!, exact.grads.get(n)!))) /
      norm(names.map((n) => exact.grads.get(n)!));
    const each = eachAdapter(adapters, grads, exact.grads);
    // one for each attention and each MLP
    expect(each).toHaveLength(20);
    const worst = Math.max(...adapters.map((name) => off([name])), ...each);
    rows.push({
      savedTaps,
      bytes: tapBytes / exact.tapBytes,
      held: heldBytes / exact.heldBytes,
      all: off(adapters),
      worst,
    });
    expect(tapBytes).toBeLessThan(bytes * exact.tapBytes);
    expect(off(adapters)).toBeLessThan(limit);
    expect(worst).toBeLessThan(limit);
    // what is spared of the taps is not held in another form; recomputed ones need what their stages start from
    const spared = exact.heldBytes - heldBytes;
    if (savedTaps === 'recompute') expect(spared).toBeGreaterThan(0.6 * exact.tapBytes);
    else expect(Math.abs(spared / (exact.tapBytes - tapBytes) - 1)).toBeLessThan(0.01);
  }
  console.table(rows);
});
