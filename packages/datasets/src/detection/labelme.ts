import { AnnotationFormatError } from '../errors.ts';
import type { DraftImage, DraftObject } from './drafts.ts';
import { elementLines, parseJson } from './json-file.ts';
import { outlineBox } from './outline.ts';
import type { Place, Report } from './problems.ts';

/** What a LabelMe file says of its image. */
export interface LabelMeDraft extends Omit<DraftImage, 'file'> {
  /** The name in `imagePath`. */
  imagePath: string | undefined;
}

type Item = Record<string, unknown>;

/** Points of the polygon that stands for a circle. */
const circlePoints = 64;

/**
 * Reads the LabelMe file of one image: rectangles, polygons and circles. Shapes of one class with the same `group_id` are
 * parts of one object. The image inside the file (`imageData`) is not used.
 *
 * @param file Path for messages.
 * @throws AnnotationSyntaxError, AnnotationFormatError
 */
export function readLabelMe(text: string, file: string, report: Report): LabelMeDraft {
  const value = parseJson(text, file, report) as Item | null;
  const shapes = typeof value === 'object' && value !== null ? value.shapes : undefined;
  if (!value || !Array.isArray(shapes)) {
    const what = "is no LabelMe file: it has no list 'shapes'";
    throw new AnnotationFormatError({ what, fix: 'move it out of the data set' }, { file });
  }
  const line = elementLines(text, 'shapes');
  const drafts = shapes.map((shape: unknown, i) => {
    const item = typeof shape === 'object' && shape !== null ? (shape as Item) : {};
    return { group: item.group_id, draft: draftObject(item, { file, line: () => line(i) }, report) };
  });
  const sized = typeof value.imageWidth === 'number' && typeof value.imageHeight === 'number';
  return {
    imagePath: typeof value.imagePath === 'string' && value.imagePath !== '' ? value.imagePath : undefined,
    sized: true,
    size: sized ? { width: value.imageWidth as number, height: value.imageHeight as number } : undefined,
    objects: joinGroups(drafts),
    place: { file },
  };
}

function draftObject(shape: Item, place: Place, report: Report): DraftObject | undefined {
  const kind = shape.shape_type ?? 'polygon';
  const points = pointsOf(shape.points);
  const category =
    typeof shape.label === 'string' && shape.label.trim() !== '' ? shape.label.trim() : undefined;
  const common = { category, difficult: shape.difficult === true, place };
  if (kind === 'rectangle') return { ...common, box: points.length < 4 ? undefined : outlineBox([points]) };
  const outline =
    kind === 'polygon' ? points : kind === 'circle' && points.length === 4 ? circle(points) : undefined;
  if (outline)
    return { ...common, box: outline.length < 6 ? undefined : outlineBox([outline]), outline: [outline] };
  report.warn(
    place,
    `a shape is a ${String(typeof kind === 'string' ? kind : typeof kind).slice(0, 40)}`,
    'dropped: rectangles, polygons and circles are read',
  );
  return undefined;
}

/** `x y …` of a list of points; what is no number becomes `NaN`. */
const pointsOf = (points: unknown): number[] =>
  (Array.isArray(points) ? points : []).flatMap((point: unknown) =>
    [0, 1].map((axis) => {
      const value = Array.isArray(point) ? (point[axis] as unknown) : undefined;
      return typeof value === 'number' ? value : Number.NaN;
    }),
  );

/** A circle of LabelMe: its middle and a point on it. */
function circle([x, y, px, py]: number[]): number[] {
  const radius = Math.hypot(px! - x!, py! - y!);
  return Array.from({ length: circlePoints }, (_, i) => (2 * Math.PI * i) / circlePoints).flatMap((angle) => [
    x! + radius * Math.cos(angle),
    y! + radius * Math.sin(angle),
  ]);
}

/** Joins the outlines of shapes with the same class and group. */
function joinGroups(drafts: readonly { group: unknown; draft: DraftObject | undefined }[]): DraftObject[] {
  const joined: DraftObject[] = [];
  const parts = new Map<string, number[][]>();
  for (const { group, draft } of drafts) {
    if (!draft) continue;
    const grouped = (typeof group === 'number' || typeof group === 'string') && Array.isArray(draft.outline);
    const key = grouped ? `${group} ${draft.category}` : undefined;
    const outline = key === undefined ? undefined : parts.get(key);
    if (outline) outline.push(...(draft.outline as number[][]));
    else joined.push(draft);
    if (key !== undefined && !outline) parts.set(key, draft.outline as number[][]);
  }
  // The parts were added to the outline of the first shape.
  for (const draft of joined) {
    const { outline } = draft;
    if (Array.isArray(outline) && outline.length > 1) draft.box = outlineBox(outline as number[][]);
  }
  return joined;
}
