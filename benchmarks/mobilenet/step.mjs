// One method in a process of its own: steps of `fit` of MobileNetV2 with a new classifier on it; prints medians as JSON.
import { adapt, e3va, frozen, lora } from '@e3va/adapter-core';
import { measure } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { useBackend } from 'e3va';
import { loadMobileNet } from '../../examples/lib/mobilenet.mjs';

const { method, steps, batch, side, backend } = JSON.parse(process.argv[2]);
await useBackend(backend);

const mobileNet = await loadMobileNet();
const features = tfl.model({ inputs: mobileNet.inputs, outputs: mobileNet.getLayer('flatten_1').output });
const head = tfl.layers.dense({ units: 5, activation: 'softmax' });
const { model, trainable } = bodyOf(method);
const classifier = tfl.model({ inputs: model.inputs, outputs: head.apply(model.outputs[0]) });
classifier.compile({ optimizer: tf.train.adam(1e-3), loss: 'categoricalCrossentropy' });

const xs = tf.randomUniform([batch, side, side, 3], 0, 1, 'float32', 1);
const ys = tf.cast(tf.oneHot(labels(batch), 5), 'float32');
const step = () => classifier.fit(xs, ys, { batchSize: batch, epochs: 1, verbose: 0 });

const loaded = process.memoryUsage().rss;
await step(); // makes the optimizer's state, and what layers make at their first call
const rows = [];
let resident = 0;
for (let i = 0; i < steps; i++) {
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const { milliseconds, growthBytes, residentBytes } = await measure(step);
  rows.push({ milliseconds, bufferBytes: growthBytes });
  resident = Math.max(resident, before - loaded + residentBytes);
}
const median = (key) => rows.map((row) => row[key]).sort((a, b) => a - b)[rows.length >> 1];
console.log(
  JSON.stringify({
    method,
    trainable,
    milliseconds: median('milliseconds'),
    bufferBytes: median('bufferBytes'),
    residentBytes: resident,
  }),
);

function bodyOf(name) {
  if (name === 'full') {
    for (const layer of features.layers) layer.trainable = true;
    const weights = features.trainableWeights;
    return { model: features, trainable: weights.reduce((n, w) => n + tf.util.sizeFromShape(w.shape), 0) };
  }
  const methods = {
    e3va: () => e3va(),
    frozen: () => frozen(),
    lora: () => lora({ targets: /_(expand|project)$/ }),
  };
  const adapted = adapt(features, methods[name]());
  return { model: adapted.model, trainable: adapted.parameters.trainable };
}

function labels(count) {
  return tf.tensor1d(
    Array.from({ length: count }, (_, i) => i % 5),
    'int32',
  );
}
