import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClassCountError, ClassIndexError, ConfusionMatrix, LengthMismatchError } from './index.ts';

interface Case {
  expected: {
    IoU: (number | null)[];
    Acc: (number | null)[];
    Dice: (number | null)[];
    [mean: string]: number | (number | null)[];
  };
  ignore_index: number;
  num_classes: number;
  label: number[][][];
  prediction: number[][][];
  per_image_mIoU: number[];
}
const fixture = new URL('../test/fixtures/metrics.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, 'utf8')) as { cases: Record<string, Case> };

function expectClose(actual: (number | null)[], expected: (number | null)[]) {
  expect(actual.length).toBe(expected.length);
  actual.forEach((v, i) => {
    if (expected[i] === null) expect(v).toBeNull();
    else expect(Math.abs(v! - expected[i]!)).toBeLessThan(1e-7);
  });
}

describe('ConfusionMatrix equals mmsegmentation', () => {
  it.each(Object.keys(cases))('%s', (name) => {
    const c = cases[name]!;
    const matrix = new ConfusionMatrix(c.num_classes, c.ignore_index);
    c.label.forEach((label, i) => {
      matrix.add(Int32Array.from(c.prediction[i]!.flat()), Int32Array.from(label.flat()));
    });
    const { mIoU, aAcc, mAcc, mDice, perClass } = matrix.result();
    const { expected } = c;
    expectClose(
      [mIoU, aAcc, mAcc, mDice],
      ['mIoU', 'aAcc', 'mAcc', 'mDice'].map((m) => expected[m] as number),
    );
    expectClose(perClass.iou, expected.IoU);
    expectClose(perClass.acc, expected.Acc);
    expectClose(perClass.dice, expected.Dice);
  });

  it('also for single images', () => {
    const c = cases.random!;
    const perImage = c.label.map((label, i) => {
      const matrix = new ConfusionMatrix(c.num_classes, c.ignore_index);
      matrix.add(c.prediction[i]!.flat(), label.flat());
      return matrix.result().mIoU;
    });
    expectClose(perImage, c.per_image_mIoU);
  });
});

/** IoU straight from the definition, by sets of pixels. */
function slowIou(prediction: number[], label: number[], c: number, ignore: number): number | null {
  const kept = label.map((_, i) => i).filter((i) => label[i] !== ignore);
  const union = kept.filter((i) => label[i] === c || prediction[i] === c);
  const both = union.filter((i) => label[i] === prediction[i]);
  return union.length === 0 ? null : both.length / union.length;
}

describe('ConfusionMatrix', () => {
  const pixels = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom(0, 1, 2, 3, 4, 9)), {
    minLength: 1,
    maxLength: 60,
  });

  it('agrees with the definition, in one call or in two merged halves', () => {
    fc.assert(
      fc.property(pixels, fc.nat(60), (pairs, cut) => {
        const prediction = pairs.map(([p]) => p);
        const label = pairs.map(([, l]) => l);
        const whole = new ConfusionMatrix(5, 9);
        whole.add(prediction, label);
        const expected = [0, 1, 2, 3, 4].map((c) => slowIou(prediction, label, c, 9));
        expectClose(whole.result().perClass.iou, expected);
        const a = new ConfusionMatrix(5, 9);
        const b = new ConfusionMatrix(5, 9);
        a.add(prediction.slice(0, cut), label.slice(0, cut));
        b.add(Uint8Array.from(prediction.slice(cut)), Float32Array.from(label.slice(cut)));
        a.merge(b);
        expect(a.counts).toEqual(whole.counts);
      }),
    );
  });

  it('leaves ignored pixels out whatever is predicted there', () => {
    const matrix = new ConfusionMatrix(2, 255);
    matrix.add([1, 99, -1], [1, 255, 255]);
    expect([...matrix.counts]).toEqual([0, 0, 0, 1]);
    expect(matrix.result()).toEqual({
      mIoU: 1,
      aAcc: 1,
      mAcc: 1,
      mDice: 1,
      perClass: { iou: [null, 1], acc: [null, 1], dice: [null, 1] },
    });
  });

  it('has no scores before the first pixel and after reset', () => {
    const matrix = new ConfusionMatrix(2);
    matrix.add([0], [0]);
    matrix.reset();
    expect(matrix.result()).toEqual({
      mIoU: Number.NaN,
      aAcc: Number.NaN,
      mAcc: Number.NaN,
      mDice: Number.NaN,
      perClass: { iou: [null, null], acc: [null, null], dice: [null, null] },
    });
  });

  it.each([
    ['label', [0, 0], [1, 3]],
    ['label', [0, 0], [1, -1]],
    ['label', [0, 0], [1, 0.5]],
    ['prediction', [0, 3], [1, 1]],
    ['prediction', [0, Number.NaN], [1, 1]],
  ])('refuses a %s that is no class and counts nothing of that image', (side, prediction, label) => {
    const matrix = new ConfusionMatrix(3);
    expect(() => matrix.add(prediction, label)).toThrow(ClassIndexError);
    expect(() => matrix.add(prediction, label)).toThrow(`the ${side} of pixel 1 is no class index`);
    expect(matrix.counts.every((n) => n === 0)).toBe(true);
    matrix.add([2], [2]);
    expect(matrix.counts[8]).toBe(1);
  });

  it('says what to do', () => {
    const message = (run: () => void) => {
      try {
        run();
      } catch (error) {
        return (error as Error).message;
      }
    };
    const matrix = new ConfusionMatrix(11);
    expect(message(() => matrix.add([0], [11]))).toBe(
      'the label of pixel 0 is no class index\n  expected: an integer from 0 to 10, or 255 to ignore it\n' +
        '  received: 11\n  to do: map the value to a class, or pass it as ignoreIndex',
    );
    expect(message(() => matrix.add([0, 1], [0]))).toBe(
      'prediction and label cover different numbers of pixels\n  expected: 1 predicted pixels, one for each label\n' +
        '  received: 2\n  to do: resize the logits to the size of the label before taking the arg max',
    );
  });

  it('refuses different lengths, class counts and unusable class counts', () => {
    const matrix = new ConfusionMatrix(3);
    expect(() => matrix.add([0, 1], [0])).toThrow(LengthMismatchError);
    expect(() => matrix.merge(new ConfusionMatrix(4))).toThrow(ClassCountError);
    for (const classes of [0, -1, 1.5, Number.NaN]) {
      expect(() => new ConfusionMatrix(classes)).toThrow(ClassCountError);
    }
  });

  it('carries the mark that other packages look for', () => {
    try {
      new ConfusionMatrix(0);
      expect.unreachable();
    } catch (error) {
      expect((error as Record<symbol, unknown>)[Symbol.for('@e3va/error')]).toBe(true);
      expect((error as Error).name).toBe('ClassCountError');
    }
  });
});
