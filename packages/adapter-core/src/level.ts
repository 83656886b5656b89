/** One output of a pyramid: what a neck or head must know of it. */
export interface Level {
  /** Name of the layer that makes it. */
  name: string;
  /** Size of its last axis. */
  channels: number;
  /** How many image pixels lie between two of its pixels. */
  stride: number;
}

/**
 * The stride of a map from the height of the image and its own: their quotient, or the nearest power of two where that
 * is no whole number, since convolutions without padding make maps a little smaller (299 pixels to 35 at stride 8).
 */
export function strideOf(imageHeight: number, mapHeight: number): number {
  const quotient = imageHeight / mapHeight;
  return Number.isInteger(quotient) ? quotient : 2 ** Math.round(Math.log2(quotient));
}
