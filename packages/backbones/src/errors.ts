import { E3vaError } from '@e3va/highway-grad';

/** The architecture of a backbone is impossible: numbers that do not go together, or one that is not supported. */
export class BackboneConfigError extends E3vaError {}

/** A weight file holds no backbone whose names are known, or its shapes contradict each other. */
export class BackboneWeightsError extends E3vaError {}
