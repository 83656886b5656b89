import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDetectionFolder } from '@e3va/datasets';
import { dispose } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeObjects } from '../../test/objects.ts';
import { useBackend } from '../backend.ts';
import { TrainBatches } from '../data.ts';
import { parseRecipe } from '../recipe/parse.ts';
import { Trainer } from '../trainer.ts';
import { type DetectionBatch, DetectionModel } from './detection-model.ts';
import { evaluateDetections } from './evaluate.ts';

const root = mkdtempSync(join(tmpdir(), 'e3va-overfit-'));
beforeAll(async () => {
  await useBackend('wasm');
  await writeObjects(join(root, 'data'), 5); // four with objects, one empty
});
afterAll(() => rmSync(root, { recursive: true }));

describe('a detector learns four images by heart', () => {
  it.each([
    ['retinanet', 150, 0.05],
    ['faster-rcnn', 150, 0.15],
    ['mask-rcnn', 150, 0.2],
    ['cascade-mask-rcnn', 150, 0.3],
  ] as const)('%s: loss below its bound and AP50 above 0.9', async (name, steps, bound) => {
    const recipe = parseRecipe({
      task: 'detection',
      data: { dir: join(root, 'data') },
      head: { name, preset: 'light', channels: 32 },
      train: { steps, batch: 4, shortSide: 96, flip: 0, optimizer: { lr: 3e-3 }, clipNorm: 10 },
    });
    const folder = await openDetectionFolder(join(root, 'data'));
    const model = await DetectionModel.create(recipe, folder);
    const trainer = new Trainer<DetectionBatch>(model, recipe.train);
    const batches = await TrainBatches.open(folder, recipe);
    const seen: number[] = [];
    for (let i = 0; i < steps; i++) {
      const { total, losses } = await batches.use(1, (given) => trainer.step(given as DetectionBatch[]));
      seen.push((await total.data())[0]!);
      dispose([total, losses]);
    }
    const last = seen.slice(-10).reduce((sum, loss) => sum + loss, 0) / 10;
    console.log(`${name}: loss ${seen[0]!.toFixed(3)} to ${last.toFixed(3)}`);
    const { boxes, masks } = await evaluateDetections(model, folder, 'train');
    console.log(
      `${name}: AP50 ${boxes.AP50.toFixed(3)}${masks ? `, of masks ${masks.AP50.toFixed(3)}` : ''}`,
    );
    expect(boxes.AP50).toBeGreaterThan(0.9);
    if (masks) expect(masks.AP50).toBeGreaterThan(0.9);
    expect(last).toBeLessThan(bound);
    trainer.dispose();
    model.dispose();
  });
});
