import { E3vaError } from '@e3va/highway-grad';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { rejection, temporaryFolder, writeFiles } from '../../test/make-data.ts';
import {
  AnnotationFormatError,
  AnnotationSyntaxError,
  AnnotationTooLargeError,
  UnsafeXmlError,
} from '../errors.ts';
import { readCoco } from './coco.ts';
import { splitOfPath } from './file-list.ts';
import { ImageIndex } from './image-index.ts';
import { elementLines, parseJson } from './json-file.ts';
import { readLabelMe } from './labelme.ts';
import { clipPolygon } from './outline.ts';
import { Report } from './problems.ts';
import { settleObject } from './settle-object.ts';
import { decodeText, readText } from './text-file.ts';
import { readVoc } from './voc.ts';
import { childrenNamed, childText, parseXml } from './xml.ts';
import { readYolo } from './yolo.ts';
import { parseYoloYaml } from './yolo-names.ts';

const thrown = (run: () => unknown): Error => {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
};

describe('readText', () => {
  it('refuses a large file before reading it', async () => {
    const folder = await temporaryFolder();
    await writeFiles(folder, { 'a.json': '{"a": 1}' });
    const error = await rejection(readText(`${folder}/a.json`, 7));
    expect(error).toBeInstanceOf(AnnotationTooLargeError);
    expect(error.message).toContain('received: 8 bytes');
    expect(await readText(`${folder}/a.json`, 8)).toBe('{"a": 1}');
    expect(await rejection(readText(`${folder}/b.json`, 8))).toBeInstanceOf(AnnotationSyntaxError);
  });

  it('decodes byte order marks, UTF-16 without one, and what XML declares', () => {
    const bytes = (text: string, encoding: BufferEncoding) => Buffer.from(text, encoding);
    const latin = `<?xml version='1.0' encoding='iso-8859-1'?><a>é</a>`;
    expect(decodeText(bytes('\uFEFF{"é"', 'utf8'), 'x')).toBe('{"é"');
    expect(decodeText(bytes('\uFEFF{"é"', 'utf16le'), 'x')).toBe('{"é"');
    expect(decodeText(bytes('{"é"', 'utf16le'), 'x')).toBe('{"é"');
    expect(decodeText(bytes('{"é"', 'utf16le').swap16(), 'x')).toBe('{"é"');
    expect(decodeText(bytes(latin, 'latin1'), 'x')).toBe(latin);
    expect(decodeText(bytes('<?xml encoding="utf-16"?><a/>', 'utf8'), 'x')).toContain('<a/>');
  });

  it('names the line that is no text', () => {
    expect(thrown(() => decodeText(Buffer.from('a\nb\nz\xE8bre', 'latin1'), 'x.txt')).message).toContain(
      'x.txt:3: is not the UTF-8',
    );
    expect(thrown(() => decodeText(Buffer.from('ab\nc\0'), 'x.txt')).message).toContain(
      'x.txt:2: is a binary file',
    );
    expect(
      thrown(() => decodeText(Buffer.from('<?xml version="1.0" encoding="klingon"?>'), 'x')).message,
    ).toContain('klingon');
    expect(
      thrown(() => decodeText(Buffer.from('version https://git-lfs.github.com/spec/v1'), 'x')).message,
    ).toContain('git lfs pull');
  });
});

describe('parseJson', () => {
  const parse = (text: string) => parseJson(text, 'x.json', new Report(true));

  it('says where the syntax breaks', () => {
    for (const [text, line] of [
      ['{"a": 1,\n"b": [1,\n 2', 3],
      ['{"a":\n tru}', 2],
      ['{"a": 1,\n\n}', 3],
      ['{"a":\n"b', 2],
    ] as const) {
      expect(thrown(() => parse(text)).message, text).toContain(`x.json:${line}: is no valid JSON`);
    }
  });

  it('takes NaN for null, but not in texts', () => {
    const report = new Report(true);
    const value = parseJson('{"NaN \\" Infinity": [NaN,\n-Infinity, "a NaN"]}', 'x.json', report);
    expect(value).toEqual({ 'NaN " Infinity': [null, null, 'a NaN'] });
    expect(report.problems).toEqual([expect.objectContaining({ line: 1, action: 'read as null' })]);
  });

  it('finds the lines of elements', () => {
    const text =
      '{"x": {"list": [1]}, "list":\n[{"a": "]}\\\\",\n "b": [[1, 2]]},\n {},\n\n 5, {"c": 1}], "y": [2]}';
    const line = elementLines(text, 'list');
    expect([0, 1, 3, 4].map(line)).toEqual([2, 4, 6, undefined]);
  });
});

describe('parseXml', () => {
  const parse = (text: string) => parseXml(text, 'x.xml');

  it('gives elements in order, without attributes and comments', () => {
    const root = parse(
      '<?xml version="1.0"?><!-- <a> -->\n<a x="1"><b> 1 </b><c/><b>&lt;<![CDATA[&lt;]]>&#x41;</b><!-- <b>3</b> --></a>',
    );
    expect(root.children.map(({ name }) => name)).toEqual(['b', 'c', 'b']);
    expect(childrenNamed(root, 'b').map(({ text }) => text)).toEqual(['1', '<&lt;A']);
    expect(childText(root, 'd')).toBeUndefined();
  });

  it('refuses what declares or uses entities', () => {
    for (const text of [
      '<!DOCTYPE a><a/>',
      '<a><!DOCTYPE a [<!ENTITY b "c">]>&b;</a>',
      '<?x?><!doctype a><a/>',
      '<a><!ENTITY b "c"></a>',
    ]) {
      expect(thrown(() => parse(text))).toBeInstanceOf(UnsafeXmlError);
    }
    for (const text of ['<a>\n<b>&c;</b></a>', '<a>\n<b>&#x110000;</b></a>']) {
      expect(thrown(() => parse(text)).message).toMatch(
        /^x.xml:2: is no valid XML: the entity .* is not known/,
      );
    }
  });

  it('bounds depth and the length of messages', () => {
    const deep = (depth: number) => '<a>'.repeat(depth) + '</a>'.repeat(depth);
    expect(parse(deep(20)).name).toBe('a');
    for (const text of [
      deep(50),
      deep(100_000),
      '<a>'.repeat(200_000),
      `<a>${'<'.repeat(300_000)}`,
      `<a ${'b'.repeat(300_000)}/>`,
      '',
      'a',
    ]) {
      const error = thrown(() => parse(text));
      expect(error).toBeInstanceOf(AnnotationSyntaxError);
      expect(error.message.length).toBeLessThan(400);
    }
    expect(E3vaError.isInstance(thrown(() => parse('<a><__proto__>1</__proto__></a>')))).toBe(true);
  });
});

describe('parseYoloYaml', () => {
  it('reads names in both forms and refuses bombs', () => {
    const read = (text: string) => parseYoloYaml(text, 'data.yaml', new Report(true));
    expect([...read('names: {2: b, 0: a, x: c}')!.names]).toEqual([
      [0, 'a'],
      [2, 'b'],
    ]);
    expect(read('names: [1, yes, "__proto__"]\nval: [a, b]')).toMatchObject({ splits: { val: ['a', 'b'] } });
    expect(read('version: 1')).toBeUndefined();
    expect(thrown(() => read('kpt_shape: [17, 3]\nnames: [a]'))).toBeInstanceOf(AnnotationFormatError);
    expect(thrown(() => read('a: 1\nnames: [a, b'))).toMatchObject({ line: 2 });
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'
        .split('')
        .map((key, i) => `${key}: &${key} [${Array(9).fill(`*${'abcdefghi'[i]}`).join()}]`),
      'names: *i',
    ];
    expect(thrown(() => read(bomb.join('\n')))).toBeInstanceOf(AnnotationSyntaxError);
    expect(thrown(() => read('['.repeat(200_000)))).toBeInstanceOf(AnnotationSyntaxError);
  });
});

test('splitOfPath takes the last word', () => {
  const splits = [
    'train2017/a',
    'images/val/x',
    'instances_test.json',
    'trainval.txt',
    'a/b',
    'test/train/x',
    'Validation/1',
  ];
  expect(splits.map(splitOfPath)).toEqual(['train', 'val', 'test', undefined, undefined, 'train', 'val']);
});

test('clipPolygon keeps the area inside, by the shoelace formula', () => {
  expect(clipPolygon([-5, -5, 5, -5, 5, 5, -5, 5], [0, 0, 10, 10])).toEqual([5, 0, 5, 5, 0, 5, 0, 0]);
  expect(clipPolygon([20, 20, 30, 20, 30, 30], [0, 0, 10, 10])).toEqual([]);
  const area = (p: number[]) =>
    p.reduce(
      (sum, x, i) => sum + (i % 2 ? 0 : x * p[(i + 3) % p.length]! - p[i + 1]! * p[(i + 2) % p.length]!),
      0,
    ) / 2;
  const point = fc.double({ min: -20, max: 30, noNaN: true });
  fc.assert(
    fc.property(fc.array(point, { minLength: 6, maxLength: 6 }), (triangle) => {
      const halves = [clipPolygon(triangle, [-99, -99, 5, 99]), clipPolygon(triangle, [5, -99, 99, 99])];
      expect(halves.map(area).reduce((a, b) => a + b)).toBeCloseTo(area(triangle), 6);
    }),
  );
});

describe('whatever is damaged, readers throw errors of their own or give objects inside the image', () => {
  const index = new ImageIndex(['a.png']);
  const coco = JSON.stringify({
    images: [{ id: 1, file_name: 'a.png', width: 20, height: 10 }],
    annotations: [
      {
        id: 1,
        image_id: 1,
        category_id: 1,
        bbox: [1, 2, 3, 4],
        area: 1,
        iscrowd: 0,
        segmentation: [[1, 2, 4, 2, 4, 6]],
      },
    ],
    categories: [{ id: 1, name: 'a' }],
  });
  const voc =
    '<annotation><object><name>a</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></object></annotation>';
  const labelme =
    '{"shapes": [{"label": "a", "points": [[1, 2], [3, 4], [5, 1]], "shape_type": "polygon", "group_id": 1}], "imagePath": "a.png"}';
  const yolo = '0 0.5 0.5 0.25 0.25\n1 0.1 0.1 0.2 0.1 0.2 0.2\n';
  const readers = {
    coco: [
      coco,
      (text: string, report: Report) =>
        readCoco(text, { file: 'x', from: 'x', split: 'train' }, index, report).images.flatMap(
          (i) => i.objects,
        ),
    ],
    voc: [voc, (text: string, report: Report) => readVoc(text, 'x', report).objects],
    labelme: [labelme, (text: string, report: Report) => readLabelMe(text, 'x', report).objects],
    yolo: [
      yolo,
      (text: string, report: Report) =>
        readYolo(text, 'x', { boxes: 0, outlines: 0, quadrilaterals: 0, confidences: 0 }, report),
    ],
  } as const;
  const pieces = [
    '',
    '0',
    '-1',
    '1e999',
    'null',
    '[]',
    '{}',
    '"',
    '<',
    '</a>',
    '&',
    ']',
    '}',
    ',',
    'NaN',
    '\n',
    '[[[',
    '"x"',
    '-',
    '.',
    ' ',
  ];
  const edit = fc.tuple(fc.nat(), fc.nat(6), fc.constantFrom(...pieces));

  it.each(Object.entries(readers))('%s', (_, [whole, read]) => {
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let text: string = whole;
        for (const [at, length, piece] of edits) {
          const start = at % (text.length + 1);
          text = text.slice(0, start) + piece + text.slice(start + length);
        }
        const report = new Report(true);
        let objects: ReturnType<typeof read>;
        try {
          objects = read(text, report);
        } catch (error) {
          expect(E3vaError.isInstance(error), text).toBe(true);
          return;
        }
        for (const object of objects) {
          const box = settleObject(object, 0, { width: 20, height: 10 }, report)?.object.box;
          if (box)
            expect(
              box[0] >= 0 &&
                box[1] >= 0 &&
                box[2] <= 20 &&
                box[3] <= 10 &&
                box[2] > box[0] &&
                box[3] > box[1],
              text,
            ).toBe(true);
        }
      }),
      { numRuns: 400, seed: 1 },
    );
  });
});
