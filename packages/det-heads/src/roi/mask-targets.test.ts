import { describe, expect, it } from 'vitest';
import { expectClose, readTensors } from '../../../../tests/support/tensors.ts';
import type { InstanceMasks } from '../detection.ts';
import { maskTargets } from './mask-targets.ts';

const read = (name: string) =>
  readTensors(new URL(`../../test/fixtures/${name}.safetensors`, import.meta.url));
type Oracle = ReturnType<typeof read>;

function masksOf(oracle: Oracle, image: number): InstanceMasks {
  const { shape, data } = oracle.get(`target.${image}.masks`)!;
  return { height: shape[1]!, width: shape[2]!, data: Uint8Array.from(data) };
}

describe('maskTargets', () => {
  it("equals torchvision's", () => {
    const oracle = read('mask_rcnn');
    const targets = [0, 1].flatMap((image) => {
      const labels = oracle.get(`train.labels.${image}`)!.data;
      const positive = [...labels.keys()].filter((i) => labels[i]! > 0);
      const all = oracle.get(`train.samples.${image}`)!.data;
      const boxes = Float32Array.from(positive.flatMap((i) => [...all.subarray(4 * i, 4 * i + 4)]));
      const objects = positive.map((i) => oracle.get(`train.matched.${image}`)!.data[i]!);
      return [...maskTargets(masksOf(oracle, image), boxes, objects, { definition: 'torchvision' })];
    });
    expectClose(targets, oracle.get('train.mask_targets')!.data, 1e-5);
  });

  it.each([0, 1, 2])("equals mmdetection's of stage %i", (stage) => {
    const oracle = read('cascade_smooth_l1');
    const [rois, labels] = [oracle.get(`s${stage}.rois`)!.data, oracle.get(`s${stage}.labels`)!.data];
    const targets = [0, 1].flatMap((image) => {
      const own = [...labels.keys()].filter((i) => labels[i]! < 4 && rois[5 * i] === image);
      const boxes = Float32Array.from(own.flatMap((i) => [...rois.subarray(5 * i + 1, 5 * i + 5)]));
      const objects = own.map((i) =>
        nearest(boxOf(rois.subarray(5 * i + 1)), oracle.get(`target.${image}.boxes`)!.data),
      );
      return [...maskTargets(masksOf(oracle, image), boxes, objects)];
    });
    expect(targets.map(Number)).toEqual([...oracle.get(`s${stage}.mask_targets`)!.data]);
  });

  it('takes no boxes, and boxes outside the mask', () => {
    const masks = { height: 4, width: 4, data: new Uint8Array(16).fill(1) };
    expect(maskTargets(masks, new Float32Array(0), [])).toEqual(new Float32Array(0));
    expect(maskTargets(masks, Float32Array.of(50, 50, 60, 60), [0], { size: 2 })).toEqual(
      new Float32Array(4),
    );
    expect(maskTargets(masks, Float32Array.of(0, 0, 4, 4), [0], { size: 2 })).toEqual(
      new Float32Array(4).fill(1),
    );
  });
});

const boxOf = (numbers: ArrayLike<number>) => [numbers[0]!, numbers[1]!, numbers[2]!, numbers[3]!];

/** The object that overlaps a box most. */
function nearest([x1, y1, x2, y2]: number[], boxes: ArrayLike<number>): number {
  const overlaps = Array.from({ length: boxes.length / 4 }, (_, k) => {
    const [a, b, c, d] = boxOf(Array.prototype.slice.call(boxes, 4 * k));
    const inter =
      Math.max(0, Math.min(x2!, c!) - Math.max(x1!, a!)) * Math.max(0, Math.min(y2!, d!) - Math.max(y1!, b!));
    return inter / ((x2! - x1!) * (y2! - y1!) + (c! - a!) * (d! - b!) - inter);
  });
  return overlaps.indexOf(Math.max(...overlaps));
}
