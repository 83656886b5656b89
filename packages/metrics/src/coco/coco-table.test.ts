import { expect, it } from 'vitest';
import { cocoEvaluate, formatCocoTable } from '../index.ts';

it('prints the twelve figures as pycocotools does', () => {
  const truth = {
    images: [{ id: 1 }],
    annotations: [
      {
        id: 1,
        image_id: 1,
        category_id: 1,
        bbox: [0, 0, 40, 40] as [number, number, number, number],
        area: 1600,
      },
    ],
    categories: [{ id: 1, name: 'a' }],
  };
  const found = [{ ...truth.annotations[0]!, score: 0.9 }];
  const lines = formatCocoTable(cocoEvaluate(truth, found, { iouType: 'bbox' })).split('\n');
  expect(lines.length).toBe(12);
  expect(lines[0]).toBe(' Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 1.000');
  expect(lines[1]).toBe(' Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 1.000');
  expect(lines[3]).toBe(' Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = -1.000');
  expect(lines[6]).toBe(' Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 1.000');
  expect(lines[10]).toBe(' Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 1.000');
});
