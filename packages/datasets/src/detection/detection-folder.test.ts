import { readFile, symlink } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../../tests/support/shared-data.ts';
import { plainPng, rejection, temporaryFolder, writeFiles } from '../../test/make-data.ts';
import {
  AmbiguousLayoutError,
  AnnotationSyntaxError,
  ClassNamesError,
  EmptyDatasetError,
  FolderNotFoundError,
  ImageDecodeError,
  ImageSizeError,
  MissingImageError,
  OptionError,
  UnknownLayoutError,
  UnknownSplitError,
  UnsafePathError,
} from '../errors.ts';
import { checkDetectionFolder, openDetectionFolder } from './detection-folder.ts';
import type { DetectionFolder } from './open-folder.ts';
import type { DetectionFolderOptions } from './options.ts';

type Files = Parameters<typeof writeFiles>[1];

/** A folder with the given files; `image` stands for an image of 60x40. */
async function dataset(files: Record<string, string | Uint8Array | object>): Promise<string> {
  const folder = await temporaryFolder();
  const written: Files = {};
  for (const [path, content] of Object.entries(files)) {
    const plain = typeof content === 'string' || content instanceof Uint8Array || content instanceof Promise;
    written[path] =
      content === image ? plainPng(40, 60) : plain ? (content as string) : JSON.stringify(content);
  }
  await writeFiles(folder, written);
  return folder;
}
const image = 'an image';

const open = async (files: Parameters<typeof dataset>[0], options?: DetectionFolderOptions) =>
  openDetectionFolder(await dataset(files), options);
const failure = async (files: Parameters<typeof dataset>[0], options?: DetectionFolderOptions) =>
  rejection(open(files, options));

/** `name: class x1,y1,x2,y2 …` of every sample of a split. */
function shown(folder: DetectionFolder, name: 'train' | 'val' | 'test'): string[] {
  const split = folder.split(name);
  return split.names.map((sample, i) => {
    const objects = split.info(i).objects.map(({ box, label }) => `${folder.classes[label]} ${box.join()}`);
    return `${sample}: ${objects.join(' ')}`.trimEnd();
  });
}

const cocoImage = (id: number | string, file_name: string) => ({ id, file_name, width: 60, height: 40 });
const cocoFile = (
  names: string[],
  annotations: object[] = [],
  categories: object[] = [
    { id: 4, name: 'cat' },
    { id: 2, name: 'dog' },
  ],
) => ({
  images: names.map((name, i) => cocoImage(i + 1, name)),
  annotations: [{ id: 1, image_id: 1, category_id: 4, bbox: [10, 10, 20, 5] }, ...annotations],
  categories,
});
const vocFile = (name: string, box: number[], filename = 'x.jpg') => {
  const [xmin, ymin, xmax, ymax] = box;
  return `<annotation>
<filename>${filename}</filename><size><width>60</width><height>40</height></size>
<object><name>${name}</name>
<bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox></object>
</annotation>`;
};
const emptyVoc = '<annotation><size><width>60</width><height>40</height></size></annotation>';
const labelMeFile = (shapes: object[], imagePath = 'a.png') => ({
  version: '5.4.1',
  shapes,
  imagePath,
  imageData: null,
  imageHeight: 40,
  imageWidth: 60,
});

describe('openDetectionFolder recognises', () => {
  it('COCO with annotations/instances_*.json and folders of images', async () => {
    const folder = await open({
      'annotations/instances_train2017.json': cocoFile(['a.png', 'b.png']),
      'annotations/instances_val2017.json': cocoFile(['a.png']),
      'annotations/captions_val2017.json': { images: [], annotations: [] },
      'annotations/person_keypoints_val2017.json': cocoFile(['a.png']),
      'train2017/a.png': image,
      'train2017/b.png': image,
      'val2017/a.png': image,
    });
    expect(folder).toMatchObject({ format: 'coco', splits: ['train', 'val'], classes: ['dog', 'cat'] });
    expect(folder.categoryIds).toEqual([2, 4]);
    expect(shown(folder, 'train')).toEqual(['a: cat 10,10,30,15', 'b:']);
    expect(folder.split('val').info(0).file).toBe(`${folder.directory}/val2017/a.png`);
    expect(folder.problems).toEqual([]);
  });

  it('the folders of Roboflow, whose first category is no class', async () => {
    const categories = [
      { id: 0, name: 'pets', supercategory: 'none' },
      { id: 4, name: 'cat', supercategory: 'pets' },
    ];
    const folder = await open({
      'train/_annotations.coco.json': cocoFile(['a.png'], [], categories),
      'valid/_annotations.coco.json': cocoFile(['a.png'], [], categories),
      'test/_annotations.coco.json': cocoFile(['a.png'], [], categories),
      'train/a.png': image,
      'valid/a.png': image,
      'test/a.png': image,
    });
    expect(folder).toMatchObject({ classes: ['cat'], categoryIds: [4], splits: ['train', 'val', 'test'] });
    expect(folder.split('val').info(0).file).toBe(`${folder.directory}/valid/a.png`);
    expect(folder.notes).toEqual([
      "The category 'pets', parent of all others, has no object and is no class.",
    ]);
  });

  it('one COCO file, and splits it the same way every time', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `${i}.png`);
    const files = {
      'result.json': cocoFile(names),
      ...Object.fromEntries(names.map((name) => [`images/${name}`, image])),
    };
    const first = await open(files);
    expect(first.splits).toEqual(['train', 'val']);
    expect(first.notes).toContain('There is no validation split: 2 of 10 images were set apart for it.');
    expect((await open(files)).split('val').names).toEqual(first.split('val').names);
    expect((await open(files, { seed: 5 })).split('val').names).not.toEqual(first.split('val').names);
    expect((await open(files, { valFraction: 0.5 })).split('val').length).toBe(5);
    expect((await open(files, { valFraction: 0 })).splits).toEqual(['train']);
  });

  it('VOC with lists, counting pixels from 1', async () => {
    const folder = await open({
      'VOC2012/Annotations/a.xml': vocFile('dog', [2, 3, 10, 20]),
      'VOC2012/Annotations/b.xml': vocFile('cat', [1, 1, 60, 40]),
      'VOC2012/Annotations/c.xml': emptyVoc,
      'VOC2012/JPEGImages/a.jpg': image,
      'VOC2012/JPEGImages/b.jpg': image,
      'VOC2012/JPEGImages/c.jpg': image,
      'VOC2012/ImageSets/Main/train.txt': 'c\r\na 1\n\ngone\n',
      'VOC2012/ImageSets/Main/val.txt': 'b.jpg',
      'VOC2012/ImageSets/Main/trainval.txt': 'a\nb\nc',
      'VOC2012/ImageSets/Main/cat_train.txt': 'a -1',
    });
    expect(folder).toMatchObject({ format: 'voc', classes: ['cat', 'dog'], categoryIds: [1, 2] });
    expect(shown(folder, 'train')).toEqual(['c:', 'a: dog 1,2,10,20']);
    expect(shown(folder, 'val')).toEqual(['b: cat 0,0,60,40']);
    expect(folder.problems).toEqual([
      expect.objectContaining({ line: 4, what: 'there are no annotations of gone', action: 'left out' }),
    ]);
  });

  it('VOC beside images, counting from 0 where a box begins there', async () => {
    const files = {
      'train/a.xml': vocFile('dog', [0, 3, 10, 20]),
      'train/a.jpg': image,
      'valid/b.xml': vocFile('cat', [2, 3, 10, 20], 'old-name.jpg'),
      'valid/b.jpg': image,
    };
    const folder = await open(files);
    expect(shown(folder, 'train')).toEqual(['a: dog 0,3,10,20']);
    expect(shown(folder, 'val')).toEqual(['b: cat 2,3,10,20']);
    expect(folder.notes[0]).toContain('A box begins at 0');
    expect(shown(await open(files, { firstPixel: 1 }), 'val')).toEqual(['b: cat 1,2,10,20']);
  });

  it('YOLO with images/ and labels/, boxes and outlines, names from data.yaml', async () => {
    const folder = await open({
      'data.yaml':
        'path: ../datasets/pets\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: __proto__\n',
      'images/train/a.png': image,
      'images/train/b.png': image,
      'labels/train/a.txt': '\uFEFF1 0.5 0.5 0.5 0.5\r\n\r\n0\t0.1 0.25 0.5 0.25 0.5 0.75\n',
      'images/val/a.png': image,
      'labels/val/a.txt': '',
    });
    expect(folder).toMatchObject({ format: 'yolo', classes: ['cat', '__proto__'], splits: ['train', 'val'] });
    expect(shown(folder, 'train')).toEqual(['a: __proto__ 15,10,45,30 cat 6,10,30,30', 'b:']);
    expect(folder.split('train').info(0).objects[1]!.segmentation).toEqual([[6, 10, 30, 10, 30, 30]]);
    expect(shown(folder, 'val')).toEqual(['a:']);
    expect(folder.notes).toEqual([
      'Images without a label file, taken as empty: 1.',
      'Class names come from data.yaml.',
    ]);
  });

  it('YOLO with train/images, paths of Roboflow and names that are too many', async () => {
    const folder = await open({
      'data.yaml': "train: ../train/images\nval: ../valid/images\nnc: 3\nnames: ['cat', 'dog']",
      'train/images/a.png': image,
      'train/labels/a.txt': '1 .5 .5 .5 .5',
      'valid/images/b.png': image,
      'valid/labels/b.txt': '0 0.5 0.5 1 1',
    });
    expect(folder.splits).toEqual(['train', 'val']);
    expect(shown(folder, 'val')).toEqual(['b: cat 0,0,60,40']);
    expect(folder.problems).toEqual([expect.objectContaining({ what: 'nc is 3, but there are 2 names' })]);
  });

  it('YOLO of darknet: labels beside the images, lists of images, obj.names', async () => {
    const folder = await open({
      'obj.data': 'classes = 2\nnames = data/obj.names',
      'obj.names': 'cat\ndog\n',
      'obj_train_data/a.jpg': image,
      'obj_train_data/a.txt': '1 0.5 0.5 0.5 0.5',
      'train.txt': 'data/obj_train_data/a.jpg',
    });
    expect(shown(folder, 'train')).toEqual(['a: dog 15,10,45,30']);
  });

  it('YOLO without names', async () => {
    const files = { 'images/a.png': image, 'labels/a.txt': '2 0.5 0.5 0.5 0.5' };
    expect((await open(files)).classes).toEqual(['class 0', 'class 1', 'class 2']);
    expect(shown(await open(files, { classes: ['a', 'b', 'c'] }), 'train')).toEqual(['a: c 15,10,45,30']);
  });

  it('LabelMe: rectangles, polygons, circles, groups', async () => {
    const folder = await open({
      'a.json': labelMeFile([
        {
          label: 'cat',
          shape_type: 'rectangle',
          points: [
            [30, 20],
            [10, 5],
          ],
        },
        {
          label: 'dog',
          shape_type: 'polygon',
          group_id: 3,
          points: [
            [1, 1],
            [5, 1],
            [5, 5],
          ],
        },
        {
          label: 'dog',
          shape_type: 'polygon',
          group_id: 3,
          points: [
            [11, 1],
            [15, 1],
            [15, 8],
          ],
        },
        {
          label: 'cat',
          shape_type: 'circle',
          points: [
            [30, 20],
            [35, 20],
          ],
        },
        {
          label: 'cat',
          shape_type: 'line',
          points: [
            [30, 20],
            [35, 20],
          ],
        },
      ]),
      'a.png': image,
    });
    expect(folder.format).toBe('labelme');
    const { objects } = folder.split('train').info(0);
    expect(objects.map(({ box }) => box.map((v) => Number(v.toFixed(6))))).toEqual([
      [10, 5, 30, 20],
      [1, 1, 15, 8],
      [25, 15, 35, 25],
    ]);
    expect(objects.map(({ segmentation }) => (segmentation as number[][] | undefined)?.length)).toEqual([
      undefined,
      2,
      1,
    ]);
    expect(folder.problems).toEqual([expect.objectContaining({ what: 'a shape is a line' })]);
  });

  it('what is damaged as what its name says', async () => {
    const train = cocoFile(['a.png']);
    expect(
      await failure({ 'instances_train.json': train, 'instances_val.json': '', 'a.png': image }),
    ).toBeInstanceOf(AnnotationSyntaxError);
    const shapes = [
      {
        label: 'cat',
        shape_type: 'rectangle',
        points: [
          [10, 5],
          [30, 20],
        ],
      },
    ];
    const files = { 'a.json': labelMeFile(shapes), 'a.png': image, 'settings.json': '{}', 'c.png': image };
    const folder = await open(files);
    expect(folder.notes).toContain('Images without annotations, left out: 1, such as c.png.');
    expect(await failure({ ...files, 'c.json': '{"shapes": [' })).toBeInstanceOf(AnnotationSyntaxError);
  });

  it('LabelMe files in a folder of their own, with Windows paths', async () => {
    const shapes = [
      {
        label: 'cat',
        shape_type: 'rectangle',
        points: [
          [10, 5],
          [30, 20],
        ],
      },
    ];
    const folder = await open({
      'json/first.json': labelMeFile(shapes, '..\\pictures\\A.PNG'),
      'pictures/a.png': image,
    });
    expect(shown(folder, 'train')).toEqual(['a: cat 10,5,30,20']);
    expect(folder.problems).toEqual([expect.objectContaining({ action: 'pictures/a.png was taken' })]);
  });
});

describe('openDetectionFolder lets choose', () => {
  const mixed = {
    'a.png': image,
    'a.xml': vocFile('dog', [2, 3, 10, 20]),
    'a.txt': '0 0.5 0.5 0.5 0.5',
    'classes.txt': 'dog\ncat\n',
  };

  it('the form, where there are several', async () => {
    const error = await failure(mixed);
    expect(error).toBeInstanceOf(AmbiguousLayoutError);
    expect(error.message).toContain('voc: 1 files, such as a.xml; yolo: 1 files, such as a.txt');
    expect((await open(mixed, { format: 'voc' })).classes).toEqual(['dog', 'cat']);
    expect((await open(mixed, { format: 'yolo' })).format).toBe('yolo');
    expect(await failure(mixed, { format: 'coco' })).toBeInstanceOf(UnknownLayoutError);
  });

  it('the annotations', async () => {
    const files = {
      'v1.json': cocoFile(['a.png']),
      'v2.json': cocoFile(['a.png', 'b.png']),
      'a.png': image,
      'b.png': image,
    };
    expect(await failure(files)).toBeInstanceOf(AmbiguousLayoutError);
    expect((await open(files, { annotations: './v1.json' })).split('train').length).toBe(1);
    const both = await open(files, { annotations: { train: 'v2.json', val: 'v1.json' } });
    expect([both.split('train').length, both.split('val').length]).toEqual([2, 1]);
    expect(both.problems).toEqual([
      expect.objectContaining({ what: "the image is in 'train' and in 'val'" }),
    ]);
    expect(await failure(files, { annotations: '../v1.json' })).toBeInstanceOf(OptionError);
    expect(await failure(files, { annotations: { training: 'v1.json' } as never })).toBeInstanceOf(
      OptionError,
    );
    expect(await failure(files, { format: 'pascal' as never })).toBeInstanceOf(OptionError);
  });

  it('the classes', async () => {
    const files = {
      'a.json': cocoFile(['a.png'], [{ id: 2, image_id: 1, category_id: 2, bbox: [1, 1, 2, 2] }]),
      'a.png': image,
    };
    const folder = await open(files, { classes: ['cat'] });
    expect(folder).toMatchObject({ classes: ['cat'], categoryIds: [4], problems: [] });
    expect(folder.notes).toContain('Objects of other classes, left out: 1.');
    expect(await failure(files, { classes: ['cow'] })).toBeInstanceOf(ClassNamesError);
    expect(await failure(files, { classes: ['cat', 'cat'] })).toBeInstanceOf(ClassNamesError);
  });
});

describe('openDetectionFolder keeps its policy:', () => {
  const files = (annotations: object[], images: object[] = []) => {
    const file = cocoFile(['a.png'], annotations);
    return { 'a.json': { ...file, images: [...file.images, ...images] }, 'a.png': image, 'b.png': image };
  };
  const said = ({ problems }: DetectionFolder) => problems.map(({ what, action }) => `${what} -> ${action}`);

  it('boxes are clipped, dropped, or taken from their outline', async () => {
    const of = (id: number, bbox: unknown, segmentation?: unknown) => ({
      id,
      image_id: 1,
      category_id: 2,
      bbox,
      segmentation,
    });
    const folder = await open(
      files([
        of(2, [50, 30, 20, 20]),
        of(3, [50.0, 30, 10.05, 10]),
        of(4, [70, 10, 5, 5]),
        of(5, [5, 5, -2, 5]),
        of(6, [5, 5, 0, 5], [[5, 5, 9, 5, 9, 9]]),
        of(7, [1e308, 5, 1e308, 5]),
        of(
          8,
          [1, 1, 4, 4],
          [
            [-10, -10, 10, -10, 10, 10, -10, 10],
            [100, 100, 110, 100, 110, 110],
          ],
        ),
        of(9, [1, 1, 4, 4], { size: [1e9, 1e9], counts: [0, 1e18] }),
        { id: 10, image_id: 9, category_id: 2, bbox: [1, 1, 4, 4] },
        { id: 11, image_id: 1, category_id: 9, bbox: [1, 1, 4, 4] },
      ]),
    );
    expect(shown(folder, 'train')).toEqual([
      'a: cat 10,10,30,15 dog 50,30,60,40 dog 50,30,60,40 dog 5,5,9,9 dog 1,1,5,5 dog 1,1,5,5',
    ]);
    expect(folder.split('train').info(0).objects[4]!.segmentation).toEqual([[10, 0, 10, 10, 0, 10, 0, 0]]);
    expect(said(folder)).toEqual([
      'an annotation is of the image 9, which is not listed -> dropped',
      'the box [50, 30, 70, 50] reaches beyond the image of 60x40 -> clipped',
      'the box [70, 10, 75, 15] lies outside of the image of 60x40 -> dropped',
      'the box [5, 5, 3, 10] has no area -> dropped',
      'the box [5, 5, 5, 10] has no area -> the box of its outline was taken',
      'a box has a coordinate that is no number -> dropped',
      'a polygon reaches beyond the image -> clipped',
      'a polygon lies outside of the image -> the polygon was dropped',
      'the mask is of 1000000000x1000000000 pixels, its image of 60x40 -> the mask was dropped',
      'the class 9 is not known -> dropped',
    ]);
  });

  it('images with one id or one file', async () => {
    const folder = await open(
      files(
        [{ id: 2, image_id: 7, category_id: 2, bbox: [1, 1, 4, 4] }],
        [cocoImage(1, 'b.png'), cocoImage(7, 'a.png')],
      ),
    );
    expect(shown(folder, 'train')).toEqual(['a: cat 10,10,30,15 dog 1,1,5,5']);
    expect(said(folder)).toEqual([
      'two images have the id 1 -> the later image was dropped: its annotations cannot be told apart',
      'the image a.png is listed twice -> the annotations of both entries were joined',
    ]);
  });

  it('one image annotated by two files', async () => {
    const folder = await open({
      'x/a.xml': vocFile('dog', [2, 3, 10, 20]),
      'y/a.xml': vocFile('dog', [1, 1, 10, 20]),
      'a.jpg': image,
    });
    expect(shown(folder, 'train')).toEqual(['a: dog 1,2,10,20']);
    expect(said(folder)[0]).toContain('these were dropped');
  });

  it('VOC minimum above maximum is swapped', async () => {
    const folder = await open({ 'a.xml': vocFile('dog', [10, 20, 2, 3]), 'a.jpg': image });
    expect(shown(folder, 'train')).toEqual(['a: dog 1,2,10,20']);
  });

  it('missing images are one error that names them, or left out', async () => {
    const missing = files([], [cocoImage(2, 'gone.png'), cocoImage(3, 'lost.png')]);
    const error = await failure(missing);
    expect(error).toBeInstanceOf(MissingImageError);
    expect((error as MissingImageError).names).toEqual(['gone.png', 'lost.png']);
    expect(error.message).toContain('a.json:1: 2 images are missing');
    const folder = await open(missing, { missingImages: 'drop' });
    expect(folder.split('train').names).toEqual(['a']);
    expect(said(folder)).toEqual([
      'the image gone.png is missing -> left out',
      'the image lost.png is missing -> left out',
    ]);
  });

  it('labels without an image are missing images too', async () => {
    const yolo = { 'images/a.png': image, 'labels/a.txt': '0 .5 .5 .5 .5', 'labels/b.txt': '0 .5 .5 .5 .5' };
    expect(await failure(yolo)).toBeInstanceOf(MissingImageError);
  });

  it('names that leave the folder are refused, or their last part is found inside', async () => {
    const outside = ['/etc/a.png', 'C:\\data\\a.png', 'https://example.invalid/a.png', '../../a.png'];
    for (const name of outside) {
      const folder = await open({ 'a.json': cocoFile([name]), 'a.png': image });
      expect(said(folder)).toEqual([
        `the image ${JSON.stringify(name)} lies outside of the data folder -> a.png was taken`,
      ]);
    }
    for (const name of ['/etc/passwd.png', '../a/../../b.png', 'a\0.png', 'file:///etc/b.png']) {
      expect(await failure({ 'a.json': cocoFile([name]), 'a.png': image })).toBeInstanceOf(UnsafePathError);
    }
  });

  it('names may have odd letters, another case, another Unicode form, back slashes', async () => {
    const odd = 'Größe 図 #1%20.png';
    const names = [odd, 'sub\\b.png', './c.png', 'D.PNG'];
    const folder = await open({
      'a.json': cocoFile(names),
      [odd.normalize('NFD')]: image,
      'sub/b.png': image,
      'c.png': image,
      'd.png': image,
    });
    expect(folder.split('train').length + folder.split('val').length).toBe(4);
    expect(said(folder)).toEqual(['there is no image "D.PNG", but one in another case -> d.png was taken']);
  });

  it('the size of the image counts, but its EXIF orientation must be that of the annotations', async () => {
    const sized = { ...cocoFile(['a.png']), images: [{ ...cocoImage(1, 'a.png'), width: 120, height: 80 }] };
    expect(said(await open({ 'a.json': sized, 'a.png': image }))).toEqual([
      'the annotations are for 120x80 pixels, a.png has 60x40 -> the size of the image counts, boxes are not scaled',
    ]);
    const turned = sharp({ create: { width: 60, height: 40, channels: 3, background: '#000' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const stored = { 'a.json': cocoFile(['a.jpg']), 'a.jpg': turned };
    const error = await failure(stored);
    expect(error).toBeInstanceOf(ImageSizeError);
    expect(error.message).toContain('pass autoOrient: false');
    expect((await open(stored, { autoOrient: false })).split('train').info(0).width).toBe(60);
  });

  it('with check: names, sizes are believed until an image is loaded', async () => {
    const sized = { ...cocoFile(['a.png']), images: [{ ...cocoImage(1, 'a.png'), width: 120, height: 80 }] };
    const folder = await open({ 'a.json': sized, 'a.png': image }, { check: 'names' });
    expect(folder.split('train').info(0).width).toBe(120);
    expect(await rejection(folder.split('train').load(0))).toBeInstanceOf(ImageSizeError);
  });

  it('nothing to learn from is an error', async () => {
    expect(await failure({ 'a.json': { ...cocoFile([]), annotations: [] } })).toBeInstanceOf(
      EmptyDatasetError,
    );
    expect(
      await failure({ 'a.json': { ...cocoFile(['a.png']), annotations: [] }, 'a.png': image }),
    ).toBeInstanceOf(EmptyDatasetError);
    expect(await failure({ 'a.png': image })).toBeInstanceOf(UnknownLayoutError);
    expect(await rejection(openDetectionFolder('/no/such/folder'))).toBeInstanceOf(FolderNotFoundError);
  });

  it('an image that cannot be opened is an error', async () => {
    expect(await failure({ 'a.json': cocoFile(['a.png']), 'a.png': 'no image' })).toBeInstanceOf(
      ImageDecodeError,
    );
  });

  it('links are followed, and do not go round for ever', async () => {
    const directory = await dataset({ 'set/a.json': cocoFile(['a.png']), 'elsewhere/a.png': image });
    await symlink(`${directory}/elsewhere`, `${directory}/set/images`);
    await symlink(`${directory}/set`, `${directory}/set/again`);
    const folder = await openDetectionFolder(`${directory}/set`);
    expect(folder.split('train').length).toBe(1);
  });
});

describe('a split', () => {
  it('loads images and knows its bounds', async () => {
    const folder = await open({ 'a.json': cocoFile(['a.png']), 'a.png': image });
    const split = folder.split('train');
    const sample = await split.load(0);
    expect(sample).toMatchObject({ name: 'a', image: { width: 60, height: 40 } });
    expect(sample.objects).toEqual(split.info(0).objects);
    expect(await rejection(split.load(1))).toBeInstanceOf(OptionError);
    expect(() => folder.split('test')).toThrow(UnknownSplitError);
  });
});

describe('toCoco', () => {
  it('gives the ground truth, with boxes number for number', async () => {
    const outline = [[10, 10, 20, 10, 20, 20, 10, 20]];
    const folder = await open({
      'a.json': cocoFile(
        ['a.png'],
        [
          { id: 0, image_id: 1, category_id: 2, bbox: [0.1, 0.2, 0.7, 0.3], area: 3, iscrowd: 1 },
          { image_id: 1, category_id: 2, bbox: [10, 10, 100, 10], segmentation: outline, ignore: 1 },
        ],
      ),
      'a.png': image,
    });
    expect(folder.toCoco('train')).toEqual({
      images: [{ id: 1, width: 60, height: 40 }],
      annotations: [
        { id: 1, image_id: 1, category_id: 4, bbox: [10, 10, 20, 5], area: 100, iscrowd: 0 },
        { id: 0, image_id: 1, category_id: 2, bbox: [0.1, 0.2, 0.7, 0.3], area: 3, iscrowd: 1 },
        {
          id: 2,
          image_id: 1,
          category_id: 2,
          bbox: [10, 10, 50, 10],
          area: 100,
          iscrowd: 0,
          ignore: 1,
          segmentation: outline,
        },
      ],
      categories: [
        { id: 2, name: 'dog' },
        { id: 4, name: 'cat' },
      ],
    });
  });
});

describe('checkDetectionFolder', () => {
  it('goes on after errors and lists everything', async () => {
    const directory = await dataset({
      'train/a.xml': vocFile('dog', [2, 3, 100, 20]),
      'train/a.jpg': image,
      'train/b.xml': '<annotation>\n<object>',
      'train/b.jpg': image,
      'train/c.xml': vocFile('dog', [2, 3, 10, 20]),
      'train/c.jpg': 'no image',
      'train/d.xml': vocFile('dog', [2, 3, 10, 20], 'd.jpg'),
    });
    const { problems, folder } = await checkDetectionFolder(directory);
    expect(folder?.split('train').names).toEqual(['a']);
    expect(
      problems.map(({ file, line, severity, what }) => [
        file.slice(directory.length + 1),
        line,
        severity,
        what.split('\n')[0]!.slice(-40),
      ]),
    ).toEqual([
      ['train/a.xml', 3, 'warning', '0, 20] reaches beyond the image of 60x40'],
      ['train/b.xml', 1, 'error', 'is no valid XML: its tags are not closed'],
      ['train/c.jpg', undefined, 'error', expect.stringContaining('cannot be decoded')],
      ['train/d.xml', 1, 'error', 'the image d.jpg is missing'],
    ]);
  });

  it('finds damage beyond the header of an image', async () => {
    const whole = await sharp({
      create: {
        width: 60,
        height: 40,
        channels: 3,
        background: '#fa3',
        noise: { type: 'gaussian', mean: 99, sigma: 30 },
      },
    })
      .png()
      .toBuffer();
    const directory = await dataset({
      'a.json': cocoFile(['a.png']),
      'a.png': whole.subarray(0, whole.length / 2),
    });
    expect((await openDetectionFolder(directory)).problems).toEqual([]);
    expect((await checkDetectionFolder(directory)).problems).toEqual([
      expect.objectContaining({ severity: 'error', file: `${directory}/a.png` }),
    ]);
  });

  it('tells of a folder that cannot be opened at all', async () => {
    const { problems, folder } = await checkDetectionFolder('/no/such/folder');
    expect(folder).toBeUndefined();
    expect(problems).toEqual([
      expect.objectContaining({ severity: 'error', what: 'there is no folder /no/such/folder' }),
    ]);
  });
});

describe('real data sets', () => {
  const detection = sharedData('detection');
  const counts = (folder: DetectionFolder) =>
    folder.splits.map((name) => {
      const split = folder.split(name);
      const objects = split.names.flatMap((_, i) => split.info(i).objects);
      return [name, split.length, objects.length, objects.filter(({ crowd }) => crowd).length];
    });

  it.skipIf(!detection)('bccd, whose two clicks are no boxes', async () => {
    const folder = await openDetectionFolder(`${detection}/bccd`);
    expect(folder).toMatchObject({ format: 'voc', classes: ['RBC', 'WBC', 'Platelets'] });
    expect(counts(folder)).toEqual([
      ['train', 67, 916 - 1, 0],
      ['val', 29, 364 - 1, 0],
      ['test', 24, 342, 0],
    ]);
    expect(folder.problems.map(({ file, line, action }) => [file.slice(-20), line, action])).toEqual([
      ['BloodImage_00338.xml', 158, 'dropped'],
      ['BloodImage_00343.xml', 50, 'dropped'],
    ]);
  });

  it.skipIf(!detection)('coco-sample, whose ground truth comes out as it was', async () => {
    const folder = await openDetectionFolder(`${detection}/coco-sample`);
    expect(folder.classes.length).toBe(80);
    expect(folder.categoryIds.at(-1)).toBe(90);
    expect(folder.problems).toEqual([]);
    expect(counts(folder)).toEqual([
      ['train', 40, 465, 6],
      ['val', 24, 333, 7],
    ]);
    const raw = JSON.parse(await readFile(`${detection}/coco-sample/annotations/instances_val.json`, 'utf8'));
    const part = ({ id, image_id, category_id, bbox, area, iscrowd }: Record<string, unknown>) => ({
      id,
      image_id,
      category_id,
      bbox,
      area,
      iscrowd,
    });
    const byId = (a: { id?: unknown }, b: { id?: unknown }) => Number(a.id) - Number(b.id);
    const truth = folder.toCoco('val').annotations.map((annotation) => part({ ...annotation }));
    expect(truth.sort(byId)).toEqual(raw.annotations.map(part).sort(byId));
  });

  it.skipIf(!detection)('nuclei', async () => {
    const folder = await openDetectionFolder(`${detection}/nuclei`);
    expect(folder.classes).toEqual(['nucleus']);
    const twice = 'the image df53d0b6c2c4e45d.png is listed twice, with the same annotations'; // three times in all
    expect(folder.problems.map(({ what, action }) => `${what} -> ${action}`)).toEqual(
      Array(2).fill(`${twice.replace('image ', 'image val/')} -> both were kept`),
    );
    expect(new Set(folder.split('val').names).size).toBe(22);
    expect(counts(folder)).toEqual([
      ['train', 58, 1902, 0],
      ['val', 22, 968, 0],
    ]);
    const { objects, width, height } = folder.split('train').info(0);
    expect(
      objects.every(
        ({ segmentation }) =>
          !Array.isArray(segmentation) && segmentation!.size.join() === [height, width].join(),
      ),
    ).toBe(true);
  });

  it.skipIf(!detection)('voc-multiformat: its six files of the same boxes agree within a pixel', async () => {
    const sources = ['pascalvoc', 'cvat-voc-float', 'yolo', 'labelme', 'coco-v1.json', 'coco-v2.json'];
    const folders = await Promise.all(
      sources.map((annotations) =>
        openDetectionFolder(`${detection}/voc-multiformat`, { annotations, valFraction: 0 }),
      ),
    );
    const boxes = folders.map((folder) => {
      const split = folder.split('train');
      return split.names
        .flatMap((name, i) =>
          split.info(i).objects.map(({ label, box }) => ({ key: `${name} ${folder.classes[label]}`, box })),
        )
        .sort((a, b) =>
          a.key === b.key ? a.box[0] - b.box[0] || a.box[1] - b.box[1] : a.key < b.key ? -1 : 1,
        );
    });
    for (const [i, found] of boxes.entries()) {
      expect(folders[i]!.problems).toEqual([]);
      expect(found.map(({ key }) => key)).toEqual(boxes[0]!.map(({ key }) => key));
      const apart = found.map(({ box }, j) =>
        Math.max(...box.map((v, axis) => Math.abs(v - boxes[0]![j]!.box[axis]!))),
      );
      expect(Math.max(...apart)).toBeLessThanOrEqual(1.001);
    }
    expect(boxes[0]!.length).toBe(37);
    const [voc] = folders;
    const difficult = voc!.split('train').names.flatMap((_, i) =>
      voc!
        .split('train')
        .info(i)
        .objects.filter((o) => o.difficult),
    );
    expect(difficult.length).toBe(5);
    expect(await rejection(openDetectionFolder(`${detection}/voc-multiformat`))).toBeInstanceOf(
      AmbiguousLayoutError,
    );
  });
});
