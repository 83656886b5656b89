import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../../test/helpers.ts';
import { boundConfig, changed, freeConfig, v2Json, v2Weights } from '../../../test/v2.ts';
import { SwinConfigError, SwinWeightsError } from '../../errors.ts';
import { swinV2ConfigOf } from './config-of.ts';
import { loadSwinV2 } from './load.ts';

const json = v2Json('bound_config');
const one = { shape: [1], data: new Float32Array(1) };

describe('swinV2ConfigOf tells the architecture', () => {
  beforeAll(() => useBackend('cpu'));

  it('by the configuration of transformers, alone or inside that of another model', async () => {
    const { window, pretrainedWindows, imageSize } = boundConfig;
    const expected = { ...boundConfig, patch: 4, mlpRatio: 4, window, pretrainedWindows, imageSize };
    expect(await swinV2ConfigOf(v2Weights('bound_hf'), json)).toEqual(expected);
    expect(await swinV2ConfigOf(v2Weights('bound_hf'), { backbone_config: json })).toEqual(expected);
    expect(await swinV2ConfigOf(v2Weights('bound_hf'), { ...json, image_size: undefined })).toEqual({
      ...expected,
      imageSize: 224, // the default of transformers
    });
    const free = { ...json, image_size: [256, 256], pretrained_window_sizes: [0, 0, 0, 0] };
    expect(await swinV2ConfigOf(v2Weights('free_hf'), free)).toEqual({
      ...freeConfig,
      patch: 4,
      mlpRatio: 4,
      imageSize: 256,
    });
  });

  it('by the buffers of the official files', async () => {
    const pretrainedWindows = [3, 3, 3, 0]; // the last was pretrained with its own window
    const expected = { ...boundConfig, patch: 4, mlpRatio: 4, pretrainedWindows };
    const official = v2Weights('bound_microsoft');
    expect(await swinV2ConfigOf(official)).toEqual(expected);
    // without masks the smaller window of the last stage tells the size, too
    const without = (pattern: RegExp) =>
      changed(official, (tensors) => {
        for (const name of [...tensors.keys()]) if (pattern.test(name)) tensors.delete(name);
      });
    expect(await swinV2ConfigOf(await without(/attn_mask$/))).toEqual(expected);
    const halfTold = await without(/attn_mask$|layers\.3\..*coords_table$/);
    await expect(swinV2ConfigOf(halfTold)).rejects.toThrow(SwinWeightsError);
    await expect(swinV2ConfigOf(await without(/relative_coords_table$/))).rejects.toThrow(SwinWeightsError);
  });

  it.each([
    ['swinv2_tiny_window8_256', { window: 8, imageSize: 256 }],
    ['swinv2_base_window12_192.ms_in22k', { window: 12, imageSize: 192 }],
    ['swinv2_base_window12to16_192to256', { window: 16, imageSize: 256, pretrainedWindows: [12, 12, 12, 6] }],
    [
      'swinv2_large_window12to24_192to384_22kft1k',
      { window: 24, imageSize: 384, pretrainedWindows: [12, 12, 12, 6] },
    ],
  ])("by the name of timm's architecture: %s", async (architecture, windows) => {
    const { embedDim, depths, heads } = boundConfig;
    const config = await swinV2ConfigOf(v2Weights('bound_timm'), { architecture, num_classes: 1000 });
    expect(config).toEqual({ embedDim, depths, heads, patch: 4, mlpRatio: 4, ...windows });
  });

  it("by timm's arguments and image size, where the file states them", async () => {
    const config = await swinV2ConfigOf(v2Weights('bound_timm'), {
      architecture: 'swinv2_tiny_window8_256',
      pretrained_cfg: { input_size: [3, 64, 64] },
      model_args: { window_size: 4, pretrained_window_sizes: [3, 3, 3, 2] },
    });
    expect(config).toMatchObject({ window: 4, imageSize: 64, pretrainedWindows: [3, 3, 3, 2] });
  });

  it('names what it cannot tell or does not support', async () => {
    const file = v2Weights('bound_timm');
    await expect(swinV2ConfigOf(file)).rejects.toThrow(
      /bound_timm does not tell the windows.*\n.*config\.json/,
    );
    await expect(swinV2ConfigOf(file, { architecture: 'resnet50' })).rejects.toThrow(SwinWeightsError);
    for (const [key, value] of [
      ['qkv_bias', false],
      ['use_absolute_embeddings', true],
      ['hidden_act', 'relu'],
      ['layer_norm_eps', 1e-6],
    ]) {
      const config = { ...json, [key as string]: value };
      await expect(swinV2ConfigOf(file, config)).rejects.toThrow(
        new RegExp(`another '${key}' is not supported`),
      );
    }
  });

  it('names shapes that contradict each other before a model is built, and numbers that are none when it is', async () => {
    const wide = await changed(v2Weights('bound_timm'), (tensors) => {
      for (let s = 4; s < 60; s++) tensors.set(`layers.${s}.blocks.0.norm1.weight`, one); // 2^59 times the channels
    });
    await expect(swinV2ConfigOf(wide, json)).rejects.toThrow(
      /lacks a weight.*\n.*layers\.4\.blocks\.0\.mlp\.fc1\.weight/,
    );
    const narrow = await changed(v2Weights('bound_timm'), (tensors) => {
      tensors.set('layers.2.blocks.1.mlp.fc1.weight', { shape: [2, 16], data: new Float32Array(32) });
    });
    await expect(swinV2ConfigOf(narrow, json)).rejects.toThrow(/contradicts.*\n.*\[64,16\]\n.*\[2,16\]/);
    for (const bad of [
      { image_size: '64' },
      { window_size: 4.5 },
      { pretrained_window_sizes: [1, 'a', 3, 4] },
    ]) {
      const files = { weights: v2Weights('bound_timm'), config: { ...json, ...bad } };
      await expect(loadSwinV2(files)).rejects.toThrow(SwinConfigError);
    }
  });
});
