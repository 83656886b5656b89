import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { registerTrainingKernels } from '@e3va/highway-grad';
import { beforeAll, describe, expect, it } from 'vitest';
import { normal } from '../../../../tests/support/tensors.ts';
import { cascadeRcnn } from './cascade-rcnn.ts';
import { fasterRcnn, maskRcnn } from './faster-rcnn.ts';
import type { RcnnOptions } from './presets.ts';

const levels = [8, 16, 32, 64].map((channels, i) => ({ name: `level${i}`, channels, stride: 4 << i }));
const size = { height: 128, width: 160 };
const features = () =>
  levels.map(({ channels, stride }, i) =>
    normal<tf.Rank.R4>([1, size.height / stride, size.width / stride, channels], i + 1),
  );
const boxes = [
  [8, 10, 60, 70],
  [70, 20, 140, 110],
  [20, 80, 50, 120],
];
const targets = {
  boxes: Float32Array.from(boxes.flat()),
  labels: Int32Array.of(0, 1, 2),
  masks: { ...size, data: Uint8Array.from(boxes.flatMap(ellipse)) },
};

/** The ellipse in a box. */
function ellipse([x1, y1, x2, y2]: number[]): number[] {
  return Array.from({ length: size.height * size.width }, (_, i) => {
    const [y, x] = [Math.floor(i / size.width) + 0.5, (i % size.width) + 0.5];
    const [u, v] = [(2 * x - x1! - x2!) / (x2! - x1!), (2 * y - y1! - y2!) / (y2! - y1!)];
    return u * u + v * v < 1 ? 1 : 0;
  });
}

/** Numbers that look random, the same each time. */
function seededRng(): () => number {
  let state = 7;
  return () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
}

describe.each([
  ['fasterRcnn', fasterRcnn, {}],
  ['maskRcnn', maskRcnn, {}],
  ['cascadeRcnn', cascadeRcnn, {}],
  [
    'cascadeRcnn with GIoU and convolutions',
    cascadeRcnn,
    {
      masks: false,
      boxLoss: 'giou',
      boxLossWeight: 10,
      boxHead: { convs: 2, norm: true, dense: 1, classAgnostic: false },
    },
  ],
] as const)('%s', (_, build, options) => {
  beforeAll(async () => {
    await tf.setBackend('wasm');
    registerTrainingKernels();
  });

  it('learns one image: twenty steps lower the loss, and leak nothing', () => {
    const detector = build({
      levels,
      classes: 3,
      preset: 'light',
      seed: 1,
      ...(options as Partial<RcnnOptions>),
    });
    const maps = features();
    const optimizer = tf.train.adam(1e-3);
    const rng = seededRng();
    const history: number[] = [];
    const counts: number[] = [];
    for (let step = 0; step < 21; step++) {
      const loss = optimizer.minimize(() => detector.loss(maps, [targets], [size], { rng }).total, true)!;
      history.push(loss.dataSync()[0]!);
      loss.dispose();
      counts.push(tf.memory().numTensors);
    }
    expect(history.at(-1)).toBeLessThan(0.7 * history[0]!);
    expect(counts.at(-1)).toBe(counts[1]);
  });
});

describe('the presets', () => {
  const count = (detector: ReturnType<typeof maskRcnn>) =>
    Object.values(detector.models).reduce((sum, model) => sum + model.countParams(), 0);

  it('paper has the parameters of torchvision’s Mask R-CNN, less those of the background', () => {
    const resnet = [256, 512, 1024, 2048].map((channels, i) => ({
      name: `level${i}`,
      channels,
      stride: 4 << i,
    }));
    // maskrcnn_resnet50_fpn for 90 classes: 44,401,393 in all, 23,454,912 of them in the backbone; it has a box (1024 · 4 + 4) and
    // a mask (256 + 1) for the background
    const detector = maskRcnn({ levels: resnet, classes: 90 });
    expect(count(detector)).toBe(44_401_393 - 23_454_912 - 4100 - 257);
    detector.dispose();
  });

  it('light has a sixteenth of them', () => {
    const detector = maskRcnn({ levels, classes: 90, preset: 'light' });
    expect(count(detector)).toBe(1_274_476);
    detector.dispose();
  });
});
