import { fileURLToPath } from 'node:url';
import { memoryWeights, openWeights, type WeightFile, WeightsMismatchError } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { readJson } from '../../../../tests/support/tensors.ts';
import { WholeReference, wholeLevels } from '../../test/support/whole.ts';
import type { Detector } from '../detection.ts';
import { retinaNet } from '../retinanet.ts';
import { fasterRcnn, maskRcnn } from '../roi/faster-rcnn.ts';
import { detectorOptionsOf } from './detector-options.ts';
import { loadDetector } from './load-detector.ts';
import { loadDetectorWeights } from './load-detector-weights.ts';

const names = ['mmdet_retinanet', 'mmdet_mask_rcnn', 'mmdet_cascade', 'torchvision_mask_rcnn'] as const;
const references = Object.fromEntries(names.map((name) => [name, new WholeReference(`whole_${name}`)]));
const fileOf = (name: (typeof names)[number]) => references[name]!.file();
const levels = wholeLevels;

/** The file, with names or shapes of some tensors changed, or without them. */
function changed(
  file: WeightFile,
  change: (name: string, shape: readonly number[]) => [name: string, shape: readonly number[]] | undefined,
): WeightFile {
  const entries = new Map(
    [...file.entries].flatMap(([name, { shape, dtype }]) => {
      const now = change(name, shape);
      return now ? [[now[0], { dtype, shape: now[1] }]] : [];
    }),
  );
  return { ...file, entries };
}

const without = (pattern: RegExp) => (file: WeightFile) =>
  changed(file, (name, shape) => (pattern.test(name) ? undefined : [name, shape]));
const renamed = (pattern: RegExp, by: string) => (file: WeightFile) =>
  changed(file, (name, shape) => [name.replace(pattern, by), shape]);
const reshaped = (pattern: RegExp, by: readonly number[]) => (file: WeightFile) =>
  changed(file, (name, shape) => [name, pattern.test(name) ? by : shape]);

const weightsOf = ({ models }: Detector) =>
  Object.values(models).flatMap((model) => model.getWeights().map((w) => Float32Array.from(w.dataSync())));

beforeAll(() => tf.setBackend('cpu'));

describe('detectorOptionsOf', () => {
  const published = readJson<Record<string, Record<string, number[]>>>(
    new URL('../../test/fixtures/published_keys.json', import.meta.url),
  );
  const box = { classes: 80, channels: 256 };
  const dense = { poolSize: 7, convChannels: 256, denseChannels: 1024 };
  const maskHead = { convs: 4, convChannels: 256 };

  it.each([
    [
      'retinanet_swin_t',
      'retinanet',
      [192, 384, 768],
      { ...box, convs: 4, width: 256, extra: 'input', extraLevels: 2 },
    ],
    [
      'mask_rcnn_swin_t',
      'mask-rcnn',
      [96, 192, 384, 768],
      {
        ...box,
        boxHead: { ...dense, convs: 0, norm: false, dense: 2, classAgnostic: false },
        maskHead,
        rpn: { width: 256 },
      },
    ],
    [
      'cascade_mask_rcnn_swin_b',
      'cascade-mask-rcnn',
      [128, 256, 512, 1024],
      {
        ...box,
        boxHead: { ...dense, convs: 4, norm: true, dense: 1, classAgnostic: false },
        maskHead,
        masks: true,
        rpn: { width: 256 },
        boxLoss: 'giou',
        boxLossWeight: 10,
      },
    ],
  ])('tells the published %s', (name, kind, levelChannels, options) => {
    const entries = Object.entries(published[name]!).map(
      ([key, shape]) => [key, { shape, dtype: 'F32' }] as const,
    );
    const file = { ...memoryWeights({}), entries: new Map(entries) };
    const { classNames, ...rest } = detectorOptionsOf(file);
    expect(rest).toEqual({ naming: 'mmdet', kind, levelChannels, options });
    expect(classNames.length).toBe(80);
    expect([classNames[0], classNames[11], classNames[79]]).toEqual(['person', 'stop sign', 'toothbrush']);
  });

  it('tells torchvision’s, with what is different there', () => {
    const { naming, kind, options, classNames } = detectorOptionsOf(fileOf('torchvision_mask_rcnn'));
    expect([naming, kind]).toEqual(['torchvision', 'mask-rcnn']);
    expect(options).toMatchObject({
      classes: 3,
      definition: 'torchvision',
      boxLoss: 'smooth-l1',
      beta: 1 / 9,
    });
    expect(classNames).toEqual(['class 0', 'class 1', 'class 2']);
  });

  it.each([
    ['mmdetection 2', { meta: '{"CLASSES": ["a", "b", "c"]}' }],
    ['mmdetection 3', { meta: '{"dataset_meta": {"classes": ["a", "b", "c"]}}' }],
    ['the dataset beside meta', { meta: '{}', dataset_meta: '{"CLASSES": ["a", "b", "c"]}' }],
  ])('takes the names of classes from the metadata: %s', (_, metadata) => {
    const file = references.mmdet_mask_rcnn!.file(undefined, metadata);
    expect(detectorOptionsOf(file).classNames).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['{"CLASSES": ["a", "b"]}', 'another number of them'],
    ['{"CLASSES": ["a", "b", 3]}', 'no strings'],
    ['{"CLASSES": ', 'no JSON'],
    ['null', 'no object'],
  ])('numbers the classes where the metadata %s hold %s', (meta) => {
    const { classNames } = detectorOptionsOf(references.mmdet_mask_rcnn!.file(undefined, { meta }));
    expect(classNames).toEqual(['class 0', 'class 1', 'class 2']);
  });

  it('names COCO’s numbers in torchvision’s, from which some are missing', () => {
    const file = changed(fileOf('torchvision_mask_rcnn'), (name, shape) => [
      name,
      /(cls_score|mask_fcn_logits)\.weight$/.test(name) ? [91, ...shape.slice(1)] : shape,
    ]);
    const { classNames } = detectorOptionsOf(file);
    expect(classNames.length).toBe(90);
    expect([classNames[0], classNames[11], classNames[12], classNames[89]]).toEqual([
      'person',
      'N/A',
      'stop sign',
      'toothbrush',
    ]);
  });

  it('tells a box for all classes, and further levels of another kind', () => {
    const agnostic = reshaped(/fc_reg\.weight/, [4, 20])(fileOf('mmdet_cascade'));
    const { options } = detectorOptionsOf(agnostic);
    expect(options).toMatchObject({ boxHead: { classAgnostic: true } });
    expect(options).not.toHaveProperty('boxLoss');
    const retina = fileOf('mmdet_retinanet');
    const onOutput = detectorOptionsOf(reshaped(/fpn_convs\.3\.conv\.weight/, [16, 16, 3, 3])(retina));
    expect(onOutput.options).toMatchObject({ extra: 'output', extraLevels: 2 });
    const pooled = detectorOptionsOf(without(/fpn_convs\.[34]/)(retina));
    expect(pooled.options).toMatchObject({ extra: 'pool', extraLevels: 2 });
    const octaves = detectorOptionsOf(reshaped(/retina_(cls|reg)\.weight/, [12, 16, 3, 3])(retina));
    expect(octaves.options).toMatchObject({ classes: 4, octaves: 1 });
  });

  it.each<[string, (file: WeightFile) => WeightFile, string]>([
    ['nothing', without(/./), 'is not a detector'],
    ['a classifier', renamed(/^.*?\.(?=[^.]+$)/, 'layer.'), 'is not a detector'],
    ['a file without a neck', without(/^neck\./), "there is no 'neck.lateral_convs.0.conv.weight'"],
    ['a network of proposals alone', without(/^roi_head\./), 'is a detector of another kind'],
    ['the names before mmdetection 2', renamed(/^roi_head\./, ''), 'of mmdetection before 2.0'],
    ['a pyramid with a level cut off', without(/fpn_convs\.3/), "there is no 'neck.fpn_convs.3.conv.weight'"],
    ['shapes of too few axes', reshaped(/lateral_convs\.0\.conv\.weight/, [16]), 'does not fit the rest'],
    [
      'shapes of size zero',
      reshaped(/lateral_convs\.0\.conv\.weight/, [16, 0, 1, 1]),
      'does not fit the rest',
    ],
    [
      'regions that are not square',
      reshaped(/shared_fcs\.0\.weight/, [20, 800]),
      'a whole number of cells a side',
    ],
    ['one mask for all classes', reshaped(/conv_logits\.weight/, [1, 16, 1, 1]), 'a shape [3, 16, 1, 1]'],
    ['no class but the background', reshaped(/fc_cls\.weight/, [1, 20]), 'a whole number of classes'],
  ])('names %s', (_, change, message) => {
    const describe = () => detectorOptionsOf(change(fileOf('mmdet_mask_rcnn')));
    expect(describe).toThrow(WeightsMismatchError);
    expect(describe).toThrow(message);
  });

  it('names a RetinaNet from before mmdetection 2, whose names are the same', () => {
    const file = references.mmdet_retinanet!.file(undefined, { meta: '{"mmdet_version": "1.2.0+ab"}' });
    expect(() => detectorOptionsOf(file)).toThrow('of mmdetection before 2.0');
  });

  it('names anchors of another number than three ratios give', () => {
    const file = reshaped(/retina_(cls|reg)\.weight/, [16, 16, 3, 3])(fileOf('mmdet_retinanet'));
    expect(() => detectorOptionsOf(file)).toThrow('a whole number of sizes of three ratios each');
  });
});

describe('loadDetector', () => {
  it('reports what it loads, and nothing is left out', async () => {
    const file = fileOf('mmdet_cascade');
    const { report, detector } = await loadDetector(file, { levels });
    expect(report.loaded.sort()).toEqual([...file.entries.keys()].sort());
    expect([report.missing, report.skipped, report.resized]).toEqual([[], [], []]);
    detector.dispose();
  });

  it('reads a checkpoint as mmdetection saves it, with its classes', async () => {
    const path = fileURLToPath(new URL('../../test/fixtures/whole_mmdet_retinanet.pth', import.meta.url));
    const file = await openWeights(path);
    const { detector, classNames, report } = await loadDetector(file, { levels });
    await file.close();
    expect(classNames).toEqual(['cup', 'fork', 'red bowl']);
    expect(report.skipped.length).toBe(4);
    expect(report.skipped.every((name) => name.startsWith('backbone.'))).toBe(true);
    const same = await loadDetector(fileOf('mmdet_retinanet'), { levels });
    expect(weightsOf(detector)).toEqual(weightsOf(same.detector));
  });

  it('starts the layers of other classes anew', async () => {
    const tensors = tf.memory().numTensors;
    const file = fileOf('mmdet_mask_rcnn');
    const classNames = ['a', 'b', 'c', 'd', 'e'];
    const options = { seed: 3 };
    const own = await loadDetector(file, { levels, classNames, options });
    expect([own.detector.classes, own.classNames]).toEqual([5, classNames]);
    const head = 'roi_head.bbox_head';
    const left = [`${head}.fc_cls`, `${head}.fc_reg`, 'roi_head.mask_head.conv_logits'];
    expect(own.report.skipped.sort()).toEqual(left.flatMap((m) => [`${m}.bias`, `${m}.weight`]).sort());
    const checkpoint = detectorOptionsOf(file);
    const fresh = maskRcnn({ ...checkpoint.options, ...options, levels, classes: 5 } as Parameters<
      typeof maskRcnn
    >[0]);
    const whole = await loadDetector(file, { levels });
    for (const [name, model] of Object.entries(own.detector.models)) {
      for (const [i, weight] of model.weights.entries()) {
        const anew = /^(cls|reg|logits)\//.test(weight.originalName);
        const from = (anew ? fresh : whole.detector).models[name]!.weights[i]!;
        expect(weight.read().dataSync()).toEqual(from.read().dataSync());
      }
    }
    for (const detector of [own.detector, fresh, whole.detector]) detector.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('keeps one box for all classes when the classes are others', async () => {
    const file = references.mmdet_cascade!.file();
    const agnostic: WeightFile = {
      ...reshaped(/fc_reg\.weight/, [4, 20])(reshaped(/fc_reg\.bias/, [4])(file)),
      read: async (name) => {
        const tensor = await file.read(name);
        if (!name.includes('fc_reg')) return tensor;
        const shape = [4, ...tensor.shape.slice(1)];
        return {
          shape,
          data: tensor.data.slice(
            0,
            shape.reduce((a, b) => a * b),
          ),
        };
      },
    };
    const { report } = await loadDetector(agnostic, { levels, classNames: ['a', 'b'] });
    expect(report.skipped.some((name) => name.includes('fc_reg'))).toBe(false);
    expect(report.skipped.length).toBe(3 * 4);
  });

  it('takes other options than those that the file tells', async () => {
    const ratios = [1, 2, 3];
    const { detector } = await loadDetector(fileOf('mmdet_retinanet'), {
      levels,
      options: { ratios, maxDetections: 3 },
    });
    const maps = levels.map(({ channels, stride }) =>
      tf.ones<tf.Rank.R4>([1, 64 / stride, 64 / stride, channels]),
    );
    const [found] = await detector.detect(maps, [{ height: 64, width: 64 }]);
    expect(found!.length).toBe(3);
    const four = loadDetector(fileOf('mmdet_retinanet'), { levels, options: { ratios: [1, 2, 3, 4] } });
    await expect(four).rejects.toThrow('bbox_head.retina_cls.weight [27,16,3,3] instead of [36,16,3,3]');
  });

  it('names levels that the neck does not read, and leaves nothing behind', async () => {
    const tensors = tf.memory().numTensors;
    const three = loadDetector(fileOf('mmdet_mask_rcnn'), { levels: levels.slice(1) });
    await expect(three).rejects.toThrow(WeightsMismatchError);
    await expect(three).rejects.toThrow('the levels are not those that its feature pyramid reads');
    const wider = levels.map((level) => ({ ...level, channels: 2 * level.channels }));
    await expect(loadDetector(fileOf('mmdet_retinanet'), { levels: wider })).rejects.toThrow(
      'levels of a stride',
    );
    const normed = renamed(
      /rpn_head\.rpn_conv\.bias/,
      'neck.lateral_convs.0.bn.weight',
    )(fileOf('mmdet_mask_rcnn'));
    const odd = loadDetector(normed, { levels });
    await expect(odd).rejects.toThrow('1 missing: rpn_head.rpn_conv.bias; 1 without a place');
    const broken: WeightFile = {
      ...fileOf('mmdet_mask_rcnn'),
      read: async () => {
        throw new Error('cut short');
      },
    };
    await expect(loadDetector(broken, { levels })).rejects.toThrow('cut short');
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

describe('loadDetectorWeights', () => {
  const small = { levels, preset: 'light', channels: 16 } as const;

  it('names another kind of detector', async () => {
    const load = loadDetectorWeights(retinaNet({ ...small, classes: 3 }), fileOf('mmdet_mask_rcnn'));
    await expect(load).rejects.toThrow(WeightsMismatchError);
    await expect(load).rejects.toThrow('is another kind of detector');
    const faster = loadDetectorWeights(fasterRcnn({ ...small, classes: 3 }), fileOf('mmdet_cascade'));
    await expect(faster).rejects.toThrow(/faster-rcnn[\s\S]*cascade-mask-rcnn/);
  });

  it('changes nothing if the classes or a value do not fit', async () => {
    const detector = retinaNet({ ...small, classes: 4 });
    const before = weightsOf(detector);
    const load = loadDetectorWeights(detector, fileOf('mmdet_retinanet'));
    await expect(load).rejects.toThrow('bbox_head.retina_cls.weight [27,16,3,3] instead of [36,16,3,3]');
    const file = fileOf('mmdet_retinanet');
    const last = [...file.entries.keys()].at(-1)!;
    const notFinite: WeightFile = {
      ...file,
      read: async (name) => {
        const tensor = await file.read(name);
        return name === last ? { ...tensor, data: Float32Array.from(tensor.data).fill(Number.NaN) } : tensor;
      },
    };
    const nan = loadDetectorWeights(detector, notFinite, { classes: 'drop' });
    await expect(nan).rejects.toThrow('not finite');
    expect(weightsOf(detector)).toEqual(before);
  });

  it('loads what fits of another detector if it may', async () => {
    const detector = fasterRcnn({ ...small, classes: 3, seed: 1 });
    const report = await loadDetectorWeights(detector, fileOf('mmdet_cascade'), { strict: false });
    expect(report.loaded.every((name) => /^(neck|rpn_head)\./.test(name))).toBe(true);
    expect(report.loaded.length).toBe(16 + 6);
    expect(report.missing).toContain('roi_head.bbox_head.fc_cls.weight');
    expect(report.skipped).toContain('roi_head.bbox_head.0.fc_cls.weight');
  });

  it('skips the backbone and counters of batches', async () => {
    const file = fileOf('mmdet_retinanet');
    const entry = { shape: [2], dtype: 'F32' };
    const extra = ['backbone.norm.weight', 'bbox_head.bn.num_batches_tracked'];
    const entries = new Map([...file.entries, ...extra.map((name) => [name, entry] as const)]);
    const { report } = await loadDetector({ ...file, entries }, { levels });
    expect(report.skipped).toEqual(extra);
  });
});
