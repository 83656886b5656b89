import { E3vaError } from '@e3va/highway-grad';

/** A weight file cannot be read: missing, damaged, cut short, padded, of an unknown format, or with contents that are refused. */
export class WeightFileError extends E3vaError {}

/** The weights of a file do not fit a model: missing, of another shape, without a place, or not finite. */
export class WeightsMismatchError extends E3vaError {}
