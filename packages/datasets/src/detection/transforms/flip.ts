import { mirrorImage } from '../../transforms/flip.ts';
import type { DetectionTransform } from '../sample.ts';
import { placeObjects } from './place.ts';
import { placement } from './placement.ts';

/** Mirrors an image with its objects left to right with the given probability (default 0.5). */
export function flipObjects(probability = 0.5): DetectionTransform {
  return (sample, rng) => {
    if (!rng.chance(probability)) return sample;
    const { image, objects } = sample;
    const to = placement(image, { mirror: true });
    return { ...sample, image: mirrorImage(image), objects: placeObjects(objects, to, 0) };
  };
}
