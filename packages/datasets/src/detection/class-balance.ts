import type { EpochOrder } from '../batch-plan.ts';
import { rng, shuffle } from '../rng.ts';
import type { DetectionSplit } from './sample.ts';

/**
 * Orders in which images of rare classes come more often. Image i has the weight `max_c max(1, √(t / f(c)))` over its classes c,
 * f(c) being the share of images with c; an image without objects has the weight 1. Epochs stay as long as the split: each takes an
 * image as often as its share of the weights says, rounded up or down at random, and is shuffled.
 *
 * Source: repeat-factor sampling of LVIS, Gupta et al., arXiv 1908.03195, section 4.1; an epoch there grows by the factors.
 *
 * @param share The share t of images from which on a class is frequent.
 */
export function classBalancedOrder(split: DetectionSplit, seed: number, share: number): EpochOrder {
  const weights = repeatFactors(split, share);
  const { length } = weights;
  const step = weights.reduce((sum, weight) => sum + weight, 0) / length;
  return (epoch) => {
    const random = rng(seed, epoch, -1); // -1 is no sample's index
    const order = new Uint32Array(length);
    const offset = random.next();
    // Equal steps along the weights laid end to end: an image is taken by each step that ends on its weight.
    let [place, end] = [0, 0];
    weights.forEach((weight, i) => {
      end += weight;
      const isLast = i === length - 1; // rounding may leave a step over
      for (let k = 0; place < length && (isLast || (place + offset) * step < end); k++) {
        order[place++] = i + k * length;
      }
    });
    return shuffle(order, random);
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
