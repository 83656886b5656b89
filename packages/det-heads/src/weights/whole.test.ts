import { decodeRle } from '@e3va/metrics';
import { loadSwinWeights, swin, swinConfigOf } from '@e3va/swin';
import type * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectClose, onBackends } from '../../../../tests/support/tensors.ts';
import { WholeReference, wholeImage, wholeLevels } from '../../test/support/whole.ts';
import type { Detection } from '../detection.ts';
import { findMasks } from '../roi/roi-detections.ts';
import { completed, type RoiStage } from '../roi/roi-options.ts';
import { rpn } from '../rpn.ts';
import { type LoadedDetector, loadDetector } from './load-detector.ts';

const few = { maxDetections: 20, rpn: { testProposals: { perLevel: 100, max: 60 } } };
const strides = [4, 8, 16, 32, 64];

/** Pyramid, logits and deltas of every level that the fixture has. */
function expectMaps({ detector, kind }: LoadedDetector, levels: tf.Tensor4D[], expected: WholeReference) {
  const { neck, head, rpn } = detector.models;
  const pyramid = [neck!.apply(kind === 'retinanet' ? levels.slice(1) : levels)].flat() as tf.Tensor4D[];
  const reference = expected.maps('pyramid');
  expect(reference.length).toBe(5);
  for (const [i, map] of reference.entries()) {
    expectClose(pyramid[i]!, map, 1e-4);
    const [logits, deltas] = (head ?? rpn)!.apply(map) as tf.Tensor[];
    expectClose(logits!, expected.maps('logits')[i]!, 1e-4);
    expectClose(deltas!, expected.maps('deltas')[i]!, 1e-4);
  }
}

async function expectProposals(
  { detector }: LoadedDetector,
  levels: tf.Tensor4D[],
  expected: WholeReference,
  definition: 'mmdet' | 'torchvision',
) {
  const network = rpn({ ...few.rpn, channels: 16, strides, definition });
  network.models.rpn.setWeights(detector.models.rpn!.getWeights());
  const pyramid = detector.models.neck!.apply(levels) as tf.Tensor4D[];
  const [own] = await network.takeProposals(network.forward(pyramid), [wholeImage]);
  expectClose(own!.boxes, expected.data('proposals.boxes'), 1e-3);
  if (definition === 'mmdet') expectClose(own!.scores, expected.data('proposals.scores'), 1e-4);
}

function expectFound(found: readonly Detection[], expected: WholeReference, firstLabel = 0) {
  expect(found.map(({ label }) => label + firstLabel)).toEqual([...expected.data('found.labels')]);
  expectClose(
    found.flatMap(({ box }) => box),
    expected.data('found.boxes'),
    1e-3,
  );
  expectClose(
    found.map(({ score }) => score),
    expected.data('found.scores'),
    1e-4,
  );
}

/** The probabilities of the masks of the first six, in their own 28×28 pixels. */
async function expectMasks(
  { detector }: LoadedDetector,
  levels: tf.Tensor4D[],
  found: readonly Detection[],
  expected: WholeReference,
  definition: 'mmdet' | 'torchvision',
) {
  const { models, classes } = detector;
  const stages = ['', '0', '1', '2'].flatMap((s): RoiStage[] => {
    const [boxHead, maskHead] = [models[`boxHead${s}`], models[`maskHead${s}`]];
    return boxHead ? [{ boxHead, maskHead, iou: 0.5, stds: [1, 1, 1, 1] }] : [];
  });
  const maps = (models.neck!.apply(levels) as tf.Tensor4D[]).slice(0, 4);
  const six = found.slice(0, 6);
  const boxes = Float32Array.from(six.flatMap(({ box }) => box));
  const masks = await findMasks(
    completed({ classes, strides: strides.slice(0, 4), stages, definition }),
    { maps, index: 0, size: wholeImage, proposals: boxes },
    {
      boxes,
      scores: Float32Array.from(six, ({ score }) => score),
      labels: Int32Array.from(six, ({ label }) => label),
    },
  );
  expectClose(masks!, expected.data('found.masks'), 1e-4);
}

onBackends('a whole detector of mmdetection', () => {
  /** The levels that our Swin makes of the image with the weights of the reference's. */
  async function levelsOf(): Promise<tf.Tensor4D[]> {
    const reference = new WholeReference('whole_swin');
    const file = reference.file();
    const backbone = swin(swinConfigOf(file));
    await loadSwinWeights(backbone, file);
    const levels = backbone.predict(reference.image()) as tf.Tensor4D[];
    for (const [i, level] of reference.maps('level').entries()) expectClose(levels[i]!, level, 1e-4);
    return levels;
  }

  it.each([
    ['retinanet', 'retinanet'],
    ['mask_rcnn', 'mask-rcnn'],
    ['cascade', 'cascade-mask-rcnn'],
  ] as const)('is equal from the image to the masks: %s', async (name, kind) => {
    const expected = new WholeReference(`whole_mmdet_${name}`);
    const levels = await levelsOf();
    const loaded = await loadDetector(expected.file(), { levels: wholeLevels, options: few });
    expect(loaded.kind).toBe(kind);
    expect(loaded.classNames).toEqual(['cup', 'fork', 'red bowl']);
    expect(loaded.report.missing).toEqual([]);
    expect(loaded.report.skipped).toEqual([]);
    if (kind !== 'cascade-mask-rcnn') expectMaps(loaded, levels, expected);
    const [found] = await loaded.detector.detect(levels, [wholeImage]);
    if (kind !== 'retinanet') {
      await expectProposals(loaded, levels, expected, 'mmdet');
      await expectMasks(loaded, levels, found!, expected, 'mmdet');
      // a pixel may lie just where the threshold is
      const pasted = expected.data('found.pasted');
      const pixels = found!.slice(0, 3).flatMap(({ mask }) => [...decodeRle(mask!)]);
      expect(pixels.length).toBe(pasted.length);
      expect(pixels.filter((v, k) => v !== pasted[k]).length).toBeLessThanOrEqual(1);
    }
    expectFound(found!, expected);
  });
});

onBackends('a whole detector of torchvision', () => {
  /** Names as torchvision before 0.13 had them. */
  const older = (name: string) =>
    name
      .replace(/(inner|layer)_blocks\.(\d)\.0\./, '$1_blocks.$2.')
      .replace('rpn.head.conv.0.0.', 'rpn.head.conv.')
      .replace(/_head\.conv\.(\d)\.0\./, (_, i) => `_head.conv.${2 * Number(i)}.`)
      .replace(/mask_head\.(\d)\.0\./, (_, i) => `mask_head.mask_fcn${Number(i) + 1}.`);

  it.each([
    ['retinanet', 'retinanet', 'today’s', (name: string) => name],
    ['mask_rcnn', 'mask-rcnn', 'today’s', (name: string) => name],
    ['retinanet', 'retinanet', 'older', older],
    ['mask_rcnn', 'mask-rcnn', 'older', older],
  ] as const)(
    'is equal from the levels to the masks: %s, a %s with %s names',
    async (name, kind, _, renamed) => {
      const levels = new WholeReference('whole_swin').maps('level');
      const expected = new WholeReference(`whole_torchvision_${name}`);
      const loaded = await loadDetector(expected.file(renamed), { levels: wholeLevels, options: few });
      expect(loaded.kind).toBe(kind);
      expect(loaded.report.skipped).toEqual([]);
      expectMaps(loaded, levels, expected);
      const [found] = await loaded.detector.detect(levels, [wholeImage]);
      expectFound(found!, expected, kind === 'retinanet' ? 0 : 1);
      if (kind === 'retinanet') return;
      await expectProposals(loaded, levels, expected, 'torchvision');
      await expectMasks(loaded, levels, found!, expected, 'torchvision');
    },
  );
});
