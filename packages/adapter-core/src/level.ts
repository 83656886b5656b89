/** One output of a pyramid: what a neck or head must know of it. */
export interface Level {
  /** Name of the layer that makes it. */
  name: string;
  /** Size of its last axis. */
  channels: number;
  /** How many image pixels lie between two of its pixels. */
  stride: number;
}
