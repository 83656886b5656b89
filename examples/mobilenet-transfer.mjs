/**
 * MobileNet transfer in fifteen lines: a MobileNetV2 that knows photos learns to read digits. The base is never on the
 * gradient tape; what is trained is saved in a small file.
 *
 *   node examples/mobilenet-transfer.mjs
 */
import '@tensorflow/tfjs-backend-wasm';
import { adapt, e3va } from '@e3va/adapter-core';
import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { digitImages } from './lib/digits.mjs';
import { loadMobileNet } from './lib/mobilenet.mjs';

await tf.setBackend('wasm');
registerTrainingKernels(); // what the wasm backend lacks for training

const mobileNet = await loadMobileNet();
const features = tfl.model({ inputs: mobileNet.inputs, outputs: mobileNet.getLayer('flatten_1').output });
const adapted = adapt(features, e3va());
adapted.summary();
const head = tfl.layers.dense({ units: 4, activation: 'softmax' });
const classifier = tfl.sequential({ layers: [adapted.model, head] });
classifier.compile({
  optimizer: tf.train.adam(3e-3),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});
const [train, val] = [await digitImages(80, { side: 224 }), await digitImages(24, { side: 224, first: 500 })];
await classifier.fit(train.xs, train.ys, {
  epochs: 5,
  batchSize: 8,
  verbose: 0,
  callbacks: { onEpochEnd: (epoch, { loss, acc }) => console.log({ epoch, loss, acc }) },
});
const [, accuracy] = classifier.evaluate(val.xs, val.ys, { batchSize: 8 });
console.log(
  `accuracy on digits it has not seen: ${(100 * accuracy.dataSync()[0]).toFixed(0)} % (chance: 25 %)`,
);
await adapted.saveAdapter('runs/digits'); // runs/digits.safetensors
