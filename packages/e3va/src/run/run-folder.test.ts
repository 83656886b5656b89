import { existsSync, lstatSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RunError } from '../errors.ts';
import { parseRecipe } from '../recipe/parse.ts';
import { RunFolder } from './run-folder.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'e3va-run-')));
afterAll(() => rmSync(root, { recursive: true }));

const recipe = parseRecipe('train: { steps: 5 }');
const step = (n: number) =>
  ({ type: 'train', step: n, loss: 1, lr: 1, ms: 1, imagesPerSecond: 1, rss: 1 }) as const;

describe('RunFolder', () => {
  it('writes the recipe, and is found again by its name and by latest', () => {
    const first = RunFolder.create(recipe, join(root, 'runs', 'a'));
    const second = RunFolder.create(recipe, join(root, 'runs', 'b'));
    expect(first.recipe()).toEqual(recipe);
    expect(realpathSync(RunFolder.open(join(root, 'runs', 'latest')).dir)).toBe(second.dir);
    expect(lstatSync(join(root, 'runs', 'latest')).isSymbolicLink()).toBe(true);
    RunFolder.create(recipe, join(root, 'elsewhere', 'c'));
    expect(existsSync(join(root, 'elsewhere', 'latest'))).toBe(false);
  });

  it('follows a pointer file where links are not allowed', () => {
    mkdirSync(join(root, 'w', 'runs'), { recursive: true });
    const folder = RunFolder.create(recipe, join(root, 'w', 'runs', 'x'));
    rmSync(join(root, 'w', 'runs', 'latest'));
    writeFileSync(join(root, 'w', 'runs', 'latest'), 'x\n');
    expect(RunFolder.open(join(root, 'w', 'runs', 'latest')).dir).toBe(folder.dir);
  });

  it('refuses a folder that holds a run, and one that holds none', () => {
    RunFolder.create(recipe, join(root, 'twice'));
    expect(() => RunFolder.create(recipe, join(root, 'twice'))).toThrow(/holds a run already[\s\S]*--resume/);
    expect(() => RunFolder.open(join(root, 'nowhere'))).toThrow(RunError);
    expect(() => RunFolder.open(root)).toThrow(/without recipe.yaml/);
    writeFileSync(join(root, 'file'), '');
    expect(() => RunFolder.create(recipe, join(root, 'file', 'run'))).toThrow(/cannot make the run folder/);
  });

  it('keeps a log that survives a cut line, and rewinds', async () => {
    const folder = RunFolder.create(recipe, join(root, 'log'));
    folder.append([step(1), step(2)]);
    folder.append([step(3)]);
    writeFileSync(join(folder.dir, 'log.jsonl'), '{"type":"tr', { flag: 'a' });
    expect(folder.log().map((entry) => entry.step)).toEqual([1, 2, 3]);
    await folder.rewindLog(2);
    expect(folder.log().map((entry) => entry.step)).toEqual([1, 2]);
  });
});
