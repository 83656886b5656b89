import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileWriteError, SafetensorsError } from '@e3va/adapter-core';
import { decodePng, readImage } from '@e3va/datasets';
import { swin } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shapeClasses, writeShapes } from '../test/shapes.ts';
import { useBackend } from './backend.ts';
import { openData } from './data.ts';
import { CheckpointError, DivergedError, RecipeError } from './errors.ts';
import { parseRecipe } from './recipe/parse.ts';
import type { SegmentationRecipe } from './recipe/schema.ts';
import { readCheckpoint } from './run/checkpoint.ts';
import { applyCheckpoint, loadRun } from './run/load-run.ts';
import { RunFolder } from './run/run-folder.ts';
import { evaluate } from './segmentation/evaluate.ts';
import { type PredictedFiles, predictFiles } from './segmentation/predict-files.ts';
import { Segmenter } from './segmentation/segmenter.ts';
import { type TrainRunOptions, trainRun } from './train-run.ts';

const root = mkdtempSync(join(tmpdir(), 'e3va-train-'));
let data = '';
beforeAll(async () => {
  await useBackend('wasm');
  data = await writeShapes(join(root, 'data'), 8);
});
afterAll(() => rmSync(root, { recursive: true }));

const light = { channels: 8, dropout: 0.1, aux: { channels: 8 } };
const train = {
  steps: 6,
  batch: 2,
  crop: [32, 48] as [number, number],
  scale: [0.8, 1.2] as [number, number],
  photometric: true,
  evalEvery: 3,
  logEvery: 2,
  schedule: { warmupSteps: 2 },
  clipNorm: 1,
  ema: 0.9,
  accumulate: 2,
};
const recipe = (name: string, flags: Record<string, string> = {}) =>
  parseRecipe({ head: light, train }, { flags: { data, out: join(root, name), ...flags } });

/** Ends the run after a step, as Ctrl-C would. */
function stopAfter(step: number): TrainRunOptions {
  const stop = new AbortController();
  return {
    signal: stop.signal,
    onEntry: (entry) => {
      if (entry.type === 'train' && entry.step >= step) stop.abort();
    },
  };
}

describe('trainRun', () => {
  it('writes a whole run folder, and leaks no tensor', async () => {
    const before = tf.memory().numTensors;
    const result = await trainRun(recipe('runs/whole'), { evaluateFirst: true });
    expect(tf.memory().numTensors).toBe(before);
    expect(result).toMatchObject({ ended: 'done', steps: 6, first: { step: 0 }, last: { step: 6 } });
    expect(result.best?.score).toBeGreaterThan(0);
    expect(result.parameters).toMatchObject({ adapter: 121344, backbone: 2797606 });

    const folder = RunFolder.open(join(root, 'runs', 'latest'));
    const log = folder.log();
    expect(log.filter((e) => e.type === 'train').map((e) => e.step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(log.filter((e) => e.type === 'eval').map((e) => e.step)).toEqual([0, 3, 6]);
    const names = readdirSync(folder.dir).map((name) => name.replace(/tfevents.*/, 'tfevents'));
    expect(names.sort()).toEqual([
      'checkpoints',
      'events.out.tfevents',
      'log.jsonl',
      'recipe.yaml',
      'report.html',
    ]);
    expect(readdirSync(join(folder.dir, 'checkpoints')).sort()).toEqual([
      'best.safetensors',
      'last.safetensors',
    ]);
    const report = readFileSync(result.report, 'utf8');
    expect(report.match(/data:image\/png/g)).toHaveLength(4); // label and prediction of both validation images
    expect(report).not.toContain('<img src=x');
  });

  it('is scored and used again from its folder', async () => {
    const run = await loadRun(join(root, 'runs', 'whole'), { task: 'segmentation' });
    expect(run.info).toMatchObject({ classes: shapeClasses, ignoreIndex: 255, seed: 0 });
    const folder = await openData(run.recipe as SegmentationRecipe);
    const segmenter = run.model;
    const scores = await evaluate(segmenter, folder.split('val'), folder);
    expect(scores.mIoU).toBeCloseTo(run.info.best!.score, 6);

    const out = join(root, 'out');
    const photo = join(data, 'images', 'val', 'scene-003.png');
    const written: PredictedFiles[] = [];
    for await (const files of predictFiles(segmenter, [photo], out)) written.push(files);
    expect(written).toEqual([
      {
        input: photo,
        ...Object.fromEntries(['mask', 'index', 'overlay'].map((k) => [k, join(out, `scene-003.${k}.png`)])),
        shares: expect.any(Array),
      },
    ]);
    const { index, mask, shares } = written[0]!;
    const [grey, coloured] = await Promise.all([index, mask].map(async (f) => decodePng(readFileSync(f), f)));
    expect(grey).toMatchObject({ width: 64, height: 64, bitDepth: 8, colorType: 0 });
    expect(Math.max(...grey!.data)).toBeLessThan(shapeClasses.length);
    const counts = shapeClasses.map((name, c) => ({
      name,
      share: grey!.data.filter((v) => v === c).length / 64 ** 2,
    }));
    expect(shares).toEqual(counts.filter(({ share }) => share > 0).sort((a, b) => b.share - a.share));
    const table = JSON.parse(readFileSync(join(out, 'classes.json'), 'utf8'));
    expect(table.map(({ name }: { name: string }) => name)).toEqual(shapeClasses);
    expect(coloured!.colorType).toBe(3);
    expect([...coloured!.data]).toEqual([...grey!.data]); // a palette: the stored numbers are the classes
    expect((await readImage(written[0]!.overlay!)).width).toBe(64);
    segmenter.dispose();
  });

  it('comes to the same weights, bit for bit, when it is stopped and resumed', async () => {
    const stopped = await trainRun(recipe('stopped', { 'train.logEvery': '1' }), stopAfter(4));
    expect(stopped).toMatchObject({ ended: 'interrupted', steps: 4 });
    const resumed = await trainRun(RunFolder.open(stopped.dir).recipe(), { resume: stopped.dir });
    expect(resumed).toMatchObject({ ended: 'done', steps: 6 });
    const whole = readCheckpoint(join(root, 'runs', 'whole', 'checkpoints', 'last.safetensors'));
    const again = readCheckpoint(join(stopped.dir, 'checkpoints', 'last.safetensors'));
    expect(Object.keys(again.tensors)).toEqual(Object.keys(whole.tensors));
    const different = Object.keys(whole.tensors).filter(
      (key) =>
        !Buffer.from(whole.tensors[key]!.data.buffer).equals(Buffer.from(again.tensors[key]!.data.buffer)),
    );
    expect(different).toEqual([]);
    expect(again.info.best).toEqual(whole.info.best);
    const log = RunFolder.open(stopped.dir).log();
    expect(log.filter((e) => e.type === 'train').map((e) => e.step)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('stops early when the score rises no more', async () => {
    const flags = {
      steps: '30',
      'train.earlyStopping.patience': '2',
      'train.evalEvery': '1',
      'train.accumulate': '1',
    };
    const result = await trainRun(recipe('early', flags));
    expect(result.ended).toBe('early-stop');
    expect(result.steps).toBe(result.best!.step + 2);
    expect(result.last!.scores.mIoU).toBeLessThanOrEqual(result.best!.score);
  });

  it('names a divergence, and leaves the checkpoints as they were', async () => {
    const { dir } = await trainRun(recipe('diverged', { steps: '2', 'train.evalEvery': '2' }));
    const path = join(dir, 'checkpoints', 'last.safetensors');
    const good = readFileSync(path);
    const wild = recipe('diverged', { lr: '1e38', steps: '8' });
    const error = await trainRun(wild, { resume: dir }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DivergedError);
    expect((error as Error).message).toMatch(
      /training diverged: .*step [3-8][\s\S]*lower train\.optimizer\.lr/,
    );
    expect(readFileSync(path).equals(good)).toBe(true);
  });
});

describe('bad input of a run', () => {
  const checkpoint = () => join(root, 'runs', 'whole', 'checkpoints', 'last.safetensors');

  it('names missing data', async () => {
    await expect(trainRun(parseRecipe(''))).rejects.toThrow(RecipeError);
    await expect(trainRun(parseRecipe(''))).rejects.toThrow('to do: pass --data DIR');
  });

  it('refuses a checkpoint of another backbone or another head', async () => {
    const info = { classes: shapeClasses, ignoreIndex: 255 };
    const base = swin({ embedDim: 8, depths: [1, 1], heads: [1, 1], window: 4 });
    const other = await Segmenter.create(recipe('x'), info, base);
    expect(() => applyCheckpoint(other, readCheckpoint(checkpoint()))).toThrow(/trained on another backbone/);
    const wider = await Segmenter.create(recipe('x', { 'head.channels': '16' }), info);
    expect(() => applyCheckpoint(wider, readCheckpoint(checkpoint()))).toThrow(
      /does not fit the model: head\//,
    );
    other.dispose();
    wider.dispose();
  });

  it('refuses a truncated, a foreign and a missing checkpoint', async () => {
    const cut = join(root, 'cut.safetensors');
    writeFileSync(cut, readFileSync(checkpoint()));
    truncateSync(cut, 100_000);
    expect(() => readCheckpoint(cut)).toThrow(SafetensorsError);
    expect(() => readCheckpoint(join(root, 'none'))).toThrow(CheckpointError);
    const weights = new URL('../../swin/weights/swin-nano-tinyimagenet.safetensors', import.meta.url);
    expect(() => readCheckpoint(weights.pathname)).toThrow(/is no checkpoint of e3va train/);
  });

  it('refuses to resume with other classes', async () => {
    const flags = { 'data.classes': '[a, b, c]' };
    await expect(trainRun(recipe('x', flags), { resume: join(root, 'runs', 'whole') })).rejects.toThrow(
      /other classes than the run/,
    );
  });

  it('names a checkpoint that cannot be written, and leaves no part of it', async () => {
    const options: TrainRunOptions = {
      onEntry: ({ step }) => {
        const folder = join(root, 'unwritable', 'checkpoints');
        if (step !== 1 || !existsSync(folder)) return;
        rmSync(folder, { recursive: true });
        writeFileSync(folder, 'a file where the folder was');
      },
    };
    const flags = { steps: '2', 'train.logEvery': '1', 'train.evalEvery': '2' };
    await expect(trainRun(recipe('unwritable', flags), options)).rejects.toThrow(FileWriteError);
    expect(readdirSync(join(root, 'unwritable')).filter((name) => name.includes('tmp'))).toEqual([]);
  });
});
