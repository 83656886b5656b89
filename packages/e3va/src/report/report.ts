import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { paletteColors } from '@e3va/datasets';
import type { EvalEntry, LogEntry, TrainEntry } from '../run/log.ts';
import { escapeHtml, scriptJson } from './escape.ts';
import { reportScript, reportStyle } from './page.ts';
import type { ReportPicture } from './pictures.ts';

/** Everything that a report shows. */
export interface ReportData {
  /** Title, usually the name of the run. */
  title: string;
  /** Lines of the header: name and value. */
  facts: readonly (readonly [name: string, value: string])[];
  /** The recipe as YAML. */
  recipe: string;
  classes: readonly string[];
  log: readonly LogEntry[];
  pictures: readonly ReportPicture[];
}

/**
 * A training run as one HTML page that needs nothing else: curves of loss, learning rate and mIoU, the scores of each class,
 * and predictions beside image and label. Names of classes and files are shown as text, whatever they hold.
 */
export function renderReport(data: ReportData): string {
  const uplot = createRequire(import.meta.url);
  const read = (file: string) => readFileSync(uplot.resolve(`uplot/dist/${file}`), 'utf8');
  const evals = data.log.filter((entry) => entry.type === 'eval');
  const title = escapeHtml(data.title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · e3va</title>
<style>${read('uPlot.min.css')}${reportStyle}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<dl class="facts">${data.facts.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>
<section><h2>Training</h2><div class="curves"><div id="loss"></div><div id="lr"></div><div id="miou"></div></div></section>
<section><h2>Classes</h2>${classTable(data.classes, evals)}</section>
<section><h2>Predictions</h2>${pictureTable(data.pictures)}</section>
<section><h2>Recipe</h2><pre>${escapeHtml(data.recipe)}</pre></section>
</main>
<script type="application/json" id="data">${scriptJson(curves(data.log))}</script>
<script>${read('uPlot.iife.min.js')}</script>
<script>${reportScript}</script>
</body>
</html>
`;
}

/** Columns of numbers for the curves. */
function curves(log: readonly LogEntry[]) {
  const train = log.filter((entry): entry is TrainEntry => entry.type === 'train');
  const evals = log.filter((entry): entry is EvalEntry => entry.type === 'eval');
  return {
    train: { step: train.map((e) => e.step), loss: train.map((e) => e.loss), lr: train.map((e) => e.lr) },
    eval: { step: evals.map((e) => e.step), mIoU: evals.map((e) => e.mIoU), aAcc: evals.map((e) => e.aAcc) },
  };
}

function classTable(classes: readonly string[], evals: readonly EvalEntry[]): string {
  const best = evals.findLast((entry) => entry.best) ?? evals.at(-1);
  if (!best) return '<p>There was no evaluation.</p>';
  const colors = paletteColors(classes.length);
  const rows = classes.map((name, c) => {
    const iou = best.iou[c] ?? null;
    const swatch = `<i style="background:rgb(${colors[c]!.join(' ')})"></i>`;
    const bar = `<b style="width:${((iou ?? 0) * 100).toFixed(1)}%"></b>`;
    return `<tr><td>${swatch}${escapeHtml(name)}</td><td>${percent(iou)}</td><td>${percent(best.acc[c] ?? null)}</td><td class="bar">${bar}</td></tr>`;
  });
  return `<p>Scores on the validation images after step ${best.step}, in per cent.</p>
<table class="classes"><thead><tr><th>Class</th><th>IoU</th><th>Acc</th><th></th></tr></thead>
<tbody>${rows.join('')}</tbody>
<tfoot><tr><td>Mean</td><td>${percent(best.mIoU)}</td><td>${percent(best.mAcc)}</td><td></td></tr>
<tr><td>All pixels</td><td></td><td>${percent(best.aAcc)}</td><td></td></tr></tfoot></table>`;
}

function pictureTable(pictures: readonly ReportPicture[]): string {
  if (pictures.length === 0) return '<p>There are no validation images.</p>';
  const cell = (src: string, alt: string) =>
    `<td><img src="${src}" alt="${escapeHtml(alt)}" loading="lazy"></td>`;
  const rows = pictures.map(({ name, image, truth, prediction, overlay }) => {
    const cells = [
      cell(image, name),
      cell(truth, 'label'),
      cell(prediction, 'prediction'),
      cell(overlay, 'overlay'),
    ];
    return `<tr>${cells.join('')}</tr><tr class="name"><td colspan="4">${escapeHtml(name)}</td></tr>`;
  });
  return `<table class="pictures"><thead><tr><th>Image</th><th>Label</th><th>Prediction</th><th>Overlay</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function percent(value: number | null): string {
  return value === null || !Number.isFinite(value) ? '–' : (value * 100).toFixed(1);
}
