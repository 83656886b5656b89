import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from './errors.ts';
import { findImages, outputNames } from './inputs.ts';

const root = mkdtempSync(join(tmpdir(), 'e3va-in-'));
beforeAll(() => {
  for (const dir of ['a', 'a/deep', 'empty']) mkdirSync(join(root, dir));
  for (const file of ['a/1.jpg', 'a/2.PNG', 'a/notes.txt', 'a/deep/1.jpg', 'b (x).webp'])
    writeFileSync(join(root, file), '');
});
afterAll(() => rmSync(root, { recursive: true }));

const found = (...inputs: string[]) =>
  findImages(inputs.map((i) => join(root, i))).map((f) => f.slice(root.length + 1));

describe('findImages', () => {
  it('takes files, folders and patterns', () => {
    expect(found('a/1.jpg')).toEqual(['a/1.jpg']);
    expect(found('a')).toEqual(['a/1.jpg', 'a/2.PNG']);
    expect(found('a/*.jpg', 'a/1.jpg')).toEqual(['a/1.jpg']);
    expect(found('**/*.jpg')).toEqual(['a/1.jpg', 'a/deep/1.jpg']);
    expect(found('b (x).webp', 'a/?.PNG')).toEqual(['a/2.PNG', 'b (x).webp']);
  });

  it('names an input without images', () => {
    expect(() => found('nothing.jpg')).toThrow(InputError);
    expect(() => found('nothing.jpg')).toThrow(/nothing.jpg does not exist/);
    expect(() => found('empty')).toThrow(/holds no image/);
    expect(() => found('c/*.jpg')).toThrow(/matches no image/);
  });

  it('gives results of two files of one name two names', () => {
    expect(outputNames(['a/1.jpg', 'b/1.png', 'c/1-2.png'])).toEqual(['1', '1-2', '1-2-2']);
  });
});
