export { classNamesIn } from './class-names.ts';
export { WeightFileError, WeightsMismatchError } from './errors.ts';
export {
  type LoadWeightsOptions,
  loadWeights,
  type WeightsReport,
  type WeightTarget,
} from './load-weights.ts';
export { memoryWeights, type WeightEntry, type WeightFile } from './weight-file.ts';
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
