import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { paletteColors } from '@e3va/datasets';
import type { EvalEntry, LogEntry, TrainEntry } from '../run/log.ts';
import { escapeHtml, scriptJson } from './escape.ts';
import { reportScript, reportStyle } from './page.ts';

/** A part of a report that a task adds. */
export interface ReportSection {
  title: string;
  /** Its HTML, with everything that comes from outside escaped. */
  html: string;
  /** Curves that are drawn in it. */
  plots?: readonly ReportPlot[];
}

/** Curves over one axis. */
export interface ReportPlot {
  title: string;
  /** What the horizontal axis counts. */
  axis: string;
  x: readonly number[];
  /** Values at each x; null where a curve has none. */
  series: readonly { label: string; values: readonly (number | null)[] }[];
  /** Whether a running mean is drawn over the first curve. */
  smoothed?: boolean;
}

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
  /** Parts that the task adds. */
  sections: readonly ReportSection[];
}

/**
 * A training run as one HTML page that needs nothing else: curves of loss, learning rate and scores, the scores of each class,
 * and what the task adds. Names of classes and files are shown as text, whatever they hold.
 */
export function renderReport(data: ReportData): string {
  const uplot = createRequire(import.meta.url);
  const read = (file: string) => readFileSync(uplot.resolve(`uplot/dist/${file}`), 'utf8');
  const evals = data.log.filter((entry) => entry.type === 'eval');
  const title = escapeHtml(data.title);
  const sections: ReportSection[] = [
    { title: 'Training', html: '', plots: trainingPlots(data.log) },
    { title: 'Classes', html: classTable(data.classes, evals) },
    ...data.sections,
    { title: 'Recipe', html: `<pre>${escapeHtml(data.recipe)}</pre>` },
  ];
  const plots = sections.flatMap(({ plots = [] }, s) =>
    plots.map((plot, p) => ({ id: `plot-${s}-${p}`, ...plot })),
  );
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
${sections.map(sectionHtml).join('\n')}
</main>
<script type="application/json" id="data">${scriptJson(plots)}</script>
<script>${read('uPlot.iife.min.js')}</script>
<script>${reportScript}</script>
</body>
</html>
`;
}

function sectionHtml({ title, html, plots = [] }: ReportSection, s: number): string {
  const curves = plots.map((_, p) => `<div id="plot-${s}-${p}"></div>`).join('');
  return `<section><h2>${escapeHtml(title)}</h2>${curves && `<div class="curves">${curves}</div>`}${html}</section>`;
}

/** Loss with its parts, learning rate, and the scores of the evaluations. */
function trainingPlots(log: readonly LogEntry[]): ReportPlot[] {
  const train = log.filter((entry): entry is TrainEntry => entry.type === 'train');
  const evals = log.filter((entry): entry is EvalEntry => entry.type === 'eval');
  const [axis, steps] = ['step', train.map((entry) => entry.step)];
  const parts = Object.keys(train.at(-1)?.losses ?? {});
  const lossPlot: ReportPlot = {
    title: 'Loss',
    axis,
    x: steps,
    smoothed: true,
    series: [{ label: 'loss', values: train.map((entry) => entry.loss) }],
  };
  const partsPlot: ReportPlot = {
    title: 'Parts of the loss',
    axis,
    x: steps,
    series: parts.map((label) => ({ label, values: train.map(({ losses }) => losses?.[label] ?? null) })),
  };
  const ratePlot: ReportPlot = {
    title: 'Learning rate',
    axis,
    x: steps,
    series: [{ label: 'lr', values: train.map((entry) => entry.lr) }],
  };
  const shown = Object.keys(evals.at(-1)?.scores ?? {}).slice(0, 3);
  const scorePlot: ReportPlot = {
    title: 'Validation',
    axis,
    x: evals.map((entry) => entry.step),
    series: shown.map((label) => ({ label, values: evals.map(({ scores }) => scores[label] ?? null) })),
  };
  return [lossPlot, ...(parts.length > 0 ? [partsPlot] : []), ratePlot, scorePlot];
}

function classTable(classes: readonly string[], evals: readonly EvalEntry[]): string {
  const best = evals.findLast((entry) => entry.best) ?? evals.at(-1);
  if (!best) return '<p>There was no evaluation.</p>';
  const colors = paletteColors(classes.length);
  const columns = Object.entries(best.perClass);
  const cells = (values: (number | null)[]) => values.map((value) => `<td>${percent(value)}</td>`).join('');
  const rows = classes.map((name, c) => {
    const swatch = `<i style="background:rgb(${colors[c]!.join(' ')})"></i>`;
    const values = columns.map(([, of]) => of[c] ?? null);
    const bar = `<b style="width:${((values[0] ?? 0) * 100).toFixed(1)}%"></b>`;
    return `<tr><td>${swatch}${escapeHtml(name)}</td>${cells(values)}<td class="bar">${bar}</td></tr>`;
  });
  const head = columns.map(([name]) => `<th>${escapeHtml(name)}</th>`).join('');
  const all = Object.entries(best.scores).map(([name, value]) => `${escapeHtml(name)} ${percent(value)}`);
  return `<p>Scores on the validation images after step ${best.step}, in per cent: ${all.join(', ')}.</p>
<table class="classes"><thead><tr><th>Class</th>${head}<th></th></tr></thead>
<tbody>${rows.join('')}</tbody>
<tfoot><tr><td>Mean</td>${cells(columns.map(([, values]) => mean(values)))}<td></td></tr></tfoot></table>`;
}

/** Mean of the values there are. */
function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function percent(value: number | null): string {
  return value === null || !Number.isFinite(value) ? '–' : (value * 100).toFixed(1);
}
