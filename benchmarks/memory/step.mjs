// One case and one method in a process of its own: prints one line of JSON. Argument: the case as JSON.
import { adapt, e3va, frozen, full } from '@e3va/adapter-core';
import { maskRcnn } from '@e3va/det-heads';
import { measure } from '@e3va/highway-grad';
import { segmentationLoss, uperNet } from '@e3va/seg-heads';
import { swin, swinPresets } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { AdamW, useBackend } from 'e3va';

const { backend, backbone, size, batch, head, method, steps } = JSON.parse(process.argv[2]);
await useBackend(backend);
const adapted = adapt(swin(swinPresets[backbone]), { full, frozen, e3va }[method]());
const images = tf.randomNormal([batch, ...size, 3], 0, 1, 'float32', 1);
const heads = { upernet: segmentationHead, 'mask-rcnn': detectionHead };
const { weights: headWeights, loss: headLoss } = head
  ? heads[head.name]()
  : { weights: [], loss: meanSquare };
const weights = [...adapted.trainableWeights, ...headWeights];
const variables = weights.map((w) => w.read());
const optimizer = new AdamW({ learningRate: 1e-4 });

/** Mean square of the pyramid. */
function meanSquare(levels) {
  return tf.addN(levels.map((level) => tf.mean(tf.square(level))));
}

/** UPerNet with its cross-entropy on random labels. */
function segmentationHead() {
  const { classes, channels } = head;
  const decoder = uperNet({ levels: adapted.levels, classes, channels });
  const labels = tf.randomUniform([batch, ...size], 0, classes, 'int32', 2);
  const loss = (levels) => segmentationLoss({ logits: decoder.apply(levels, { training: true }) }, labels);
  return { weights: decoder.trainableWeights, loss };
}

/** Mask R-CNN with eight square objects in each image. */
function detectionHead() {
  const { classes, preset } = head;
  const [height, width] = size;
  const detector = maskRcnn({ levels: adapted.levels, classes, preset });
  const corners = Array.from({ length: 8 }, (_, i) => [(i % 4) * (width >> 2), (i >> 2) * (height >> 1)]);
  const side = width >> 3;
  const targets = {
    boxes: Float32Array.from(corners.flatMap(([x, y]) => [x, y, x + side, y + side])),
    labels: Int32Array.from(corners, (_, i) => i % classes),
    masks: { height, width, data: new Uint8Array(corners.length * height * width) },
  };
  corners.forEach(([x, y], i) => {
    for (let row = y; row < y + side; row++) {
      const at = (i * height + row) * width + x;
      targets.masks.data.fill(1, at, at + side);
    }
  });
  const all = Array(batch).fill(targets);
  const sizes = Array(batch).fill({ height, width });
  const loss = (levels) => detector.loss(levels, all, sizes, { rng: () => 0 }).total;
  const weights = Object.values(detector.models).flatMap((model) => model.trainableWeights);
  return { weights, loss };
}

function step() {
  const start = performance.now();
  const taps = adapted.taps(images);
  const { value, grads } = tf.variableGrads(
    () => tf.tidy(() => headLoss(adapted.pyramid(taps, { training: true }))),
    variables,
  );
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
