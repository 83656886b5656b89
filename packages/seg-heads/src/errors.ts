import { E3vaError } from '@e3va/highway-grad';

/** An option of a head, a loss or an inference function has a value that it cannot have. */
export class SegmentationOptionsError extends E3vaError {}

/** A label is neither a class index nor the ignored value. */
export class LabelRangeError extends E3vaError {}

/** A set of weights lacks a tensor that a head needs, or has it in another shape. */
export class HeadWeightsError extends E3vaError {}
