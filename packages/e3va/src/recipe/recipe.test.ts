import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RecipeError } from '../errors.ts';
import { builtInRecipes, formatRecipe, loadRecipe } from './load.ts';
import { editDistance, nearest } from './nearest.ts';
import { parseRecipe } from './parse.ts';
import { recipeKeys, type SegmentationRecipe } from './schema.ts';

const dir = mkdtempSync(join(tmpdir(), 'e3va-recipe-'));
afterAll(() => rmSync(dir, { recursive: true }));

const messageOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(RecipeError);
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
};

describe('recipes', () => {
  it('fills in the defaults: an empty recipe is the light one', () => {
    const { backbone, method, train, head } = parseRecipe('');
    expect({
      backbone,
      method: method.name,
      steps: train.steps,
      crop: train.crop,
      channels: head.channels,
    }).toEqual({
      backbone: { name: 'nano' },
      method: 'e3va',
      steps: 800,
      crop: [256, 320],
      channels: 64,
    });
  });

  it('reads every built-in recipe, and writes one that reads the same', () => {
    expect(builtInRecipes()).toContain('upernet-nano');
    for (const name of builtInRecipes()) {
      const recipe = loadRecipe(name);
      expect(parseRecipe(formatRecipe(recipe))).toEqual(recipe);
    }
    const { train, head } = loadRecipe('paper');
    expect([train.optimizer.lr, train.optimizer.weightDecay, train.schedule.warmupSteps]).toEqual([
      6e-5, 0.01, 1500,
    ]);
    expect([head.channels, (head as SegmentationRecipe['head']).aux?.weight, train.crop]).toEqual([
      512,
      0.4,
      [512, 512],
    ]);
  });

  it('names an unknown key, its line, and the key that was meant', () => {
    const text = 'train:\n  steps: 10\n  optimzer:\n    lr: 1\n';
    expect(messageOf(() => parseRecipe(text, { file: 'my.yaml' }))).toBe(
      [
        'unknown recipe key train.optimzer (my.yaml, line 3)',
        `  expected: one of the keys of train: ${recipeKeys('segmentation')
          .filter((k) => /^train\.[a-zA-Z]+$/.test(k))
          .map((k) => k.slice(6))
          .join(', ')}`,
        '  received: train.optimzer: {"lr":1}',
        '  to do: did you mean train.optimizer?',
      ].join('\n'),
    );
    expect(messageOf(() => parseRecipe('train: { lr: 1 }'))).toContain('did you mean train.optimizer.lr?');
    expect(messageOf(() => parseRecipe('method: { name: full, rank: 3 }'))).toContain(
      'unknown recipe key method.rank',
    );
    expect(messageOf(() => parseRecipe('__proto__: { a: 1 }'))).toContain('__proto__');
  });

  it('names a wrong value, what its key takes, and the line', () => {
    const wrong = (text: string) => messageOf(() => parseRecipe(text, { file: 'r.yaml' }));
    expect(wrong('train:\n  steps: many')).toBe(
      'wrong value for recipe key train.steps (r.yaml, line 2)\n  expected: a value of type number\n  received: "many"',
    );
    expect(wrong('train:\n  steps: 1.5')).toContain('expected: a whole number\n  received: 1.5');
    expect(wrong('train:\n  crop: [256]')).toContain(
      'train.crop (r.yaml, line 2)\n  expected: at least 2 entries',
    );
    expect(wrong('train: { optimizer: { lr: -1 } }')).toContain('expected: more than 0\n  received: -1');
    expect(wrong('method: { name: e3vb }')).toContain(
      'expected: e3va | lora | adapter | adaptFormer | loRand | mona | bitFit | norm | partial | frozen | full\n  received: "e3vb"\n  to do: did you mean e3va?',
    );
    const unknown = wrong('method: { name: mona, scale: 3 }');
    expect(unknown).toContain('one of the keys of method: name, after, width, dropout');
    expect(unknown).not.toContain('did you mean method.scale');
    expect(wrong('method: { name: lora, rnk: 3 }')).toContain('did you mean method.rank?');
    expect(wrong('backend: wasn')).toContain(
      'expected: auto | tensorflow | wasm | cpu\n  received: "wasn"\n  to do: did you mean wasm?',
    );
    expect(wrong('train: [')).toContain('r.yaml is not valid YAML');
    expect(wrong('- a\n- b')).toContain('r.yaml is no recipe');
  });

  it('lets flags override keys, by short name and by path', () => {
    const recipe = parseRecipe('train: { steps: 10 }\nmethod: { name: e3va, rank: 8 }', {
      flags: {
        steps: '20',
        'train.lr': '1e-4',
        'train.crop': '64,96',
        data: '2024',
        rank: '4',
        'train.flip': '0',
      },
    });
    expect(recipe.train).toMatchObject({ steps: 20, crop: [64, 96], flip: 0, optimizer: { lr: 1e-4 } });
    expect([recipe.data.dir, recipe.method]).toMatchObject(['2024', { name: 'e3va', rank: 4 }]);
    expect(parseRecipe('method: { rank: 8 }', { flags: { method: 'frozen' } }).method).toEqual({
      name: 'frozen',
    });
    expect(parseRecipe('', { flags: { rank: '8', method: 'e3va' } }).method).toMatchObject({ rank: 8 });
    expect(messageOf(() => parseRecipe('', { flags: { 'train.stepz': '3' } }))).toBe(
      'unknown flag --train.stepz\n  to do: did you mean --train.steps?',
    );
    expect(messageOf(() => parseRecipe('', { flags: { steps: 'x' } }))).toContain('recipe key train.steps');
  });

  it('names a recipe that does not exist', () => {
    expect(messageOf(() => loadRecipe('upernet-nanno'))).toContain('did you mean upernet-nano?');
    expect(messageOf(() => loadRecipe(dir))).toContain('EISDIR');
    writeFileSync(join(dir, 'a.yaml'), 'train: { steps: 3 }');
    expect(loadRecipe(join(dir, 'a.yaml'), { seed: '7' }).train).toMatchObject({ steps: 3, seed: 7 });
  });
});

describe('nearest', () => {
  it('counts edits, neighbours swapped as one', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('stpes', 'steps')).toBe(1);
    expect(nearest('qqqqqq', ['steps', 'batch'])).toBeUndefined();
  });
});
