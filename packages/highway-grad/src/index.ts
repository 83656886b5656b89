export { DuplicateTfjsError, E3vaError, type ErrorParts, ShapeError } from './errors.ts';
export { gelu } from './gelu.ts';
export { type BatchNormResult, batchNormTraining, layerNorm } from './norm.ts';
export { offTape, type TensorFunction } from './off-tape.ts';
export { assertSingleTfjs } from './single-tfjs.ts';
