import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDetectionFolder, readImage } from '@e3va/datasets';
import { type CocoDetection, cocoEvaluate } from '@e3va/metrics';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectClasses, writeObjects } from '../../test/objects.ts';
import { useBackend } from '../backend.ts';
import { parseRecipe } from '../recipe/parse.ts';
import { readCheckpoint } from '../run/checkpoint.ts';
import { loadRun } from '../run/load-run.ts';
import { RunFolder } from '../run/run-folder.ts';
import { trainRun } from '../train-run.ts';
import { detectFiles } from './predict-files.ts';

const root = mkdtempSync(join(tmpdir(), 'e3va-detect-'));
let data = '';
beforeAll(async () => {
  await useBackend('wasm');
  data = await writeObjects(join(root, 'data'), 4);
});
afterAll(() => rmSync(root, { recursive: true }));

const heads = ['retinanet', 'faster-rcnn', 'mask-rcnn', 'cascade-rcnn', 'cascade-mask-rcnn'] as const;

const recipe = (head: (typeof heads)[number], name: string, flags: Record<string, string> = {}) =>
  parseRecipe(
    {
      task: 'detection',
      head: { name: head, preset: 'light', channels: 16 },
      train: {
        steps: 3,
        batch: 2,
        shortSide: [80, 96],
        crop: 'min-iou',
        photometric: true,
        evalEvery: 3,
        logEvery: 1,
        schedule: { warmupSteps: 2 },
        clipNorm: 10,
      },
      eval: { maxDetections: 10 },
    },
    { flags: { data, out: join(root, name), ...flags } },
  );

describe.each(heads)('trainRun with %s', (head) => {
  it('trains, scores, reports and resumes to the same weights, and leaks no tensor', async () => {
    const before = tf.memory().numTensors;
    const whole = await trainRun(recipe(head, `${head}-whole`), { evaluateFirst: true });
    expect(tf.memory().numTensors).toBe(before);
    expect(whole).toMatchObject({ ended: 'done', steps: 3, last: { step: 3 } });
    const log = RunFolder.open(whole.dir).log();
    for (const entry of log) {
      if (entry.type !== 'train') continue;
      const parts = Object.values(entry.losses ?? {}).reduce((sum, value) => sum + value, 0);
      expect(parts).toBeCloseTo(entry.loss, 3);
    }
    const metric = head.includes('mask') ? 'mask AP' : 'box AP';
    expect(log.find((entry) => entry.type === 'eval')).toMatchObject({ metric });
    const report = readFileSync(whole.report, 'utf8');
    expect(report).toContain('Precision and recall');
    expect(report).toContain('Confusion');
    expect(report).not.toContain('<img src=x');

    const stop = new AbortController();
    const stopped = await trainRun(recipe(head, `${head}-stopped`), {
      signal: stop.signal,
      onEntry: ({ step, type }) => type === 'train' && step === 2 && stop.abort(),
    });
    expect(stopped).toMatchObject({ ended: 'interrupted', steps: 2 });
    await trainRun(RunFolder.open(stopped.dir).recipe(), { resume: stopped.dir });
    const [a, b] = [whole, stopped].map(({ dir }) =>
      readCheckpoint(join(dir, 'checkpoints', 'last.safetensors')),
    );
    const different = Object.keys(a!.tensors).filter(
      (key) => !Buffer.from(a!.tensors[key]!.data.buffer).equals(Buffer.from(b!.tensors[key]!.data.buffer)),
    );
    expect(different).toEqual([]);
  });
});

describe('a run of detection', () => {
  it('is used from its folder: pictures, COCO results that score as the run did, YOLO files', async () => {
    const { model, info } = await loadRun(join(root, 'mask-rcnn-whole'), { task: 'detection' });
    expect(info).toMatchObject({ classes: objectClasses, categoryIds: [10, 20] });
    const out = join(root, 'out');
    const photos = join(data, 'val');
    for await (const { overlay } of detectFiles(model, [photos], out)) {
      expect((await readImage(overlay!)).width).toBe(128);
    }
    expect(readdirSync(out).sort()).toEqual([
      'results.json',
      ...[0, 1, 2, 3].map((i) => `scene-${i}.overlay.png`),
    ]);
    const results: CocoDetection[] = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
    const truth = (await openDetectionFolder(data)).toCoco('val');
    const idOf = new Map(truth.images.map(({ id }, i) => [`scene-${i}`, id]));
    const renamed = results.map((result) => ({ ...result, image_id: idOf.get(result.image_id as string)! }));
    const { AP } = cocoEvaluate(truth, renamed, { iouType: 'segm' });
    expect(AP).toBeCloseTo(info.best!.score, 6);

    for await (const { labels } of detectFiles(model, [join(photos, 'scene-0.png')], out, {
      format: 'yolo',
      overlay: false,
      scoreThreshold: 0,
    })) {
      const lines = readFileSync(labels!, 'utf8').trim().split('\n');
      for (const line of lines) expect(line).toMatch(/^[01]( [01]\.\d{6}){5}$/);
    }
    model.dispose();
  });

  it('is hinted at where its data are given to the other task', async () => {
    await expect(trainRun(parseRecipe({ data: { dir: join(data, 'annotations') } }))).rejects.toThrow(
      /to do: .*if it holds images with boxes, add --task detection/,
    );
  });

  it('is refused as a run of another task', async () => {
    await expect(loadRun(join(root, 'mask-rcnn-whole'), { task: 'segmentation' })).rejects.toThrow(
      /a run of another task\n {2}expected: segmentation\n {2}received: detection/,
    );
  });
});
