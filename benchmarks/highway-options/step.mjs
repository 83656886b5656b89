// One set of options in a process of its own: steps of backbone and highway on Swin-T 448²; prints medians as JSON.
import { adapt, e3va } from '@e3va/adapter-core';
import { measure } from '@e3va/highway-grad';
import { swin, swinPresets } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { AdamW, useBackend } from 'e3va';

const { backend, side, steps, options } = JSON.parse(process.argv[2]);
await useBackend(backend);
const adapted = adapt(swin(swinPresets.tiny), e3va(options));
const images = tf.randomNormal([1, side, side, 3], 0, 1, 'float32', 1);
const variables = adapted.trainableWeights.map((w) => w.read());
const optimizer = new AdamW({ learningRate: 1e-4 });

function step() {
  const start = performance.now();
  const taps = adapted.taps(images);
  const { value, grads } = tf.variableGrads(
    () =>
      tf.tidy(() => {
        const levels = adapted.pyramid(taps, { training: true });
        // the tape has its own hold on what the backward pass needs
        tf.dispose(taps);
        return tf.addN([
          ...levels.map((level) => tf.mean(tf.square(level))),
          ...adapted.highway.calculateLosses(),
        ]);
      }),
    variables,
  );
  optimizer.applyGradients(grads);
  tf.dispose(grads);
  value.dataSync();
  value.dispose();
  return performance.now() - start;
}

step();
const rows = [];
for (let i = 0; i < steps; i++) {
  globalThis.gc?.();
  const { result, growthBytes } = await measure(step);
  rows.push({ milliseconds: result, bufferBytes: growthBytes });
}
const median = (key) => rows.map((row) => row[key]).sort((a, b) => a - b)[rows.length >> 1];
const costs = {
  milliseconds: median('milliseconds'),
  bufferBytes: median('bufferBytes'),
  savedBytes: savedBytes(),
};
console.log(JSON.stringify({ trainable: adapted.parameters.trainable, ...costs }));

/** What of the frozen half's results is held for the backward pass: all but the sums of packed taps. */
function savedBytes() {
  const taps = adapted.taps(images);
  const bytes = adapted.frozen.model.outputs.map(({ sourceLayer }, i) =>
    sourceLayer.getClassName() === 'E3vaStreamChange' ? 0 : taps[i].size * 4,
  );
  tf.dispose(taps);
  return bytes.reduce((a, b) => a + b, 0);
}
