export { adapt } from './adapt.ts';
export { Adapted, AdapterBaseError } from './adapted.ts';
export {
  type AdapterContent,
  AdapterFileError,
  type AdapterMetadata,
  decodeAdapter,
  encodeAdapter,
} from './adapter-file.ts';
export { FileWriteError, writeFileAtomic } from './atomic-file.ts';
export { type BaseFingerprint, fingerprint } from './fingerprint.ts';
export { FrozenHalf } from './frozen-half.ts';
export type { Layer } from './graph.ts';
export { FrozenLayer, type FrozenLayerConfig } from './layers/frozen-layer.ts';
export { HighwayStage, type HighwayStageConfig } from './layers/highway-stage.ts';
export { PoolProject, type PoolProjectConfig } from './layers/pool-project.ts';
export type { Level } from './level.ts';
export { e3va, MethodOptionError } from './methods/e3va.ts';
export type { E3vaOptions } from './methods/e3va-config.ts';
export { type FrozenOptions, frozen } from './methods/frozen.ts';
export { full } from './methods/full.ts';
export type { Method, Split } from './methods/method.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type Safetensors,
  SafetensorsError,
  type SafetensorsTensor,
  type SafetensorsType,
  type TensorData,
} from './safetensors.ts';
export type { ParameterCounts } from './summary.ts';
export { type LayerPattern, TapError } from './taps.ts';
