import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeShapes } from '../test/shapes.ts';
import { useBackend } from './backend.ts';
import { parseRecipe } from './recipe/parse.ts';
import { trainRun } from './train-run.ts';

const root = mkdtempSync(join(tmpdir(), 'e3va-train-'));
let data = '';
beforeAll(async () => {
  await useBackend('cpu');
  data = await writeShapes(join(root, 'data'));
});
afterAll(() => rmSync(root, { recursive: true }));

const recipe = (name: string, extra: Record<string, string> = {}) =>
  parseRecipe(
    {
      head: { channels: 16, dropout: 0.1 },
      train: {
        steps: 6,
        batch: 2,
        crop: [64, 64],
        scale: [0.8, 1.2],
        evalEvery: 3,
        logEvery: 2,
        schedule: { warmupSteps: 2 },
      },
    },
    { flags: { data, out: join(root, name), ...extra } },
  );

describe('trainRun', () => {
  it('trains', async () => {
    const t = performance.now();
    const result = await trainRun(recipe('a'), {
      evaluateFirst: true,
      onEntry: (e) => console.log(JSON.stringify(e)),
    });
    console.log(result, performance.now() - t);
    expect(result.ended).toBe('done');
  });
});
