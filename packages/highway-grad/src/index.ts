export { DuplicateTfjsError, E3vaError, type ErrorParts, ShapeError } from './errors.ts';
export { gelu } from './gelu.ts';
export {
  highwayStage,
  type LowRankWeights,
  type PkqWeights,
  type PqWeights,
  type SynthesisedWeights,
} from './highway.ts';
export { registerTrainingKernels } from './kernels/register.ts';
export { type Measurement, type MeasureOptions, measure } from './measure.ts';
export { type BatchNormResult, batchNormTraining, layerNorm } from './norm.ts';
export { offTape, type TensorFunction } from './off-tape.ts';
export { adaptiveAveragePool, resizeBilinear, separable } from './resize.ts';
export { assertSingleTfjs } from './single-tfjs.ts';
