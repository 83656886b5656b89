import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeSafetensors, encodeSafetensors, type SafetensorsTensor } from '@e3va/adapter-core';
import { WeightsMismatchError } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectClose, onBackends, toNhwc } from '../../../../tests/support/tensors.ts';
import { DetectionModel } from '../detection/detection-model.ts';
import { ModelError } from '../errors.ts';
import { parseRecipe } from '../recipe/parse.ts';
import { predictImage } from '../segmentation/evaluate.ts';
import { Segmenter } from '../segmentation/segmenter.ts';
import { Trainer } from '../trainer.ts';
import { loadModel } from './load-model.ts';

const upernet = fileURLToPath(new URL('../../test/fixtures/upernet', import.meta.url));
const logitsFile = new URL('../../test/fixtures/upernet_logits.safetensors', import.meta.url);
const detectors = new URL('../../../det-heads/test/fixtures/', import.meta.url);
const root = mkdtempSync(join(tmpdir(), 'e3va-models-'));
afterAll(() => rmSync(root, { recursive: true }));

const read = (file: URL) => decodeSafetensors(readFileSync(file)).tensors;
const asFixture = ({ shape, data }: SafetensorsTensor) => ({ shape, data: data as Float32Array });

/** A whole detector of mmdetection as one file: the fixture's backbone, and its neck and heads. */
function detectorFile(name: string, edit: (tensors: Record<string, SafetensorsTensor>) => void = () => {}) {
  const heads = decodeSafetensors(readFileSync(new URL(`whole_mmdet_${name}.safetensors`, detectors)));
  const all = [...read(new URL('whole_swin.safetensors', detectors)), ...heads.tensors];
  const tensors = Object.fromEntries(all.filter(([key]) => !key.startsWith('expected.')));
  edit(tensors);
  const path = join(root, `${name}-${Object.keys(tensors).length}.safetensors`);
  writeFileSync(path, encodeSafetensors(tensors, heads.metadata));
  return { path, expected: heads.tensors };
}

onBackends('loadModel', (backend) => {
  it.each(['model.safetensors', 'pytorch_model.bin'])(
    'UPerNet of transformers in %s: its logits to 1e-4',
    async (file) => {
      const folder = mkdtempSync(join(root, 'upernet-'));
      for (const name of ['config.json', file]) copyFileSync(join(upernet, name), join(folder, name));
      const before = tf.memory().numTensors;
      const { model, recipe } = await loadModel(folder, { task: 'segmentation', backend: backend as 'cpu' });
      expect(model.info.classes).toEqual(['wall', 'sky', 'floor, flooring']);
      expect(recipe).toMatchObject({ task: 'segmentation', eval: { shortSide: 512, maxSide: 2048 } });
      const tensors = read(logitsFile);
      tf.tidy(() => {
        const logits = model.logits(toNhwc(asFixture(tensors.get('image')!)));
        expectClose(logits, toNhwc(asFixture(tensors.get('logits')!)), 1e-4);
      });
      model.dispose();
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it('RetinaNet of mmdetection: its objects, and the names of its classes', async () => {
    const { path, expected } = detectorFile('retinanet');
    const before = tf.memory().numTensors;
    const { model } = await loadModel(path, { task: 'detection', backend: backend as 'cpu' });
    expect(model.info.classes).toEqual(['cup', 'fork', 'red bowl']);
    const { data } = read(new URL('whole_swin.safetensors', detectors)).get('expected.image')!;
    const images = tf.tidy(() => {
      const pixels = tf.tensor(data, [1, 96, 128, 3], 'float32');
      return tf.div(tf.sub(pixels, 128), 64) as tf.Tensor4D;
    });
    const [found] = await model.detect(images, [{ height: 96, width: 128 }]);
    const [boxes, scores, labels] = ['boxes', 'scores', 'labels'].map(
      (key) => expected.get(`expected.found.${key}`)!.data,
    );
    const top = found!.slice(0, scores!.length);
    expect(top.map(({ label }) => label)).toEqual([...labels!]);
    expectClose(
      top.flatMap(({ box }) => box),
      boxes!,
      1e-3,
    );
    expectClose(
      top.map(({ score }) => score),
      scores!,
      1e-4,
    );
    images.dispose();
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('a trained head', () => {
  beforeAll(() => tf.setBackend('wasm'));

  it('of a segmenter is where training on other classes starts, but for its classifier', async () => {
    const before = tf.memory().numTensors;
    const recipe = parseRecipe(
      { task: 'segmentation' },
      {
        flags: {
          model: upernet,
          method: 'e3va',
          'method.rank': '2',
          'head.aux.weight': '0.4',
          'head.dropout': '0',
        },
      },
    );
    const info = { classes: ['a', 'b', 'c', 'd', 'e'], ignoreIndex: 255 };
    const segmenter = await Segmenter.create(recipe, info);
    expect(segmenter.notes).toEqual([expect.stringMatching(/has 3 classes and the data 5: .* starts anew/)]);
    const trained = decodeSafetensors(readFileSync(join(upernet, 'model.safetensors'))).tensors;
    const { data } = trained.get('decode_head.fpn_bottleneck.batch_norm.weight')!;
    expectClose(segmenter.head.getLayer('fpn_bottleneck.norm').getWeights()[0]!, data, 0);
    expect(segmenter.aux!.getLayer('convs.0.conv').getWeights()[0]!.shape).toEqual([3, 3, 16, 4]);
    expect(segmenter.head.outputs[0]!.shape).toEqual([null, null, null, 5]);
    const trainer = new Trainer(segmenter, recipe.train);
    const images = tf.randomNormal<tf.Rank.R4>([2, 32, 48, 3], 0, 1, 'float32', 3);
    const batch = { images, labels: tf.randomUniform<tf.Rank.R3>([2, 32, 48], 0, 5, 'int32', 4) };
    const losses: number[] = [];
    for (let i = 0; i < 12; i++) {
      const { total, losses: parts } = trainer.step([batch]);
      losses.push((await total.data())[0]!);
      tf.dispose([total, parts]);
    }
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    trainer.dispose();
    segmenter.dispose();
    tf.dispose([batch.images, batch.labels]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('of a detector keeps all with as many classes, and all but what depends on them with others', async () => {
    const { path } = detectorFile('mask_rcnn');
    const create = (classes: string[]) =>
      DetectionModel.create(
        parseRecipe({ task: 'detection', backbone: { name: path }, head: { from: path } }),
        { classes },
      );
    const same = await create(['x', 'y', 'z']);
    const other = await create(['x', 'y']);
    expect(same.recipe.head.name).toBe('mask-rcnn');
    expect(same.hasMasks).toBe(true);
    expect([same.notes.length, other.notes.length]).toEqual([0, 1]);
    const weight = (model: DetectionModel, name: string) =>
      model
        .state()
        .find(({ key }) => key.includes(name))!
        .variable.read();
    expectClose(weight(other, 'rpn'), [...weight(same, 'rpn').dataSync()], 0);
    expect(weight(same, 'cls').shape.at(-1)).toBe(4);
    expect(weight(other, 'cls').shape.at(-1)).toBe(3);
    same.dispose();
    other.dispose();
  });

  it('of the other task is an error that says what to do', async () => {
    const { path } = detectorFile('retinanet');
    const segmenter = parseRecipe({ task: 'segmentation', backbone: { name: path }, head: { from: path } });
    await expect(Segmenter.create(segmenter, { classes: ['a', 'b'] })).rejects.toThrow(
      /add --task detection/,
    );
    const detector = parseRecipe({ task: 'detection', backbone: { name: upernet }, head: { from: upernet } });
    await expect(DetectionModel.create(detector, { classes: ['a'] })).rejects.toThrow(ModelError);
  });

  it('that does not fit the backbone is an error, and nothing stays', async () => {
    const before = tf.memory().numTensors;
    const recipe = parseRecipe({ task: 'segmentation' }, { flags: { 'head.from': upernet } });
    await expect(Segmenter.create(recipe, { classes: ['a', 'b'], ignoreIndex: 255 })).rejects.toThrow(
      WeightsMismatchError,
    );
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('loadModel refuses', () => {
  it('a model of another task', async () => {
    await expect(loadModel(upernet, { task: 'detection' })).rejects.toThrow(ModelError);
    await expect(loadModel(upernet, { task: 'detection' })).rejects.toThrow(
      /expected: detection\n {2}received: segmentation/,
    );
  });

  it('a backbone alone', async () => {
    const { path } = detectorFile('retinanet', (tensors) => {
      for (const key of Object.keys(tensors)) if (!key.startsWith('backbone.')) delete tensors[key];
    });
    await expect(loadModel(path)).rejects.toThrow(
      /neither a segmenter nor a detector.*\n.*\n.*\n.*e3va train --backbone/,
    );
  });

  it('a backbone of the catalogue, before anything is downloaded', async () => {
    await expect(loadModel('swin-large')).rejects.toThrow(ModelError);
    await expect(loadModel('nano')).rejects.toThrow(/e3va train --backbone nano/);
  });

  it('a head that lacks a weight', async () => {
    const { path } = detectorFile('retinanet', (tensors) => {
      delete tensors['neck.fpn_convs.1.conv.bias'];
    });
    await expect(loadModel(path)).rejects.toThrow(WeightsMismatchError);
  });
});

it('photos are resized for the network, and labels come back in their size', async () => {
  const { model } = await loadModel(upernet, { task: 'segmentation', backend: 'wasm' });
  const segmenter = Object.assign(Object.create(Segmenter.prototype), model, {
    recipe: { ...model.recipe, eval: { ...model.recipe.eval, shortSide: 32 } },
  }) as Segmenter;
  const photo = { width: 90, height: 61, data: new Uint8Array(90 * 61 * 3).map((_, i) => (i * 7) % 256) };
  const labels = await predictImage(segmenter, photo);
  expect(labels.length).toBe(90 * 61);
  model.dispose();
});
