import { AnnotationFormatError } from '../errors.ts';
import type { DraftImage, DraftObject } from './drafts.ts';
import { lineFinder } from './lines.ts';
import { parseNumber } from './numbers.ts';
import type { Place, Report } from './problems.ts';
import { childrenNamed, childText, parseXml, type XmlElement } from './xml.ts';

/** What a VOC file says of its image. Boxes hold `xmin ymin xmax ymax` as written; {@link vocBox} makes edges of them. */
export interface VocDraft extends Omit<DraftImage, 'file'> {
  /** The name in `<filename>`. */
  filename: string | undefined;
}

/**
 * Reads the XML of one image in the form of PASCAL VOC. The order of tags is free; attributes, `<part>` and unknown tags are
 * ignored.
 *
 * @param file Path for messages.
 * @throws UnsafeXmlError, AnnotationSyntaxError, AnnotationFormatError
 */
export function readVoc(text: string, file: string, report: Report): VocDraft {
  const root = parseXml(text, file);
  const lineAt = lineFinder(text);
  const place = (element: XmlElement): Place => ({ file, line: () => lineAt(element.start) });
  if (root.name !== 'annotation') throw otherXml(root, file, lineAt(root.start));
  const [size] = childrenNamed(root, 'size');
  return {
    filename: childText(root, 'filename') || undefined,
    sized: true,
    size: size && {
      width: parseNumber(childText(size, 'width')),
      height: parseNumber(childText(size, 'height')),
    },
    objects: childrenNamed(root, 'object').map((object) => draftObject(object, place(object), report)),
    place: place(root),
  };
}

function draftObject(object: XmlElement, place: Place, report: Report): DraftObject {
  const [bndbox] = childrenNamed(object, 'bndbox');
  return {
    category: childText(object, 'name') || undefined,
    box: bndbox && orderedBox(bndbox, place, report),
    difficult: isDifficult(childText(object, 'difficult'), place, report),
    place,
  };
}

function orderedBox(bndbox: XmlElement, place: Place, report: Report): number[] {
  const [xmin, ymin, xmax, ymax] = ['xmin', 'ymin', 'xmax', 'ymax'].map((tag) =>
    parseNumber(childText(bndbox, tag)),
  );
  if (xmin! > xmax! || ymin! > ymax!)
    report.warn(place, 'a box has its minimum above its maximum', 'they were swapped');
  return [Math.min(xmin!, xmax!), Math.min(ymin!, ymax!), Math.max(xmin!, xmax!), Math.max(ymin!, ymax!)];
}

function isDifficult(text: string | undefined, place: Place, report: Report): boolean {
  const word = text?.toLowerCase() ?? '';
  if (/^(1|true|yes)$/.test(word)) return true;
  if (!/^(0|false|no|)$/.test(word)) {
    report.warn(place, `<difficult> holds ${JSON.stringify(word.slice(0, 40))}, not 0 or 1`, 'taken as 0');
  }
  return false;
}

/**
 * The edges of a VOC box. VOC counts pixels from 1 and includes the last one: the pixels `xmin … xmax` lie between the
 * edges `xmin - 1` and `xmax`, as detectron2 reads them. (mmdetection 2 and 3 take 1 from all four.) Files that count from
 * 0 hold the edges themselves.
 *
 * A box whose minimum equals its maximum is a click, not a pixel: it keeps no area.
 */
export function vocBox(box: readonly number[], firstPixel: 0 | 1): number[] {
  const [x1, y1, x2, y2] = box as [number, number, number, number];
  if (x1 === x2 || y1 === y2) return [x1, y1, x2, y2];
  return [x1 - firstPixel, y1 - firstPixel, x2, y2];
}

/** Whether boxes, as written, show that their files count pixels from 0: one begins at the very first column or row. */
export const countsFromZero = (boxes: Iterable<readonly number[]>): boolean => {
  for (const [x1, y1] of boxes) {
    if ((x1! >= 0 && x1! < 1) || (y1! >= 0 && y1! < 1)) return true;
  }
  return false;
};

function otherXml({ name }: XmlElement, file: string, line: number): AnnotationFormatError {
  const cvat = name === 'annotations';
  return new AnnotationFormatError(
    {
      what: cvat
        ? 'is the XML of CVAT for images, not of PASCAL VOC'
        : 'is no annotation in the form of PASCAL VOC',
      expected: 'the root <annotation>',
      received: `<${name.slice(0, 60)}>`,
      fix: cvat
        ? 'export the task as PASCAL VOC, COCO or YOLO'
        : 'convert it, or move it out of the data set',
    },
    { file, line },
  );
}
