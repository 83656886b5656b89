import { AnnotationFormatError, AnnotationSyntaxError } from '../errors.ts';
import type { DraftObject } from './drafts.ts';
import { parseNumber } from './numbers.ts';
import type { Place, Report } from './problems.ts';

/** What the lines of YOLO files have in common, gathered over a data set. */
export interface YoloLines {
  boxes: number;
  outlines: number;
  /** Outlines of four points, as oriented boxes are written. */
  quadrilaterals: number;
  /** Lines with a sixth column. */
  confidences: number;
}

/**
 * Reads the lines of one YOLO file: `class x y width height` with the middle of the box, or `class x1 y1 x2 y2 x3 y3 …` with an
 * outline of at least three points, all in fractions of the image. A sixth column, the confidence of a prediction, is ignored.
 *
 * @param file Path for messages.
 * @param lines Is counted up.
 * @throws AnnotationFormatError for oriented boxes as DOTA writes them.
 * @throws AnnotationSyntaxError for other lines.
 */
export function readYolo(text: string, file: string, lines: YoloLines, report: Report): DraftObject[] {
  const objects: DraftObject[] = [];
  for (const [i, line] of text.split(/\r\n?|\n/).entries()) {
    const columns = line
      .trim()
      .split(/[\s\uFEFF]+/)
      .filter((column) => column !== '');
    if (columns.length === 0) continue;
    const place: Place = { file, line: i + 1 };
    refuseOriented(columns, file, i + 1);
    const [category, ...numbers] = columns.map(parseNumber);
    if (columns.length !== 5 && columns.length !== 6 && (columns.length < 7 || columns.length % 2 === 0)) {
      throw badLine(`has ${columns.length} columns`, line, file, i + 1);
    }
    if (columns.some(isWord)) throw badLine('is no line of numbers', line, file, i + 1);
    if (numbers.some((v) => Math.abs(v) > 4))
      report.warn(place, 'coordinates are pixels, not fractions of the image', 'dropped');
    else objects.push(draftObject(category!, numbers, columns[0]!, lines, place, report));
  }
  return objects;
}

function draftObject(
  category: number,
  numbers: number[],
  written: string,
  lines: YoloLines,
  place: Place,
  report: Report,
): DraftObject {
  if (Number.isInteger(category) && !/^[+-]?\d+$/.test(written)) {
    report.warn(place, `the class is written as ${written}`, `read as ${category}`);
  }
  if (numbers.length > 5) {
    lines.outlines++;
    if (numbers.length === 8) lines.quadrilaterals++;
    return { category, outline: [numbers], ...boxAround(numbers), place };
  }
  lines.boxes++;
  if (numbers.length === 5) {
    lines.confidences++;
    report.warn(place, 'a sixth column, as the confidence of a prediction', 'ignored');
  }
  const [x, y, width, height] = numbers as [number, number, number, number];
  return { category, box: [x - width / 2, y - height / 2, x + width / 2, y + height / 2], place };
}

function boxAround(polygon: readonly number[]): { box: number[] } {
  const [xs, ys] = [polygon.filter((_, i) => i % 2 === 0), polygon.filter((_, i) => i % 2 === 1)];
  const least = (values: number[]) => values.reduce((a, b) => Math.min(a, b));
  const most = (values: number[]) => values.reduce((a, b) => Math.max(a, b));
  return { box: [least(xs), least(ys), most(xs), most(ys)] };
}

/** Whether a column holds neither a number nor what Python writes for one. */
const isWord = (column: string) =>
  Number.isNaN(parseNumber(column)) && !/^[+-]?(nan|inf(inity)?)$/i.test(column);

/** `x1 y1 x2 y2 x3 y3 x4 y4 name difficulty` */
function refuseOriented(columns: readonly string[], file: string, line: number): void {
  if (columns.length !== 10 || columns.slice(0, 8).some(isWord) || !isWord(columns[8]!)) return;
  throw new AnnotationFormatError(
    {
      what: 'holds oriented boxes (four corners, a name, a difficulty), which are not read',
      expected: 'class x y width height, or class and the points of an outline, in fractions of the image',
      received: columns.join(' ').slice(0, 80),
      fix: 'export upright boxes or outlines',
    },
    { file, line },
  );
}

function badLine(reason: string, line: string, file: string, number: number): AnnotationSyntaxError {
  return new AnnotationSyntaxError(
    {
      what: `${reason}, which YOLO does not have`,
      expected: 'class x y width height, or class and at least three points x y',
      received: JSON.stringify(line.trim().slice(0, 80)),
      fix: 'export it again, or move it out of the data set',
    },
    { file, line: number },
  );
}
