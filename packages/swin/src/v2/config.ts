import { checkConfig, type SwinConfig, type WholeSwinConfig } from '../config.ts';
import { SwinConfigError } from '../errors.ts';

/** The architecture of a Swin V2. */
export interface SwinV2Config extends SwinConfig {
  /**
   * Window that each stage was pretrained with, where it was another: positions are measured by it. 0, the default, stands for
   * the stage's own window.
   */
  pretrainedWindows?: readonly number[];
  /**
   * Side of the images, in pixels, whose maps bound the windows: a stage whose map then is no larger than a window has a
   * window of that map and no shift, whatever image comes. Default none: every stage has the whole window and the shift.
   */
  imageSize?: number;
}

/** A configuration with its defaults filled in, and the windows of each stage. */
export interface WholeSwinV2Config extends WholeSwinConfig {
  stages: readonly StageWindows[];
}

/** What attention in a stage measures by, in tokens. */
interface StageWindows {
  window: number;
  /** Shift of the odd blocks. */
  shift: number;
  /** The window it was pretrained with. */
  pretrained: number;
}

/**
 * Fills in the defaults and checks that the numbers go together.
 *
 * @throws {@link SwinConfigError} that names the key.
 */
export function checkV2Config(config: SwinV2Config): WholeSwinV2Config {
  const whole = checkConfig(config);
  const { depths, patch } = whole;
  const { pretrainedWindows = depths.map(() => 0), imageSize } = config;
  const isSize = (n: number) => Number.isSafeInteger(n) && n >= 0;
  if (pretrainedWindows.length !== depths.length || !pretrainedWindows.every(isSize)) {
    throw unfit('pretrainedWindows', 'one whole number a stage, 0 for its own window', pretrainedWindows);
  }
  const least = patch * 2 ** (depths.length - 1);
  if (imageSize !== undefined && !(Number.isSafeInteger(imageSize) && imageSize >= least)) {
    throw unfit(
      'imageSize',
      `a whole number of at least ${least} pixels, one token of the last stage`,
      imageSize,
    );
  }
  return {
    ...whole,
    stages: depths.map((_, s) => {
      const map = imageSize === undefined ? Infinity : Math.floor(Math.floor(imageSize / patch) / 2 ** s);
      const bounds = windowWithin(whole.window, map);
      return { ...bounds, pretrained: pretrainedWindows[s]! || bounds.window };
    }),
  };
}

/** Window and shift for maps of one size: as transformers, timm and the official code choose them. */
function windowWithin(window: number, map: number): Omit<StageWindows, 'pretrained'> {
  return map <= window ? { window: map, shift: 0 } : { window, shift: Math.floor(window / 2) };
}

function unfit(key: keyof SwinV2Config, expected: string, received: unknown): SwinConfigError {
  return new SwinConfigError({
    what: `swinV2: '${key}' does not fit`,
    expected,
    received: JSON.stringify(received),
  });
}
