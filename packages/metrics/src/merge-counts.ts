import { ClassCountError } from './errors.ts';

/** What confusion matrices of every kind have. */
interface Counted {
  classes: number;
  counts: Float64Array;
}

/**
 * Adds the counts of one confusion matrix to those of another.
 *
 * @throws ClassCountError if the two have different numbers of classes.
 */
export function mergeCounts(into: Counted, other: Counted): void {
  if (other.classes !== into.classes) {
    throw new ClassCountError({
      what: 'two confusion matrices with different numbers of classes cannot be merged',
      expected: `${into.classes} classes`,
      received: `${other.classes}`,
    });
  }
  for (let i = 0; i < into.counts.length; i++) into.counts[i]! += other.counts[i]!;
}
