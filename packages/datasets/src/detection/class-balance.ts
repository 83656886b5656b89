import type { EpochOrder } from '../batch-plan.ts';
import { rng } from '../rng.ts';
import type { DetectionSplit } from './sample.ts';

/**
 * Orders in which images of rare classes come more often, epochs being as long as the split: image i has the weight
 * `max_c max(1, √(t / f(c)))` over its classes c, f(c) being the share of images with c. Each epoch takes every image at least as
 * often as its share of the weights, rounded down, and is shuffled.
 *
 * Source: repeat-factor sampling of LVIS, Gupta et al., arXiv 1908.03195, section 4.1; an epoch there grows by the factors.
 *
 * @param share The share t of images from which on a class is frequent.
 */
export function classBalancedOrder(split: DetectionSplit, seed: number, share: number): EpochOrder {
  const weights = repeatFactors(split, share);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return (epoch) => {
    const random = rng(seed, epoch, -1); // -1 is no sample's index
    const step = total / weights.length;
    const order = new Uint32Array(weights.length);
    let [place, sum] = [0, 0];
    const offset = random.next();
    weights.forEach((weight, i) => {
      sum += weight;
      while (place < order.length && (place + offset) * step < sum) order[place++] = i;
    });
    order.fill(weights.length - 1, place);
    for (let i = order.length - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  };
}

/** The weight of each image. */
export function repeatFactors(split: DetectionSplit, share: number): number[] {
  const classes = Array.from({ length: split.length }, (_, i) => [
    ...new Set(split.info(i).objects.map(({ label }) => label)),
  ]);
  const images = new Map<number, number>();
  for (const label of classes.flat()) images.set(label, (images.get(label) ?? 0) + 1);
  return classes.map((labels) =>
    Math.max(1, ...labels.map((label) => Math.sqrt((share * split.length) / images.get(label)!))),
  );
}
