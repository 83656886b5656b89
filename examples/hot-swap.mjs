/**
 * Two adapters on one base, swapped while the model runs: one tells round digits from straight ones, the other says whether
 * a digit is 0 or 1, or another. Both are trained on one forward of the frozen half, and both answer from one.
 *
 *   node examples/hot-swap.mjs
 */
import '@tensorflow/tfjs-backend-wasm';
import { adapt, e3va } from '@e3va/adapter-core';
import { registerTrainingKernels } from '@e3va/highway-grad';
import { loadSwin } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { digitImages } from './lib/digits.mjs';

await tf.setBackend('wasm');
registerTrainingKernels();

// a backbone with a pooled feature, and adapters with a head each
const swin = await loadSwin('nano');
const pooled = tfl.layers.globalAveragePooling2d({}).apply(swin.outputs.at(-1));
const adapted = adapt(tfl.model({ inputs: swin.inputs, outputs: pooled }), e3va(), { adapterName: 'round' });
adapted.addAdapter('binary');

/** 1 or 0 for the digits 0, 1, 2, 3. */
const answers = { round: [1, 0, 0, 1], binary: [1, 1, 0, 0] };
const names = Object.keys(answers);
const heads = Object.fromEntries(
  names.map((name) => {
    const head = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [256] })] });
    return [name, head];
  }),
);
const score = (name) => (levels) => tf.sigmoid(tf.squeeze(heads[name].apply(levels[0]), [1]));

const targets = (ys, name) => tf.squeeze(tf.matMul(ys, tf.tensor2d(answers[name], [4, 1])), [1]);
const jobs = (ys) =>
  Object.fromEntries(
    names.map((name) => [
      name,
      {
        optimizer: optimizers[name],
        loss: (levels) => tf.losses.logLoss(targets(ys, name), score(name)(levels)),
        variables: heads[name].trainableWeights.map((w) => w.read()),
      },
    ]),
  );
const optimizers = Object.fromEntries(names.map((name) => [name, tf.train.adam(3e-3)]));

const normalised = (xs) => tf.div(tf.sub(xs, 0.5), 0.25);
for (let step = 0; step < 20; step++) {
  const { xs, ys } = await digitImages(16, { first: 4 * step });
  const losses = await adapted.trainStep(normalised(xs), jobs(ys));
  if (step % 5 === 4) console.log({ step: step + 1, ...losses });
  tf.dispose([xs, ys]);
}

const { xs, ys } = await digitImages(40, { first: 600 });
const many = adapted.predictMany(normalised(xs), { round: score('round'), binary: score('binary') });
for (const name of names) {
  const right = tf.mean(
    tf.cast(tf.equal(tf.greater(many[name], 0.5), tf.greater(targets(ys, name), 0.5)), 'float32'),
  );
  console.log(`${name}: ${(100 * right.dataSync()[0]).toFixed(0)} % right (chance: 50 %)`);
}

const start = performance.now();
adapted.setAdapter('binary');
console.log(`swapped to '${adapted.activeAdapter}' in ${(performance.now() - start).toFixed(2)} ms`);
for (const name of adapted.listAdapters()) await adapted.saveAdapter(`runs/${name}`, { name });
