import { E3vaError } from '@e3va/highway-grad';

/** A safetensors file is truncated, padded, inconsistent, or holds something that cannot be read here. */
export class SafetensorsError extends E3vaError {}
