export { type AdaptOptions, adapt } from './adapt.ts';
export { adaptLayer } from './adapt-layer.ts';
export { Adapted, AdapterBaseError } from './adapted.ts';
export {
  type AdapterContent,
  AdapterFileError,
  type AdapterMetadata,
  decodeAdapter,
  encodeAdapter,
} from './adapter-file.ts';
export { AdapterNameError, BaseTrainedError } from './adapter-set.ts';
export { FileWriteError, writeFileAtomic } from './atomic-file.ts';
export { BaseChangedError } from './base-identity.ts';
export { BaseModelError } from './check-base.ts';
export { type Layer, LayerCopyError } from './copy-layer.ts';
export { type Engine, EngineError, EngineGuard, type EngineSource, tfjsEngine } from './engine.ts';
export { type BaseFingerprint, fingerprint, outputFingerprint } from './fingerprint.ts';
export { flatten, isModel } from './flatten.ts';
export type { TapVisit } from './frozen-half.ts';
export { FrozenHalf } from './frozen-half.ts';
export { type GraphNode, sortedNodes } from './graph.ts';
export { BaseLayer, type BaseLayerConfig } from './layers/base-layer.ts';
export { FrozenLayer, type FrozenLayerConfig, TapLayer, type TapLayerConfig } from './layers/frozen-layer.ts';
export { HighwayLayer, type HighwayLayerConfig } from './layers/highway-layer.ts';
export { HighwayStage, type HighwayStageConfig } from './layers/highway-stage.ts';
export { MergeStateError } from './layers/lora.ts';
export type { LoraFused } from './layers/lora-kernel.ts';
export { OffTapeLayer } from './layers/off-tape-layer.ts';
export { PackTap, type PackTapConfig } from './layers/pack-tap.ts';
export { PoolProject, type PoolProjectConfig } from './layers/pool-project.ts';
export { RecomputedStage, type RecomputedStageConfig, SegmentEnd } from './layers/recomputed-stage.ts';
export { StreamAdapter, type StreamAdapterConfig } from './layers/stream-adapter.ts';
export { StreamChange } from './layers/stream-change.ts';
export type { Level } from './level.ts';
export { MergeError } from './merge.ts';
export { type AdaptFormerOptions, adaptFormer } from './methods/adapt-former.ts';
export { type AdapterOptions, adapter } from './methods/adapter.ts';
export { type BitFitOptions, bitFit } from './methods/bit-fit.ts';
export { e3va } from './methods/e3va.ts';
export type { E3vaOptions } from './methods/e3va-config.ts';
export { type FrozenOptions, frozen } from './methods/frozen.ts';
export { full } from './methods/full.ts';
export type { InPlaceOptions } from './methods/in-place-options.ts';
export { type LoRandOptions, loRand } from './methods/lo-rand.ts';
export { type LoraOptions, lora } from './methods/lora.ts';
export type { MergeableLayer, Method, Split } from './methods/method.ts';
export { methodFromConfig } from './methods/method-registry.ts';
export { type MonaOptions, mona } from './methods/mona.ts';
export { type NormOptions, norm } from './methods/norm.ts';
export { MethodLayerError, MethodOptionError } from './methods/options.ts';
export { type PartialOptions, partial } from './methods/partial.ts';
export { LayerNameError } from './methods/rewrite.ts';
export { ModelFileError, modelFile } from './model-file.ts';
export { type PeftLora, type PeftTarget, readPeftLora } from './peft-file.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type Safetensors,
  type SafetensorsTensor,
  type TensorData,
} from './safetensors.ts';
export { SafetensorsError } from './safetensors-error.ts';
export {
  parseSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
  safetensorsHeaderLength,
} from './safetensors-header.ts';
export { parseStrictJson } from './strict-json.ts';
export { type SuggestedStage, suggestTaps, type TapSuggestion } from './suggest-taps.ts';
export type { ParameterCounts } from './summary.ts';
export { type LayerPattern, TapError } from './taps.ts';
export type { AdapterJob } from './train-step.ts';
export { type SafetensorsType, widenTensor } from './widen.ts';
