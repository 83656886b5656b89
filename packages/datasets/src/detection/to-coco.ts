import { type CocoDataset, polygonsToRle, rleArea } from '@e3va/metrics';
import type { Labels } from './decide-labels.ts';
import type { DetectionInfo, DetectionObject } from './sample.ts';
import type { SettledImage } from './settle-split.ts';

/** The ground truth of images in the form of COCO. Boxes that were not changed are those of the file, number for number. */
export function cocoDataset(images: readonly SettledImage[], { classes, categoryIds }: Labels): CocoDataset {
  const numbers = freeNumbers(images);
  return {
    images: images.map(({ info: { imageId, width, height } }) => ({ id: imageId, width, height })),
    annotations: images.flatMap(({ info, bboxes }) =>
      info.objects.map((object, i) => {
        const [x1, y1, x2, y2] = object.box;
        const { crowd, difficult, segmentation } = object;
        return {
          id: object.id ?? numbers.next().value!,
          image_id: info.imageId,
          category_id: categoryIds[object.label]!,
          bbox: (bboxes[i] ?? [x1, y1, x2 - x1, y2 - y1]) as [number, number, number, number],
          area: areaOf(object, info),
          iscrowd: crowd ? 1 : 0,
          ...(difficult && { ignore: 1 }),
          ...(segmentation && { segmentation }),
        };
      }),
    ),
    categories: categoryIds.map((id, label) => ({ id, name: classes[label]! })),
  };
}

function areaOf(
  { area, box: [x1, y1, x2, y2], segmentation }: DetectionObject,
  { width, height }: DetectionInfo,
): number {
  if (area !== undefined) return area;
  if (!segmentation) return (x2 - x1) * (y2 - y1);
  return rleArea(Array.isArray(segmentation) ? polygonsToRle(segmentation, [height, width]) : segmentation);
}

/** Numbers from 1 that no object has. */
function* freeNumbers(images: readonly SettledImage[]): Generator<number, undefined> {
  const taken = new Set(images.flatMap(({ info }) => info.objects.flatMap(({ id }) => id ?? [])));
  for (let id = 1; ; id++) if (!taken.has(id)) yield id;
}
