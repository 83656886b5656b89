import { type DetectionFolder, type DetectionObject, drawDetections } from '@e3va/datasets';
import type { Detection } from '@e3va/det-heads';
import { type CocoScores, DetectionConfusion } from '@e3va/metrics';
import { escapeHtml } from '../report/escape.ts';
import { jpegUri } from '../report/pictures.ts';
import { type PictureRow, pictureTable } from '../report/pictures-table.ts';
import type { ReportPlot, ReportSection } from '../report/report.ts';
import type { DetectionModel } from './detection-model.ts';
import { evaluateDetections } from './evaluate.ts';

/** Least score of a detection that the confusion matrix counts and the pictures show. */
export const shownScore = 0.3;

/** Precision–recall curves, confusion matrix, and the images on which the model does worst. */
export async function detectionSections(
  model: DetectionModel,
  folder: DetectionFolder,
  split: string,
): Promise<ReportSection[]> {
  const { found, boxes, masks } = await evaluateDetections(model, folder, split);
  const plots = [precisionRecall('Boxes', boxes, folder.classes)];
  if (masks) plots.push(precisionRecall('Masks', masks, folder.classes));
  return [
    { title: 'Precision and recall', html: '', plots },
    { title: 'Confusion', html: confusionTable(found, folder, split) },
    { title: 'Worst images', html: await worstImages(found, folder, split) },
  ];
}

/** Precision over recall at IoU 0.5 of each class. */
function precisionRecall(kind: string, scores: CocoScores, classes: readonly string[]): ReportPlot {
  const curves = scores.precisionAt(0.5);
  return {
    title: `${kind}: precision over recall at IoU 0.5`,
    axis: 'recall',
    x: Array.from({ length: 101 }, (_, i) => i / 100),
    series: classes
      .map((label, c) => ({ label, values: curves[c]! }))
      .filter(({ values }) => values[0] !== null),
  };
}

/** Whether each object was found as its class, as another, or not at all; and what was found where nothing is. */
function confusionTable(
  found: readonly (readonly Detection[])[],
  folder: DetectionFolder,
  split: string,
): string {
  const { classes } = folder;
  const samples = folder.split(split as 'val');
  const confusion = confusionOf(classes.length);
  found.forEach((detections, i) => {
    confusion.add(samples.info(i).objects, detections);
  });
  const head = [...classes, 'missed'].map((name) => `<th>${escapeHtml(name)}</th>`).join('');
  const side = classes.length + 1;
  const rows = [...classes, 'nothing there'].map((name, r) => {
    const counts = [...confusion.counts.subarray(r * side, (r + 1) * side)];
    const cells = counts.map((count, c) => `<td>${r === c && r === classes.length ? '' : count}</td>`);
    return `<tr><td>${escapeHtml(name)}</td>${cells.join('')}</tr>`;
  });
  return `<p>Rows: what is there; columns: what was found with a score of at least ${shownScore} and an IoU of at least 0.5.</p>
<table class="classes"><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

const confusionOf = (classes: number) =>
  new DetectionConfusion(classes, { scoreThreshold: shownScore, iouThreshold: 0.5 });

/** The images with the most mistakes, the truth beside what was found. */
async function worstImages(
  found: readonly (readonly Detection[])[],
  folder: DetectionFolder,
  split: string,
  count = 8,
): Promise<string> {
  const samples = folder.split(split as 'val');
  const mistakes = found.map((detections, i) =>
    mistakesIn(detections, samples.info(i).objects, folder.classes.length),
  );
  const worst = [...mistakes.keys()].sort((a, b) => mistakes[b]! - mistakes[a]! || a - b).slice(0, count);
  const rows: PictureRow[] = [];
  for (const i of worst) {
    const { name, image, objects } = await samples.load(i);
    const shown = found[i]!.filter(({ score }) => score >= shownScore);
    const draw = { classes: folder.classes };
    const pictures = [
      await jpegUri(await drawDetections(image, objects, draw)),
      await jpegUri(await drawDetections(image, shown, draw)),
    ];
    rows.push({ name: `${name}: ${mistakes[i]} mistakes`, pictures });
  }
  return pictureTable(['Truth', 'Found'], rows);
}

/** Objects that were missed or taken for another class, and detections where nothing is. */
function mistakesIn(
  detections: readonly Detection[],
  objects: readonly DetectionObject[],
  classes: number,
): number {
  const confusion = confusionOf(classes);
  confusion.add(objects, detections);
  return confusion.counts.reduce((sum, count, i) => sum + (i % (classes + 2) === 0 ? 0 : count), 0);
}
