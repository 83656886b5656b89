import { describe, expect, it } from 'vitest';
import { rejection, temporaryFolder, writeFiles } from '../test/make-data.ts';
import { classTable, readClassNames } from './class-names.ts';
import { ClassNamesError, OptionError } from './errors.ts';

const table = (...args: Parameters<typeof classTable>) => {
  const { names, labelOf, ignored } = classTable(...args);
  return { names, labels: Object.fromEntries(labelOf), ignored: [...ignored] };
};

describe('classTable', () => {
  it('takes the place in a list as the value', () => {
    expect(table(['sky', ' road '])).toEqual({ names: ['sky', 'road'], labels: { 0: 0, 1: 1 }, ignored: [] });
  });

  it('closes the gaps of a map, in order of values', () => {
    expect(table({ 10: 'road', 0: 'unlabeled', 2: 'sky' })).toEqual({
      names: ['sky', 'road'],
      labels: { 2: 0, 10: 1 },
      ignored: [0],
    });
  });

  it('ignores names such as void, and values it is told to', () => {
    expect(table(['Void', 'a', 'b', 'ignore', 'c'], { ignored: [2, 77] })).toEqual({
      names: ['a', 'c'],
      labels: { 1: 0, 4: 1 },
      ignored: [2, 77, 0, 3],
    });
  });

  it('shifts a list by reduceZeroLabel', () => {
    const result = { names: ['wall', 'sky'], labels: { 1: 0, 2: 1 }, ignored: [0] };
    expect(table(['wall', 'sky'], { reduceZeroLabel: true })).toEqual(result);
    expect(() => classTable({ 1: 'wall' }, { reduceZeroLabel: true })).toThrow(OptionError);
  });

  it('keeps names that are names of object properties', () => {
    const { names } = classTable(['constructor', '__proto__', 'toString']);
    expect(names).toEqual(['constructor', '__proto__', 'toString']);
  });

  it.each([
    [[], 'there is no class'],
    [['void'], 'there is no class'],
    [['a', ' '], 'the class of mask value 1 has no name'],
    [{ road: 'road' }, "'road' is no mask value"],
    [{ 70000: 'road' }, "'70000' is no mask value"],
    [{ 1: 7 }, 'the class of mask value 1 has no name'],
  ])('refuses %j', (names, text) => {
    expect(() => classTable(names as string[])).toThrow(ClassNamesError);
    expect(() => classTable(names as string[])).toThrow(text);
  });
});

describe('readClassNames', () => {
  const read = async (files: Record<string, string>) => {
    const folder = await temporaryFolder();
    await writeFiles(folder, files);
    return readClassNames(folder);
  };

  it('reads text, JSON lists, JSON maps and the table of ADE20K', async () => {
    expect(await read({ 'classes.txt': '\uFEFFsky\r\nroad\r\n\r\n' })).toEqual({
      names: ['sky', 'road'],
      file: 'classes.txt',
    });
    expect((await read({ 'labels.txt': 'sky\nroad' }))?.names).toEqual(['sky', 'road']);
    expect((await read({ 'classes.json': '["sky"]', 'labels.txt': 'road' }))?.names).toEqual(['sky']);
    expect((await read({ 'classes.json': '{"0":"void","7":"sky"}' }))?.names).toEqual({
      0: 'void',
      7: 'sky',
    });
    const info =
      'Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1576\t11664\t1172\t1\twall\n2\t0.1\t6046\t612\t1\tbuilding, edifice\n';
    expect((await read({ 'objectInfo150.txt': info }))?.names).toEqual(['wall', 'building']);
    expect(await read({ 'readme.txt': '' })).toBeUndefined();
  });

  it.each(['{', '3', '{"a": [1]}', '[1, 2]'])('refuses classes.json with %s', async (text) => {
    expect(await rejection(read({ 'classes.json': text }))).toBeInstanceOf(ClassNamesError);
  });
});
