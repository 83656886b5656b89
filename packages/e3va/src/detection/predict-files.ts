import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '@e3va/adapter-core';
import { drawDetections, type RgbImage, readImage, writePng } from '@e3va/datasets';
import type { Detection } from '@e3va/det-heads';
import { findImages, outputNames } from '../inputs.ts';
import { attempt } from '../run/attempt.ts';
import type { PredictOptions } from '../task.ts';
import type { DetectionModel } from './detection-model.ts';
import { cocoResults, detectImage } from './evaluate.ts';

/** The objects that {@link detectFiles} found in one image, and the files it wrote. */
export interface DetectedFiles {
  /** The image. */
  input: string;
  /** The objects, best first, in pixels of the image: all of them, whatever their score. */
  detections: Detection[];
  /** The image with the objects drawn on it; undefined if not asked for. */
  overlay?: string;
  /** A line of class, box and score an object, as YOLO writes them; undefined in the `coco` format. */
  labels?: string;
}

/**
 * Finds objects in images and writes what it found: `NAME.overlay.png`; and `NAME.txt` in the `yolo` format, or one
 * `results.json` of COCO's results format for all, with `image_id` the file's name without extension.
 *
 * @param inputs Images, folders or patterns.
 * @param out Folder for the results; it is made if missing.
 * @returns What was written, image by image, as it is written; `results.json` comes after the last.
 * @throws InputError if there is no image; ImageDecodeError for one that cannot be read; ImageWriteError for a full disk.
 */
export async function* detectFiles(
  model: DetectionModel,
  inputs: readonly string[],
  out: string,
  { overlay = true, format = 'coco', scoreThreshold = 0.3 }: PredictOptions = {},
): AsyncGenerator<DetectedFiles> {
  const files = findImages(inputs);
  attempt(`cannot make the folder ${out}`, () => mkdirSync(out, { recursive: true }));
  const names = outputNames(files);
  const all: Detection[][] = [];
  for (const [i, input] of files.entries()) {
    const image = await readImage(input);
    const detections = await detectImage(model, image);
    const shown = detections.filter(({ score }) => score >= scoreThreshold);
    const written: DetectedFiles = { input, detections };
    if (overlay) {
      written.overlay = join(out, `${names[i]}.overlay.png`);
      await writePng(written.overlay, await drawDetections(image, shown, { classes: model.info.classes }));
    }
    if (format === 'yolo') {
      written.labels = join(out, `${names[i]}.txt`);
      await writeFileAtomic(written.labels, yoloLines(shown, image));
    }
    all.push(detections);
    yield written;
  }
  if (format !== 'coco') return;
  const results = cocoResults(all, names, categoryIdsOf(model));
  await writeFileAtomic(resultsPath(out), `${JSON.stringify(results)}\n`);
}

/** Where {@link detectFiles} writes the results of the `coco` format. */
export function resultsPath(out: string): string {
  return join(out, 'results.json');
}

function categoryIdsOf({ info }: DetectionModel): readonly number[] {
  return info.categoryIds ?? info.classes.map((_, label) => label + 1);
}

/** `class x y width height score`, the box by its centre and in fractions of the image; one line an object. */
function yoloLines(detections: readonly Detection[], { width, height }: RgbImage): string {
  const line = ({ box: [x1, y1, x2, y2], label, score }: Detection) => {
    const box = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height];
    return `${label} ${[...box, score].map((value) => value.toFixed(6)).join(' ')}\n`;
  };
  return detections.map(line).join('');
}
