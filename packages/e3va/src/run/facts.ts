import { formatSeconds } from '../progress.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { BestScore } from './log.ts';

/** What a run has come to. */
export interface RunSummary {
  recipe: Recipe;
  /** Trained parameters of the adapter and of the heads, and all parameters of the backbone with its adapter. */
  parameters: { adapter: number; heads: number; backbone: number };
  backend: string;
  /** Steps done in all. */
  steps: number;
  best: BestScore | null;
  imagesPerSecond: number;
  /** Milliseconds of this process's part of the run. */
  milliseconds: number;
}

/** The header of the report: names and values. */
export function runFacts(summary: RunSummary): [string, string][] {
  const { recipe, parameters, best } = summary;
  const { method, backbone, head, train } = recipe;
  return [
    [
      'Model',
      [backbone.name, method.name, head.name, 'preset' in head ? head.preset : head.channels].join(', '),
    ],
    ['Best score', best ? formatBest(best) : 'not measured'],
    ['Steps', `${summary.steps} of ${train.steps}, batch ${train.batch * train.accumulate}`],
    ['Trained in the backbone', trainedShare(parameters)],
    ['Trained in the head', parameters.heads.toLocaleString('en-US')],
    ['Speed', `${summary.imagesPerSecond.toFixed(2)} images/s`],
    ['Peak memory', `${Math.round(peakRss() / 2 ** 20)} MB resident`],
    ['Backend', summary.backend],
    ['Time', formatSeconds(summary.milliseconds / 1000)],
    ['Date', new Date().toISOString().slice(0, 16).replace('T', ' ')],
  ];
}

/** `mIoU 47.87 % at step 800` */
export function formatBest({ metric, score, step }: BestScore): string {
  return `${metric} ${(100 * score).toFixed(2)} % at step ${step}`;
}

/** `121,344 of 2,797,606 (4.34 %)` */
export function trainedShare({ adapter, backbone }: RunSummary['parameters']): string {
  const [part, whole] = [adapter, backbone].map((n) => n.toLocaleString('en-US'));
  return `${part} of ${whole} (${((100 * adapter) / backbone).toFixed(2)} %)`;
}

/** Largest resident memory of the process so far, in bytes. */
export function peakRss(): number {
  return process.resourceUsage().maxRSS * 1024;
}
