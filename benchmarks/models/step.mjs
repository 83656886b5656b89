// One backbone and one method in a process of its own: prints one line of JSON. Arguments: name in the catalogue, method, side of the image.
import { adapt, e3va, full, lora } from '@e3va/adapter-core';
import { convNeXt, convNeXtPresets, dinov2Presets, vit, vitPresets } from '@e3va/backbones';
import { measure } from '@e3va/highway-grad';
import { swin, swinPresets, swinV2, swinV2Presets } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { AdamW, useBackend } from 'e3va';

const [name, method, side] = process.argv.slice(2);
const families = [
  ['swin-v2-', swinV2Presets, swinV2],
  ['swin-', swinPresets, swin],
  ['convnext-', convNeXtPresets, convNeXt],
  ['vit-', vitPresets, vit],
  ['dinov2-', dinov2Presets, vit],
];
const [prefix, presets, build] = families.find(([start]) => name.startsWith(start));

await useBackend('wasm');
const base = build(presets[name.slice(prefix.length)]);
const adapted = adapt(base, { e3va, lora, full }[method]());
const images = tf.randomNormal([1, Number(side), Number(side), 3], 0, 1, 'float32', 1);
const variables = adapted.trainableWeights.map((weight) => weight.read());
const optimizer = new AdamW({ learningRate: 1e-4 });

function step() {
  const taps = adapted.taps(images);
  const { value, grads } = tf.variableGrads(
    () => tf.tidy(() => tf.addN(adapted.pyramid(taps, { training: true }).map((x) => tf.mean(tf.square(x))))),
    variables,
  );
  tf.dispose(taps);
  optimizer.applyGradients(grads);
  tf.dispose(grads);
  value.dispose();
}

step(); // makes the moments
const { peakBytes } = await measure(step);
console.log(JSON.stringify({ peakBytes }));
