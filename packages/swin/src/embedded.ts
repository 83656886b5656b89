/**
 * Addresses of the weights that the package carries. This file stands one folder below the package's root, as the
 * built dist/index.js does; the literal form lets bundlers find the file and bring it along.
 */
export const embeddedWeights: Record<string, () => URL> = {
  nano: () => new URL('../weights/swin-nano-tinyimagenet.safetensors', import.meta.url),
};
