import { type DetectionFolder, drawDetections } from '@e3va/datasets';
import type { Detection } from '@e3va/det-heads';
import * as tf from '@tensorflow/tfjs-core';
import type { DetectionRecipe } from '../recipe/schema.ts';
import type { Task } from '../task.ts';
import { objectBatches, openObjects } from './data.ts';
import { type DetectionBatch, DetectionModel } from './detection-model.ts';
import { detectImage, evaluateDetections } from './evaluate.ts';
import { detectFiles, resultsPath } from './predict-files.ts';
import { detectionSections, shownScore } from './report.ts';

/** Object detection and instance segmentation: boxes, and outlines where the head finds them, scored by AP. */
export const detection: Task<DetectionRecipe, DetectionFolder, DetectionModel> = {
  openData: openObjects,
  createModel: (recipe, data, base) => DetectionModel.create(recipe, data, base),
  trainBatches: objectBatches,

  emptyBatch({ train }): DetectionBatch {
    const side = Math.ceil(Math.max(...[train.shortSide].flat()) / 32) * 32;
    return {
      images: tf.zeros([1, side, side, 3]),
      targets: [{ boxes: new Float32Array(), labels: new Int32Array() }],
      sizes: [{ height: side, width: side }],
      random: () => 0,
    };
  },

  async evaluate(model, data, split) {
    return (await evaluateDetections(model, data, split)).scores;
  },

  async picture(model, data, split) {
    const { image } = await data.split(split as 'val').load(0);
    const found = (await detectImage(model, image)).filter(({ score }) => score >= shownScore);
    return drawDetections(image, found, { classes: data.classes });
  },

  reportSections: detectionSections,

  async *predictFiles(model, inputs, out, options) {
    const { scoreThreshold = shownScore } = options;
    for await (const { input, detections, overlay, labels } of detectFiles(model, inputs, out, options)) {
      const shown = detections.filter(({ score }) => score >= scoreThreshold);
      yield `${input}: ${countByClass(shown, model.info.classes)}`;
      for (const path of [overlay, labels]) if (path !== undefined) yield path;
    }
    if (options.format !== 'yolo') yield resultsPath(out);
  },
};

/** As `3 cat, 1 dog`, the most frequent first. */
function countByClass(detections: readonly Detection[], classes: readonly string[]): string {
  const counts = classes.map((name, label) => ({
    name,
    count: detections.filter((detection) => detection.label === label).length,
  }));
  const found = counts.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count);
  return found.map(({ name, count }) => `${count} ${name}`).join(', ') || 'nothing';
}
