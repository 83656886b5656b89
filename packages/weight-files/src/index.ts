export { type ApplyLayer, blankWeights } from './blank-weights.ts';
export type { ByteOrigin } from './byte-source.ts';
export { classNamesIn } from './class-names.ts';
export { WeightFileError, WeightsMismatchError } from './errors.ts';
export type { Beside } from './formats/beside.ts';
export {
  type LoadWeightsOptions,
  loadWeights,
  type WeightsReport,
  type WeightTarget,
} from './load-weights.ts';
export { type OpenWeightsOptions, openWeights } from './open-weights.ts';
export { memoryWeights, Scratch, type WeightEntry, type WeightFile } from './weight-file.ts';
export {
  asIs,
  conv,
  floats,
  linear,
  linears,
  prefixed,
  reshaped,
  transposed,
  vectors,
  type WeightPart,
  type WeightResize,
  type WeightSource,
} from './weight-source.ts';
