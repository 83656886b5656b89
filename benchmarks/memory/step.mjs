// One case and one method in a process of its own: prints one line of JSON. Argument: the case as JSON.
import { adapt, e3va, frozen, full } from '@e3va/adapter-core';
import { measure } from '@e3va/highway-grad';
import { segmentationLoss, uperNet } from '@e3va/seg-heads';
import { swin, swinPresets } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { AdamW, useBackend } from 'e3va';

const { backend, backbone, size, batch, head, method, steps } = JSON.parse(process.argv[2]);
await useBackend(backend);
const adapted = adapt(swin(swinPresets[backbone]), { full, frozen, e3va }[method]());
const decoder = head && uperNet({ levels: adapted.levels, classes: head.classes, channels: head.channels });
const weights = [...adapted.trainableWeights, ...(decoder?.trainableWeights ?? [])];
const variables = weights.map((w) => w.read());
const optimizer = new AdamW({ learningRate: 1e-4 });
const images = tf.randomNormal([batch, ...size, 3], 0, 1, 'float32', 1);
const labels = head && tf.randomUniform([batch, ...size], 0, head.classes, 'int32', 2);

/** Mean square of the pyramid, or the head's cross-entropy. */
function lossOf(taps) {
  const levels = adapted.pyramid(taps, { training: true });
  if (!decoder) return tf.addN(levels.map((level) => tf.mean(tf.square(level))));
  return segmentationLoss({ logits: decoder.apply(levels, { training: true }) }, labels);
}

function step() {
  const start = performance.now();
  const taps = adapted.taps(images);
  const { value, grads } = tf.variableGrads(() => tf.tidy(() => lossOf(taps)), variables);
  tf.dispose(taps);
  optimizer.applyGradients(grads);
  tf.dispose(grads);
  const loss = value.dataSync()[0];
  variables[0].dataSync();
  value.dispose();
  return { loss, milliseconds: performance.now() - start };
}

globalThis.gc?.();
// the first step allocates the optimiser's moments and warms every kernel up
const whole = await measure(() => [step(), ...Array.from({ length: steps }, step)].slice(1));
const times = whole.result.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
const { result, ...measured } = await measure(step);
console.log(
  JSON.stringify({
    method,
    trainable: adapted.parameters.trainable,
    milliseconds: times[times.length >> 1],
    bufferBytes: measured.growthBytes,
    heldBytes: measured.startBytes,
    residentBytes: whole.residentBytes,
    loss: result.loss,
    tensors: tf.memory().numTensors,
  }),
);
