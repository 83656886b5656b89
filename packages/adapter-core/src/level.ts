/** One output of a pyramid: what a neck or head must know of it. */
export interface Level {
  /** Name of the layer that makes it. */
  name: string;
  /** Size of its last axis. */
  channels: number;
  /** Image pixels to one of its pixels; null where the model does not tell. */
  stride: number | null;
}
