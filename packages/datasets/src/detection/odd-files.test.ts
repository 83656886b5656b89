import { readdirSync, readFileSync } from 'node:fs';
import { E3vaError } from '@e3va/highway-grad';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../../tests/support/shared-data.ts';
import { temporaryFolder, writeFiles } from '../../test/make-data.ts';
import { checkDetectionFolder, openDetectionFolder } from './detection-folder.ts';
import type { DetectionFolder } from './open-folder.ts';

const shared = sharedData('odd-files/annotations');

/** What becomes of a file: the boxes of each image and the problems, or the error with the first line of its message. */
type Outcome = { boxes: string; problems: string[] } | { error: string };
const loads = (boxes: string, ...problems: string[]): Outcome => ({ boxes, problems });
const refused = (error: string): Outcome => ({ error });

const dtd = 'has a document type declaration (<!DOCTYPE …>)';
const face = '40,20,90,80 / 30,5,100,35';
const hat = ' / 30,5,100,35';

const coco: Record<string, Outcome> = {
  'datumaro_image_info_val.json': refused('ClassNamesError no class is known in .'),
  'datumaro_labels_val.json': refused('EmptyDatasetError . holds no object that can be used, in 1 images'),
  'datumaro_panoptic_not_instances.json': refused(
    'AnnotationFormatError FILE: holds panoptic segments, not instances',
  ),
  'fce_dt_ignore_test.json': refused(
    'AnnotationFormatError FILE: is a list of results (detections with a score), not a data set',
  ),
  'fce_gt_ignore_test.json': loads(
    '70,190,134,302 140,191,212,298 204,187,270,288 258,192,330,287 328,190,391,285 387,194,450,292 394,128,435,220 332,132,398,249 323,129,361,201 60,33,113,140 100,80,147,154 431,134,474,276 284,118,326,227 0,18,499,281c',
    '3: ids or coordinates are written as text -> read as numbers, here and in the rest of the file',
  ),
  'made-bbox-null.json': loads(
    face,
    '1: a box has a coordinate that is no number -> the box of its outline was taken',
  ),
  'made-bbox-three.json': loads(face, '1: a box has 3 numbers, not 4 -> the box of its outline was taken'),
  'made-bbox-xyxy.json': loads(
    `40,20,128,128${hat}`,
    '1: the box [40, 20, 168, 148] reaches beyond the image of 128x128 -> clipped',
  ),
  'made-duplicate-ids.json': loads(
    face,
    '1: two images have the id 1 -> the later entry was dropped',
    '1: two annotations have the id 1 -> the later one became 2',
  ),
  'made-empty.json': refused('EmptyDatasetError . holds no annotated image'),
  'made-huge-size.json': loads(
    face,
    '1: the annotations give the size 1000000000x1000000000 -> taken from the image: 128x128',
  ),
  'made-list-only.json': refused(
    'AnnotationFormatError FILE: is a list, not a data set: a results file, or annotations cut out of one',
  ),
  'made-nan.json': loads(
    face,
    '1: holds the numbers NaN or Infinity, which JSON does not have -> read as null',
    '1: a box has a coordinate that is no number -> the box of its outline was taken',
  ),
  'made-no-categories.json': refused(
    "AnnotationFormatError FILE: has no list 'categories', so its classes have no names",
  ),
  'made-no-size.json': loads(
    face,
    '1: the annotations give the size 128xnone -> taken from the image: 128x128',
    '1: the annotations give the size nonex128 -> taken from the image: 128x128',
  ),
  'made-paths.json': refused(
    'UnsafePathError FILE:1: the image name "../../../../etc/passwd" leads out of the data folder',
  ),
  'made-polygon-crowd.json': loads('40,20,90,80c / 30,5,100,35'),
  'made-polygon-flat.json': loads(
    face,
    '1: a segmentation is one flat list, not a list of polygons -> taken as one polygon',
  ),
  'made-polygon-odd.json': loads(
    face,
    '1: a polygon has 5 numbers, not x and y of each point -> its last number was left out',
    '1: a polygon has 2 points -> the polygon was dropped',
    '1: a polygon has 2 points -> the polygon was dropped',
    '1: a polygon has 0 points -> the polygon was dropped',
  ),
  'made-proto-names.json': loads(face, "1: the category 8 has no name -> named 'category 8'"),
  'made-rle-short.json': loads(
    '40,20,90,80c / 30,5,100,35',
    '1: the mask cannot be decoded -> the mask was dropped',
  ),
  'made-string-ids.json': loads(
    face,
    '1: ids or coordinates are written as text -> read as numbers, here and in the rest of the file',
  ),
  'made-truncated.json': refused(
    'AnnotationSyntaxError FILE:1: is no valid JSON: Unexpected end of JSON input',
  ),
  'made-utf16.json': loads(face),
  'made-zero-bytes.json': refused('AnnotationSyntaxError FILE: is empty'),
  'panopticapi_compressed_rle.json': loads('50 boxes'),
  'review_toy_dets.json': loads(
    '12 boxes',
    '209: the box [151, 123, 503, 375] reaches beyond the image of 500x366 -> clipped',
    '225: the box [29, 0, 268, 287] reaches beyond the image of 300x283 -> clipped',
  ),
  'review_toy_example_coco.JSON': loads('12 boxes'),
  'sahi_dataset.json': loads('249 boxes'),
};

const one = '39,19,90,80';
const noSize = (size: string) => `1: the annotations give no size -> taken from the image: ${size}`;
const voc: Record<string, Outcome> = {
  'cvat_root_annotations.xml': refused(
    'AnnotationFormatError FILE:1: is the XML of CVAT for images, not of PASCAL VOC',
  ),
  'datumaro_no_size_float.xml': loads('0,1,4,6', noSize('20x10')),
  'datumaro_no_size_no_objects.xml': loads('', noSize('20x10')),
  'datumaro_relaxed_no_difficult.xml': loads('0,1,3,4 3,4,6,7'),
  'kitti_doctype.xml': refused(`UnsafeXmlError FILE:2: ${dtd}`),
  'made-attributes.xml': loads(one),
  'made-bomb.xml': refused(`UnsafeXmlError FILE:1: ${dtd}`),
  'made-cdata.xml': loads(one),
  'made-deep.xml': refused('AnnotationSyntaxError FILE: is no valid XML: Maximum nested tags exceeded'),
  'made-difficult-words.xml': loads(
    `${one} ${one} ${one}d`,
    '1: <difficult> holds "unspecified", not 0 or 1 -> taken as 0',
  ),
  'made-doctype-internal.xml': refused(`UnsafeXmlError FILE:1: ${dtd}`),
  'made-entities.xml': loads(one),
  'made-good.xml': loads(one),
  'made-latin1.xml': loads(one),
  'made-nan.xml': loads('', '1: a box has a coordinate that is no number -> dropped'),
  'made-no-bndbox.xml': loads('', '1: an object has no box -> dropped'),
  'made-no-name.xml': loads('', '1: an object has no class -> dropped'),
  'made-no-size.xml': loads(one, noSize('128x128')),
  'made-outside.xml': loads(
    '0,0,128,128',
    '1: the box [-10, 0, 400, 300] reaches beyond the image of 128x128 -> clipped',
    '1: the box [500, 500, 600, 600] lies outside of the image of 128x128 -> dropped',
  ),
  'made-path.xml': refused(
    'UnsafePathError FILE:1: the image name "../../../etc/passwd" leads out of the data folder',
  ),
  'made-proto.xml': loads(`${one} ${one}`),
  'made-size-zero.xml': loads(one, '1: the annotations give the size 0x0 -> taken from the image: 128x128'),
  'made-truncated.xml': refused('AnnotationSyntaxError FILE:1: is no valid XML: its tags are not closed'),
  'made-utf16.xml': loads(one),
  'made-xxe.xml': refused(`UnsafeXmlError FILE:1: ${dtd}`),
  'made-zero-area.xml': loads('', '1: the box [50, 50, 50, 50] has no area -> dropped'),
  'made-zero-bytes.xml': refused('AnnotationSyntaxError FILE: is empty'),
  'person_layout_parts.xml': loads('0,1,3,4 3,4,6,7'),
  'review_tag_order_2010_004175.xml': loads('0,38,248,300'),
  'roboflow_order_zero_based.xml': loads('0,0,2,4'),
  'voc2007_000001.xml': loads('47,239,195,371 7,11,352,498'),
};

const attacks: Record<string, Outcome> = {
  'cyclic.xml': refused(`UnsafeXmlError FILE:1: ${dtd}`),
  'dtd_element.xml': refused(`UnsafeXmlError FILE:2: ${dtd}`),
  'external.xml': refused(`UnsafeXmlError FILE:1: ${dtd}`),
  'quadratic.xml': refused(`UnsafeXmlError FILE:1: ${dtd}`),
  'xmlbomb.xml': refused(`UnsafeXmlError FILE:1: ${dtd}`),
};

const middle = '125,188,209,313';
const yolo: Record<string, Outcome> = {
  '2007_000129.txt': loads(
    '70,202,255,500 252,19,334,487 74,1,272,462 1,1,66,363 1,144,67,436 251,242,334,500',
  ),
  'made-class-float.txt': loads(
    middle,
    '1: the class is written as 0.0 -> read as 0',
    '2: the class 7 is not known -> dropped',
    '3: the class -1 is not known -> dropped',
  ),
  'made-pixels.txt': loads('', '1: coordinates are pixels, not fractions of the image -> dropped'),
  'made-range.txt': loads(
    '0,0,334,500',
    '1: the box [359.05, 187.5, 442.55, 312.5] lies outside of the image of 334x500 -> dropped',
    '2: the box [-66.8, 200, 0, 300] lies outside of the image of 334x500 -> dropped',
    '3: the box [-66.8, -100, 400.8, 600] reaches beyond the image of 334x500 -> clipped',
  ),
  'made-six-columns.txt': loads(middle, '1: a sixth column, as the confidence of a prediction -> ignored'),
  'obj.data': loads('1 boxes'),
  'roboflow_data.yaml': loads('1 boxes'),
  'roboflow_obb.txt': refused(
    'AnnotationFormatError FILE:1: holds oriented boxes (four corners, a name, a difficulty), which are not read',
  ),
};

const labelme: Record<string, Outcome> = {
  '2007_000027.json': loads('174,101,349,351'),
  '2007_000129.json': loads(
    '70,202,255,500 251,242,334,500 1,144,67,436 1,1,66,363 74,1,272,462 252,19,334,487',
  ),
  'made-good.json': loads('40,20,90,80'),
};

type Files = Record<string, Uint8Array | string | Promise<Uint8Array>>;
const kinds: {
  folder: string;
  table: Record<string, Outcome>;
  arrange(name: string, bytes: Buffer): Files;
}[] = [
  { folder: 'coco', table: coco, arrange: arrangeCoco },
  { folder: 'voc', table: voc, arrange: arrangeVoc },
  { folder: 'xml-attacks', table: attacks, arrange: arrangeVoc },
  { folder: 'yolo', table: yolo, arrange: arrangeYolo },
  { folder: 'labelme', table: labelme, arrange: arrangeLabelMe },
];

describe.each(kinds)('odd files of $folder', ({ folder, table, arrange }) => {
  it.skipIf(!shared)('are all in the table', () => {
    expect(Object.keys(table).sort()).toEqual(readdirSync(`${shared}/${folder}`).sort());
  });

  it.skipIf(!shared).each(Object.entries(table))('%s', async (name, outcome) => {
    const directory = await temporaryFolder();
    await writeFiles(directory, arrange(name, readFileSync(`${shared}/${folder}/${name}`)));
    const short = (text: string) => text.replaceAll(/\S*\/odd\.\w+/g, 'FILE').replaceAll(directory, '.');
    const start = performance.now();
    const { folder: checked, problems } = await checkDetectionFolder(directory, { valFraction: 0 });
    if ('error' in outcome) {
      const error = await openDetectionFolder(directory, { valFraction: 0 }).catch(
        (thrown: unknown) => thrown,
      );
      expect(E3vaError.isInstance(error)).toBe(true);
      expect(short(`${(error as Error).name} ${(error as Error).message.split('\n')[0]}`)).toBe(
        outcome.error,
      );
      expect(problems.filter(({ severity }) => severity === 'error').length).toBeGreaterThan(0);
      if (outcome.error.includes('FILE'))
        expect(problems.some(({ file }) => short(file) === 'FILE')).toBe(true);
    } else {
      expect(boxesOf(checked!, outcome.boxes)).toBe(outcome.boxes);
      const opened = await openDetectionFolder(directory, { valFraction: 0 });
      expect(opened.problems).toEqual(problems);
      const said = problems.map(({ line, what, action }) => `${line}: ${what} -> ${action}`);
      expect(said.map((text) => text.replace(/(cannot be decoded): .* ->/, '$1 ->')).sort()).toEqual(
        [...outcome.problems].sort(),
      );
      for (const problem of problems) expect(short(problem.file)).toBe('FILE');
    }
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

/** Boxes of every image that belongs to the odd file: `c` crowd, `d` difficult; only their number where that is asked for. */
function boxesOf(folder: DetectionFolder, wanted: string): string {
  const split = folder.split(folder.splits[0]!);
  const infos = split.names.map((_, i) => split.info(i)).filter(({ file }) => !file.includes('companion'));
  if (wanted.endsWith('boxes')) return `${infos.flatMap(({ objects }) => objects).length} boxes`;
  const shown = infos.map(({ objects }) =>
    objects
      .map(
        ({ box, crowd, difficult }) =>
          `${box.map(Math.round).join()}${crowd ? 'c' : ''}${difficult ? 'd' : ''}`,
      )
      .join(' '),
  );
  return shown.join(' / ');
}

function png(width: number, height: number): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: '#405060' } })
    .png()
    .toBuffer();
}

function arrangeCoco(name: string, bytes: Buffer): Files {
  const files: Files = { [`annotations/odd.${name.split('.').at(-1)}`]: bytes };
  if (name.startsWith('made')) {
    return { ...files, 'images/hopper.jpg': png(128, 128), 'images/hopper_gray.jpg': png(128, 128) };
  }
  const { images = [] } = JSON.parse(bytes.toString()) as {
    images?: { file_name: string; width: number; height: number }[];
  };
  for (const image of images) files[`images/${image.file_name}`] = png(image.width, image.height);
  return files;
}

const companion = `<annotation><filename>companion.jpg</filename><size><width>9</width><height>9</height></size>
<object><name>other</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></object></annotation>`;

function arrangeVoc(name: string, bytes: Buffer): Files {
  const files: Files = {
    'Annotations/odd.xml': bytes,
    'Annotations/companion.xml': companion,
    'JPEGImages/companion.jpg': png(9, 9),
  };
  if (name.startsWith('made')) return { ...files, 'JPEGImages/hopper.jpg': png(128, 128) };
  const text = bytes.toString();
  const [width, height] = ['width', 'height'].map((tag) =>
    Number(new RegExp(`<${tag}>(\\d+)`).exec(text)?.[1]),
  );
  const filename = /<filename>(.*?)</.exec(text)?.[1] ?? 'odd.jpg';
  return { ...files, [`JPEGImages/${filename}`]: png(width || 20, height || 10) };
}

function arrangeYolo(name: string, bytes: Buffer): Files {
  if (!name.endsWith('.txt')) {
    return {
      [`odd.${name.split('.').at(-1)}`]: bytes,
      'train/images/a.jpg': png(10, 10),
      'train/labels/a.txt': '1 0.5 0.5 0.5 0.5',
      'valid/images/b.jpg': png(10, 10),
      'valid/labels/b.txt': '',
    };
  }
  return {
    'labels/odd.txt': bytes,
    'images/odd.jpg': png(334, 500),
    'labels/companion.txt': '0 0.5 0.5 0.5 0.5',
    'images/companion.jpg': png(9, 9),
    'data.yaml': 'names: [a, b, c, d, e, f]',
  };
}

function arrangeLabelMe(_name: string, bytes: Buffer): Files {
  const { imagePath, imageWidth, imageHeight } = JSON.parse(bytes.toString());
  return { 'odd.json': bytes, [imagePath]: png(imageWidth, imageHeight) };
}
