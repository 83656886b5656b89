import { describe, expect, it } from 'vitest';
import { expectClose, readTensors } from '../../../../tests/support/tensors.ts';
import { encodeBoxes } from '../box-coding.ts';
import { takeBoxes } from '../boxes.ts';
import { sampleRois } from './roi-sampling.ts';

const floats = (data: ArrayLike<number>) => Float32Array.from(data);

describe('sampleRois', () => {
  it.each([0, 1])("chooses torchvision's samples of image %i", (image) => {
    const oracle = readTensors(new URL('../../test/fixtures/mask_rcnn.safetensors', import.meta.url));
    const of = (name: string) => oracle.get(`${name}.${image}`)!.data;
    const targets = {
      boxes: floats(oracle.get(`target.${image}.boxes`)!.data),
      labels: Int32Array.from(oracle.get(`target.${image}.labels`)!.data, (label) => label - 1),
    };
    const sample = sampleRois(floats(of('train.proposals')), targets, {
      classes: 3,
      iou: 0.5,
      samples: 24,
      positiveShare: 0.25,
      objectsPlace: 'last',
      rng: () => 0,
    });
    // the reference keeps the order of the proposals, and counts the background as class 0
    const labels = of('train.labels');
    const positivesFirst = [...labels.keys()].sort(
      (a, b) => Number(labels[b]! > 0) - Number(labels[a]! > 0) || a - b,
    );
    expectClose(sample.boxes, takeBoxes(floats(of('train.samples')), positivesFirst), 1e-4);
    expect([...sample.labels]).toEqual(positivesFirst.map((i) => (labels[i]! === 0 ? 3 : labels[i]! - 1)));
    const positives = positivesFirst.filter((i) => labels[i]! > 0);
    expect([...sample.objects]).toEqual(positives.map((i) => of('train.matched')[i]));
    const deltas = encodeBoxes(
      sample.boxes.subarray(0, 4 * positives.length),
      takeBoxes(targets.boxes, sample.objects),
      { stds: [0.1, 0.1, 0.2, 0.2] },
    );
    expectClose(deltas, takeBoxes(floats(of('train.regression')), positives), 1e-4);
  });

  const options = {
    classes: 5,
    iou: 0.5,
    samples: 8,
    positiveShare: 0.5,
    objectsPlace: 'first' as const,
    rng: () => 0,
  };

  it('takes images without objects, and without proposals', () => {
    const none = { boxes: new Float32Array(0), labels: new Int32Array(0) };
    const box = Float32Array.of(0, 0, 10, 10);
    const background = sampleRois(box, none, options);
    expect([...background.labels]).toEqual([5]);
    expect([...background.proposals]).toEqual([0]);
    const object = sampleRois(none.boxes, { boxes: box, labels: Int32Array.of(2) }, options);
    expect([...object.labels]).toEqual([2]);
    expect([...object.proposals]).toEqual([]);
    expect(sampleRois(none.boxes, none, options).boxes.length).toBe(0);
  });

  it('takes no background that a crowd covers', () => {
    const targets = {
      boxes: Float32Array.of(0, 0, 10, 10, 50, 50, 90, 90),
      labels: Int32Array.of(1, 1),
      crowd: Uint8Array.of(0, 1),
    };
    const proposals = Float32Array.of(60, 60, 80, 80, 100, 100, 120, 120);
    const sample = sampleRois(proposals, targets, options);
    expect([...sample.labels]).toEqual([1, 5]);
    expect([...sample.boxes.subarray(4)]).toEqual([100, 100, 120, 120]);
  });
});
