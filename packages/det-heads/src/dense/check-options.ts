import { checkInteger, checkOption } from '../batch.ts';
import type { BoxCoding } from '../box-coding.ts';
import type { ProposalOptions } from '../proposals.ts';
import type { SampleOptions } from '../samplers.ts';
import type { BoxLossOptions } from './losses.ts';
import type { SelectOptions } from './select.ts';

/** Anchors and what they are matched by. */
interface AnchorRules {
  strides: readonly number[];
  anchorSizes: readonly (readonly number[])[];
  ratios: readonly number[];
  positive: number;
  negative: number;
}

/** @throws DetectionOptionsError unless every level has as many sizes of anchors, and a threshold can be reached. */
export function checkAnchors({ strides, anchorSizes, ratios, positive, negative }: AnchorRules): void {
  checkOption(arePositive(strides), 'strides', strides, 'a number above 0 a level');
  checkOption(arePositive(ratios), 'ratios', ratios, 'numbers above 0');
  const count = anchorSizes[0]?.length;
  const fits = anchorSizes.every((sizes) => sizes.length === count && arePositive(sizes));
  const expected = `a list for each of ${strides.length} levels, of as many sizes above 0`;
  checkOption(fits && anchorSizes.length === strides.length, 'anchorSizes', anchorSizes, expected);
  checkShare('positive', positive);
  checkOption(
    negative >= 0 && negative <= positive,
    'negative',
    negative,
    `from 0 to ${positive}, as positive`,
  );
}

/** @throws DetectionOptionsError if an option of {@link BoxLossOptions} or {@link BoxCoding} is out of range. */
export function checkBoxLoss({ beta = 0, boxLossWeight = 0, stds }: BoxLossOptions & BoxCoding): void {
  checkOption(beta >= 0, 'beta', beta, 'at least 0');
  checkOption(boxLossWeight >= 0, 'boxLossWeight', boxLossWeight, 'at least 0');
  if (stds) checkOption(stds.length === 4 && arePositive(stds), 'stds', stds, 'four numbers above 0');
}

/** @throws DetectionOptionsError if an option of {@link SelectOptions} is out of range. */
export function checkSelect(options: SelectOptions): void {
  const { scoreThreshold = 0, nmsThreshold = 0, perLevel = 0, maxDetections = 0 } = options;
  checkShare('scoreThreshold', scoreThreshold);
  checkShare('nmsThreshold', nmsThreshold);
  checkInteger('perLevel', perLevel, 0);
  checkInteger('maxDetections', maxDetections, 0);
}

/** @throws DetectionOptionsError unless the size is a count and the share from 0 to 1. */
export function checkSample({ size, positiveShare }: SampleOptions): void {
  checkInteger('sample.size', size, 0);
  checkShare('sample.positiveShare', positiveShare);
}

/** @throws DetectionOptionsError if an option of {@link ProposalOptions} is out of range. */
export function checkProposals(name: string, { perLevel, max, nmsThreshold = 0 }: ProposalOptions): void {
  checkInteger(`${name}.perLevel`, perLevel, 0);
  checkInteger(`${name}.max`, max, 0);
  checkShare(`${name}.nmsThreshold`, nmsThreshold);
}

/** @throws DetectionOptionsError unless `value` is from 0 to 1. */
function checkShare(what: string, value: number): void {
  checkOption(value >= 0 && value <= 1, what, value, 'a number from 0 to 1');
}

/** Whether there are numbers and all of them are above 0 and finite. */
function arePositive(values: readonly number[]): boolean {
  return values.length > 0 && values.every((v) => v > 0 && Number.isFinite(v));
}
