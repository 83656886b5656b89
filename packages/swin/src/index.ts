export { WindowAttention, type WindowAttentionConfig, windowAttention } from './attention.ts';
export type { SwinConfig } from './config.ts';
export { Linear, type LinearConfig, linear } from './dense.ts';
export { DropPath, type DropPathConfig, dropPath } from './drop-path.ts';
export { SwinConfigError, SwinWeightsError } from './errors.ts';
export type { LayerConfig } from './layer.ts';
export { LayerNorm, type LayerNormConfig } from './layer-norm.ts';
export { gatherPatches, PatchGather, type PatchGatherConfig } from './patch.ts';
export { type SwinPreset, type SwinPresetName, swinPresets } from './presets.ts';
export { relativePositionBias } from './relative-bias.ts';
export { imagenetMean, imagenetStd, swin } from './swin.ts';
export { loadSwinWeights } from './weights/assign.ts';
export { swinConfigOf } from './weights/config-of.ts';
export { huggingFaceLayer, type MappedLayer } from './weights/hugging-face.ts';
export { type LoadSwinOptions, loadSwin } from './weights/load.ts';
export {
  type WindowConfig,
  WindowPartition,
  WindowReverse,
  windowPartition,
  windowReverse,
} from './window.ts';
