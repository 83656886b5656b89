export type { ConvNeXtConfig } from './convnext/config.ts';
export { convNeXt } from './convnext/convnext.ts';
export { BackboneConfigError, BackboneWeightsError } from './errors.ts';
export { PatchConv, type PatchConvConfig, patchConv } from './layers/patch-conv.ts';
export { Scale, type ScaleConfig } from './layers/scale.ts';
