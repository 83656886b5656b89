import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../tests/support/shared-data.ts';
import {
  greyPng,
  labelMap,
  plainMask,
  plainPng,
  rejection,
  temporaryFolder,
  writeFiles,
} from '../test/make-data.ts';
import {
  ClassNamesError,
  ClassRangeError,
  DuplicateNameError,
  EmptyDatasetError,
  FolderNotFoundError,
  ImageDecodeError,
  ImageTooLargeError,
  MaskFormatError,
  MaskSizeError,
  MissingMaskError,
  OptionError,
  UnknownLayoutError,
  UnknownSplitError,
} from './errors.ts';
import { type MaskFolderOptions, openMaskFolder } from './mask-folder.ts';

/** A data set of 4x6 images in the given folders; each mask holds one value a row. */
async function dataset(
  folders: Record<string, [images: string, masks: string, names: string[]]>,
  extra: Record<string, string | Uint8Array> = {},
  rows: number[] = [0, 1, 2, 255],
): Promise<string> {
  const folder = await temporaryFolder();
  const mask = greyPng(labelMap(4, 6, (y) => rows[y]!));
  for (const [images, masks, names] of Object.values(folders)) {
    for (const name of names) {
      await writeFiles(folder, { [`${images}/${name}.png`]: plainPng(), [`${masks}/${name}.png`]: mask });
    }
  }
  await writeFiles(folder, extra);
  return folder;
}
const classes = { 'classes.txt': 'sky\nroad\ncar\n' };
const flat = (names: string[], extra: Record<string, string | Uint8Array> = classes) =>
  dataset({ all: ['images', 'masks', names] }, extra);
const rowsOf = async (folder: string, options?: MaskFolderOptions) => {
  const { mask } = await (await openMaskFolder(folder, options)).split('train').load(0);
  return [0, 1, 2, 3].map((y) => mask.data[y * 6]);
};

describe('openMaskFolder recognises', () => {
  it('the CamVid/SegNet layout', async () => {
    const folder = await dataset(
      {
        a: ['train', 'trainannot', ['b', 'a']],
        b: ['val', 'valannot', ['c']],
        c: ['test', 'testannot', ['d']],
      },
      classes,
      [0, 1, 2, 3],
    );
    const set = await openMaskFolder(folder);
    expect(set).toMatchObject({
      layout: 'segnet',
      classes: ['sky', 'road', 'car'],
      splits: ['train', 'val', 'test'],
    });
    expect(set.split('train').names).toEqual(['a', 'b']);
    expect(set.split('val').length).toBe(1);
    expect(set.notes).toEqual([
      'Class names come from classes.txt.',
      'The mask value 3, one after the last class, is ignored as in the SegNet layout.',
    ]);
    const sample = await set.split('train').load(1);
    expect(sample).toMatchObject({
      name: 'b',
      image: { width: 6, height: 4 },
      mask: { width: 6, height: 4 },
    });
    expect([...sample.image.data.subarray(0, 3)]).toEqual([10, 20, 30]);
    expect(await rowsOf(folder)).toEqual([0, 1, 2, 255]);
    expect(await rejection(rowsOf(folder, { ignoreIndex: 9 }))).toBeInstanceOf(ClassRangeError);
    const withVoid = { classes: ['sky', 'void', 'car'] }; // the list itself says what is ignored
    expect(await rejection(rowsOf(folder, withVoid))).toBeInstanceOf(ClassRangeError);
  });

  it('the ADE20K layout, where 0 is no class', async () => {
    const folder = await dataset({
      a: ['images/training', 'annotations/training', ['x', 'y']],
      b: ['images/validation', 'annotations/validation', ['z']],
    });
    const set = await openMaskFolder(folder, { classes: ['wall', 'sky'] });
    expect(set).toMatchObject({ layout: 'ade20k', splits: ['train', 'val'], classes: ['wall', 'sky'] });
    expect(await rowsOf(folder, { classes: ['wall', 'sky'] })).toEqual([255, 0, 1, 255]);
    expect(await rowsOf(folder)).toEqual([255, 0, 1, 255]);
    expect(await rowsOf(folder, { classes: ['o', 'wall', 'sky'], reduceZeroLabel: false })).toEqual([
      0, 1, 2, 255,
    ]);
    expect((await openMaskFolder(folder)).classes).toEqual(['class 1', 'class 2']);
  });

  it.each([
    ['images/train', 'masks/train', 'images/val', 'masks/val'],
    ['Images/Train', 'Masks/Train', 'Images/Val', 'Masks/Val'],
    ['img_dir/train', 'ann_dir/train', 'img_dir/val', 'ann_dir/val'],
    ['images/train', 'annotations/train', 'images/valid', 'annotations/valid'],
    ['train/images', 'train/masks', 'val/images', 'val/masks'],
  ])('%s with %s', async (trainImages, trainMasks, valImages, valMasks) => {
    const folder = await dataset(
      { a: [trainImages, trainMasks, ['x']], b: [valImages, valMasks, ['y', 'z']] },
      classes,
    );
    const set = await openMaskFolder(folder);
    expect(set).toMatchObject({ layout: 'folders', splits: ['train', 'val'] });
    expect([set.split('train').names, set.split('val').names]).toEqual([['x'], ['y', 'z']]);
  });

  it('images/ with masks/, and sets a validation split apart that depends on the names alone', async () => {
    const names = [...'abcdefghij'];
    const open = async (list: string[], options?: MaskFolderOptions) =>
      openMaskFolder(await flat(list), options);
    const set = await open(names);
    expect([set.split('train').length, set.split('val').length]).toEqual([8, 2]);
    expect([...set.split('train').names, ...set.split('val').names].sort()).toEqual(names);
    expect(set.notes).toContain('There is no validation split: 2 of 10 images were set apart for it.');
    expect((await open([...names].reverse())).split('val').names).toEqual(set.split('val').names);
    const others = await Promise.all(
      [1, 2, 3].map(async (seed) => (await open(names, { seed })).split('val').names.join()),
    );
    expect(new Set([...others, set.split('val').names.join()]).size).toBeGreaterThan(1);
    expect((await open(names, { valFraction: 0.5 })).split('val').length).toBe(5);
    for (const valFraction of [0, 1, -1, Number.NaN]) {
      expect(await rejection(open(names, { valFraction }))).toBeInstanceOf(OptionError);
    }
    expect(await rejection(open(['only']))).toBeInstanceOf(OptionError);
  });

  it('folders inside, other extensions, and leaves hidden and other files alone', async () => {
    const jpeg = await sharp(await plainPng())
      .jpeg()
      .toBuffer();
    const folder = await flat(['city/a', 'b'], {
      ...classes,
      'images/c.JPG': jpeg,
      'masks/c.png': plainMask(1),
      'images/.hidden.png': 'x',
      'images/Thumbs.db': 'x',
      'masks/stray.png': plainMask(),
    });
    const set = await openMaskFolder(folder, { valFraction: 0.3 });
    expect([...set.split('train').names, ...set.split('val').names].sort()).toEqual(['b', 'c', 'city/a']);
    expect(set.notes).toContain('Masks without an image in masks: 1, such as stray.');
  });
});

describe('openMaskFolder decides on classes', () => {
  it('by a map with gaps', async () => {
    const names = { 0: 'unlabeled', 1: 'sky', 2: 'road' };
    const folder = await flat(['a', 'b'], { 'classes.json': JSON.stringify(names) });
    expect((await openMaskFolder(folder)).classes).toEqual(['sky', 'road']);
    expect(await rowsOf(folder)).toEqual([255, 0, 1, 255]);
  });

  it('255 may be a class', async () => {
    const folder = await dataset({ all: ['images', 'masks', ['a', 'b']] }, {}, [0, 255, 0, 255]);
    expect(await rowsOf(folder, { classes: { 0: 'background', 255: 'cell' } })).toEqual([0, 1, 0, 1]);
    const note = (await openMaskFolder(folder, { classes: ['background', 'cell'] })).notes.at(-1);
    expect(note).toContain('The first masks hold 0 and 255 alone');
    expect((await rejection(openMaskFolder(folder))).message).toContain("binary masks: { 0: '…', 255: '…' }");
  });

  it('by a scan of the masks where there are no names', async () => {
    const folder = await flat(['a', 'b'], {});
    const set = await openMaskFolder(folder);
    expect(set.classes).toEqual(['class 0', 'class 1', 'class 2']);
    expect(set.notes).toContain('No class names were found: the masks hold 3 classes.');
    expect((await openMaskFolder(folder, { ignoreIndex: 2 })).classes).toEqual(['class 0', 'class 1']);
    expect(await rowsOf(folder, { ignoreIndex: [2] })).toEqual([0, 1, 255, 255]);
    const large = await dataset({ all: ['images', 'masks', ['a', 'b']] }, {});
    await writeFiles(large, {
      'masks/a.png': sharp(Uint16Array.of(0, 9000), { raw: { width: 2, height: 1, channels: 1 } })
        .toColourspace('grey16')
        .png()
        .toBuffer(),
      'images/a.png': plainPng(1, 2),
    });
    const error = await rejection(openMaskFolder(large));
    expect(error).toBeInstanceOf(ClassNamesError);
    expect(error.message).toContain(`received: the value 9000 in ${join(large, 'masks/a.png')}`);
  });

  it('by a colour map', async () => {
    const folder = await flat(['a', 'b'], {});
    const options = { colorMap: { '#000000': 0, '#010101': 1, '#020202': 255, '#ffffff': 255 } };
    expect((await openMaskFolder(folder, options)).classes).toEqual(['class 0', 'class 1']);
    expect(await rowsOf(folder, options)).toEqual([0, 1, 255, 255]);
  });

  it('with another ignore index where there are more than 255', async () => {
    const folder = await flat(['a', 'b'], {});
    const many = Array.from({ length: 300 }, (_, i) => `c${i}`);
    expect(await openMaskFolder(folder, { classes: many })).toMatchObject({ ignoreIndex: 65535 });
    expect(await rowsOf(folder, { classes: many })).toEqual([0, 1, 2, 255]);
    expect(await rowsOf(folder, { classes: many, ignoreIndex: 2 })).toEqual([0, 1, 65535, 254]);
  });

  it('refuses an ignore index that is no value', async () => {
    const folder = await flat(['a', 'b']);
    expect(await rejection(openMaskFolder(folder, { ignoreIndex: -1 }))).toBeInstanceOf(OptionError);
  });
});

describe('openMaskFolder refuses', () => {
  it('what is no folder', async () => {
    const folder = await flat(['a', 'b']);
    const error = await rejection(openMaskFolder(join(folder, 'classes.txt')));
    expect(error).toBeInstanceOf(FolderNotFoundError);
    expect(error.message).toContain('received: a file');
    expect(await rejection(openMaskFolder(join(folder, 'nothing')))).toBeInstanceOf(FolderNotFoundError);
  });

  it('an unknown layout, and says what it saw', async () => {
    const folder = await temporaryFolder();
    expect((await rejection(openMaskFolder(folder))).message).toContain('received: an empty folder');
    await writeFiles(folder, { 'photos/a.png': plainPng(), 'notes.txt': 'x' });
    const error = await rejection(openMaskFolder(folder));
    expect(error).toBeInstanceOf(UnknownLayoutError);
    expect(error.message).toBe(
      `${folder} is arranged in no known way\n` +
        '  expected: train/ and trainannot/ (also val, test); images/training and annotations/training (also ' +
        'validation); or images/ and masks/, with or without train/ and val/ inside\n' +
        '  received: notes.txt, photos/\n' +
        '  to do: rename or link the folders; each mask has the name of its image',
    );
  });

  it('a folder one level too high, and names the right one', async () => {
    const folder = await dataset({ a: ['Inner/images', 'Inner/masks', ['a', 'b']] });
    const error = await rejection(openMaskFolder(folder));
    expect(error.message).toContain('to do: open its folder Inner/ instead');
    expect((await openMaskFolder(join(folder, 'Inner'), { classes: ['a', 'b', 'c'] })).splits).toEqual([
      'train',
      'val',
    ]);
  });

  it('empty folders', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'images'));
    await mkdir(join(folder, 'masks'));
    const error = await rejection(openMaskFolder(folder));
    expect(error).toBeInstanceOf(EmptyDatasetError);
    expect(error.message).toContain(`${join(folder, 'images')} holds no image`);
  });

  it('images without mask, and lists five', async () => {
    const folder = await flat(['a']);
    for (const name of 'bcdefgh') await writeFiles(folder, { [`images/${name}.png`]: plainPng() });
    const error = await rejection(openMaskFolder(folder));
    expect(error).toBeInstanceOf(MissingMaskError);
    expect((error as MissingMaskError).names).toEqual([...'bcdefgh']);
    expect(error.message).toBe(
      `7 of 8 images have no mask in ${join(folder, 'masks')}\n  expected: a mask named as its image, such as b.png\n` +
        '  received: 1 masks; none for b, c, d, e, f, …\n' +
        '  to do: add the masks, or move these images out of the data set',
    );
  });

  it('masks with a suffix it was not told of', async () => {
    const folder = await temporaryFolder();
    for (const name of ['a', 'b']) {
      await writeFiles(folder, { [`images/${name}.png`]: plainPng(), [`masks/${name}_L.png`]: plainMask(1) });
    }
    const error = await rejection(openMaskFolder(folder));
    expect(error.message).toContain("pass maskSuffix: '_L' if a_L is the mask of a");
    const set = await openMaskFolder(folder, { maskSuffix: '_L', classes: ['x', 'y'] });
    expect((await set.split('train').load(0)).mask.data[0]).toBe(1);
    expect(set.notes.join()).not.toContain('Masks without');
  });

  it('two images of one name', async () => {
    const folder = await flat(['a', 'b'], { ...classes, 'images/a.jpg': await plainPng() });
    const error = await rejection(openMaskFolder(folder));
    expect(error).toBeInstanceOf(DuplicateNameError);
    expect(error.message).toMatch(/received: a\.(png and a\.jpg|jpg and a\.png)/);
  });

  it('a mask of another size', async () => {
    const folder = await flat(['a', 'b'], { ...classes, 'masks/b.png': plainMask(0, 4, 5) });
    const error = await rejection(openMaskFolder(folder));
    expect(error).toBeInstanceOf(MaskSizeError);
    expect(error.message).toBe(
      `${join(folder, 'masks/b.png')} is not of the size of its image ${join(folder, 'images/b.png')}\n` +
        '  expected: 6x4\n  received: 5x4\n' +
        '  to do: export the mask at the size of the image (nearest neighbour, never blended)',
    );
    const lazily = await openMaskFolder(folder, { check: 'names' });
    const all = [
      ...lazily.split('train').names.map((n, i) => ['train', n, i]),
      ...lazily.split('val').names.map((n, i) => ['val', n, i]),
    ];
    const [split, , index] = all.find(([, name]) => name === 'b') as ['train' | 'val', string, number];
    expect(await rejection(lazily.split(split).load(index))).toBeInstanceOf(MaskSizeError);
  });

  it('a mask drawn before the image was turned, unless told', async () => {
    const turned = await sharp(await plainPng(4, 6))
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const folder = await temporaryFolder();
    for (const name of ['a', 'b']) {
      await writeFiles(folder, { [`images/${name}.jpg`]: turned, [`masks/${name}.png`]: plainMask(0, 4, 6) });
    }
    const options = { classes: ['x', 'y'] };
    const error = await rejection(openMaskFolder(folder, options));
    expect(error).toBeInstanceOf(MaskSizeError);
    expect(error.message).toContain('pass autoOrient: false if the mask was drawn on the image as stored');
    const set = await openMaskFolder(folder, { ...options, autoOrient: false });
    expect((await set.split('train').load(0)).image).toMatchObject({ width: 6, height: 4 });
  });

  it('broken images, JPEG masks and images above the limit, when it is opened', async () => {
    const jpeg = await sharp(await plainPng())
      .jpeg()
      .toBuffer();
    const broken = await flat(['a', 'b'], {
      ...classes,
      'images/b.png': 'version https://git-lfs.github.com/spec/v1\n',
    });
    expect(await rejection(openMaskFolder(broken))).toBeInstanceOf(ImageDecodeError);
    const smeared = await flat(['a', 'b'], { ...classes, 'masks/a.png': jpeg });
    expect(await rejection(openMaskFolder(smeared))).toBeInstanceOf(MaskFormatError);
    expect(await rejection(openMaskFolder(await flat(['a', 'b']), { maxPixels: 23 }))).toBeInstanceOf(
      ImageTooLargeError,
    );
  });

  it('RGB masks without a colour map, when it is opened', async () => {
    const folder = await flat(['a', 'b'], { ...classes, 'masks/a.png': await plainPng() });
    const error = await rejection(openMaskFolder(folder));
    expect(error).toBeInstanceOf(MaskFormatError);
    expect(error.message).toContain('received: the colours #0a141e');
  });

  it('splits and samples that are not there', async () => {
    const set = await openMaskFolder(await flat(['a', 'b']));
    expect(() => set.split('test')).toThrow(UnknownSplitError);
    expect(() => set.split('test')).toThrow("expected: 'train' or 'val'");
    expect(await rejection(set.split('train').load(7))).toBeInstanceOf(OptionError);
  });

  it('a value out of range when the sample is loaded', async () => {
    const folder = await flat(['a', 'b'], { 'classes.txt': 'sky\nroad' });
    const error = await rejection(rowsOf(folder));
    expect(error).toBeInstanceOf(ClassRangeError);
    expect((error as ClassRangeError).details).toMatchObject({ value: 2, pixels: 6, row: 2, column: 0 });
    expect(basename((error as ClassRangeError).details.file)).toMatch(/^[ab]\.png$/);
  });
});

const camvid = sharedData('segmentation/camvid');
const coco = sharedData('segmentation/coco-semantic');
describe.skipIf(!camvid || !coco)('openMaskFolder on real data', () => {
  it('CamVid', async () => {
    const set = await openMaskFolder(camvid!);
    expect(set).toMatchObject({ layout: 'segnet', ignoreIndex: 255, splits: ['train', 'val'] });
    expect([set.split('train').length, set.split('val').length, set.classes.length]).toEqual([60, 30, 11]);
    const { image, mask } = await set.split('val').load(3);
    expect([image.width, image.height, mask.width, mask.height]).toEqual([480, 360, 480, 360]);
    expect(mask.data.every((v) => v < 11 || v === 255)).toBe(true);
  });

  it('COCO with sparse ids', async () => {
    const set = await openMaskFolder(coco!);
    expect([set.split('train').length, set.split('val').length, set.classes.length]).toEqual([16, 8, 129]);
    const { mask } = await set.split('val').load(0);
    expect(mask.data.every((v) => v < 129 || v === 255)).toBe(true);
  });
});
