/**
 * LoRA on a model that comes from Keras: loads `model.json`, trains low-rank changes of its dense layers, merges them, and
 * writes a plain model again, which runs wherever TensorFlow.js runs.
 *
 *   node examples/lora-on-keras.mjs
 *
 * The model is a small vision transformer with random weights, made in Keras and converted by tensorflowjs_converter
 * (packages/adapter-core/test/models/make-keras-models.py).
 */
import '@tensorflow/tfjs-backend-wasm';
import { fileURLToPath } from 'node:url';
import { adapt, lora, modelFile } from '@e3va/adapter-core';
import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { digitImages } from './lib/digits.mjs';

await tf.setBackend('wasm');
registerTrainingKernels(); // what the wasm backend lacks for training

const path = fileURLToPath(new URL('../packages/adapter-core/test/models/vit_like', import.meta.url));
const keras = await tfl.loadLayersModel(modelFile(path));
const adapted = adapt(keras, lora({ targets: /_(query|value|mlp1|mlp2)$|^head$/, rank: 4 }));
adapted.summary();

const kinds = [0, 1, 2, 3, 4];
const train = await digitImages(400, { side: 32, kinds });
const val = await digitImages(100, { side: 32, kinds, first: 500 });
adapted.model.compile({
  optimizer: tf.train.adam(1e-2),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});
const percent = (model) => {
  const right = tf.equal(tf.argMax(model.predict(val.xs), 1), tf.argMax(val.ys, 1));
  return `${(100 * tf.mean(tf.cast(right, 'float32')).dataSync()[0]).toFixed(0)} %`;
};
console.log(`before: ${percent(adapted.model)} right (chance: 20 %)`);
await adapted.model.fit(train.xs, train.ys, { epochs: 10, batchSize: 20, verbose: 0 });
console.log(`after: ${percent(adapted.model)}`);
console.log(`the base itself, adapter off: ${adapted.disableAdapter(() => percent(adapted.model))}`);

const merged = adapted.mergeAndUnload(); // the Keras model's own layers, with other weights
console.log(`merged: ${percent(merged)}`);
await merged.save(modelFile('runs/merged')); // runs/merged/model.json and weights.bin
await adapted.saveAdapter('runs/lora'); // runs/lora.safetensors
