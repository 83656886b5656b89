export type { ConvNeXtConfig } from './convnext/config.ts';
export { convNeXt } from './convnext/convnext.ts';
export { convNeXtConfigOf, convNeXtTargets, loadConvNeXtWeights } from './convnext/weights.ts';
export { BackboneConfigError, BackboneWeightsError } from './errors.ts';
export { SelfAttention, type SelfAttentionConfig, selfAttention } from './layers/attention.ts';
export { Gelu } from './layers/gelu.ts';
export { PatchConv, type PatchConvConfig, patchConv } from './layers/patch-conv.ts';
export { Scale, type ScaleConfig } from './layers/scale.ts';
export { UpConv, type UpConvConfig, upConv } from './layers/up-conv.ts';
export { type BackboneFiles, type LoadBackboneOptions, loadBackbone } from './load-backbone.ts';
export {
  type ConvNeXtPreset,
  convNeXtPresets,
  dinov2Presets,
  type PresetFacts,
  type ViTPreset,
  vitPresets,
} from './presets.ts';
export type { ViTConfig } from './vit/config.ts';
export { pyramidLayers, type SimpleFeaturePyramidOptions, simpleFeaturePyramid } from './vit/pyramid.ts';
export { Resample, type ResampleConfig } from './vit/resample.ts';
export { TokenMap, type TokenMapConfig } from './vit/token-map.ts';
export { resizePositions, TokenEmbedding, type TokenEmbeddingConfig } from './vit/tokens.ts';
export { vit } from './vit/vit.ts';
export { loadViTWeights, vitConfigOf, vitTargets } from './vit/weights.ts';
