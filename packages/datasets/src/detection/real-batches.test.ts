import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../../tests/support/shared-data.ts';
import { boundsOf } from '../../test/make-objects.ts';
import { type DetectionBatch, detectionBatches } from './batches.ts';
import { openDetectionFolder } from './detection-folder.ts';
import { detectionAugmentation } from './transforms/augmentation.ts';

/** How far the mask of a target reaches beyond its box, in pixels, on the worst side. */
function excessOf({ boxes, masks }: DetectionBatch['targets'][number], i: number): number {
  const { width, height, data } = masks!;
  const mask = data.subarray(i * width * height, (i + 1) * width * height);
  const bounds = boundsOf(width, mask.length, (at) => mask[at] === 1);
  expect(bounds).toBeDefined();
  return Math.max(...bounds!.map((edge, k) => (k < 2 ? boxes[4 * i + k]! - edge : edge - boxes[4 * i + k]!)));
}

describe.each(['coco-sample', 'nuclei', 'bccd'])('batches of %s', (name) => {
  const directory = sharedData(`detection/${name}`);

  it.skipIf(!directory)('hold boxes inside their image, and masks inside their boxes', async () => {
    const folder = await openDetectionFolder(directory!);
    const stream = detectionBatches(folder.split('train'), {
      batchSize: 3,
      shuffle: true,
      repeat: true,
      mosaic: 0.4,
      masks: true,
      transform: detectionAugmentation({ shortSide: [160, 200], maxSide: 300, minIouCrop: true }),
    });
    const iterator = await stream.iterator();
    const before = tf.memory().numTensors;
    let objects = 0;
    for (let step = 0; step < 5; step++) {
      const { images, targets, sizes }: DetectionBatch = (await iterator.next()).value;
      expect([images.shape[1] % 32, images.shape[2] % 32]).toEqual([0, 0]);
      targets.forEach((target, at) => {
        const { width, height } = sizes[at]!;
        target.labels.forEach((label, i) => {
          const [x1, y1, x2, y2] = target.boxes.subarray(4 * i) as unknown as [
            number,
            number,
            number,
            number,
          ];
          expect(Math.min(x1, y1)).toBeGreaterThanOrEqual(0);
          expect(x2).toBeLessThanOrEqual(width);
          expect(y2).toBeLessThanOrEqual(height);
          expect(Math.min(x2 - x1, y2 - y1)).toBeGreaterThanOrEqual(0.999);
          expect(label).toBeLessThan(folder.classes.length);
          expect(excessOf(target, i)).toBeLessThanOrEqual(1.5);
          objects++;
        });
      });
      images.dispose();
    }
    expect(objects).toBeGreaterThan(40);
    expect(tf.memory().numTensors).toBe(before);
  });
});
