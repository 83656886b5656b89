import { E3vaError } from '@e3va/highway-grad';

/** A Swin configuration or an option is impossible, for instance heads that do not divide the channels. */
export class SwinConfigError extends E3vaError {}

/** Weights do not fit the model, cannot be found, or come from another kind of network. */
export class SwinWeightsError extends E3vaError {}
