import { E3vaError } from '@e3va/highway-grad';

/** An option of a detector or of one of its parts has a value that it cannot have. */
export class DetectionOptionsError extends E3vaError {}

/** Targets, features or sizes of a batch do not fit each other or the detector. */
export class DetectionInputError extends E3vaError {}
