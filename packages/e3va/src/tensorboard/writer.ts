import { appendFileSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join as joinPath } from 'node:path';
import { attempt } from '../run/attempt.ts';
import { maskedCrc32c } from './crc32c.ts';
import { field, join } from './protobuf.ts';

/** A picture for {@link TensorBoardWriter.image}: a whole PNG or JPEG file, and its size in pixels. */
export interface EncodedImage {
  width: number;
  height: number;
  /** Bytes of the file. */
  bytes: Uint8Array;
}

/**
 * Writes an event file that TensorBoard reads: scalars and images by step. Each event is on the disk when its method
 * returns, so that a run that is cut short loses nothing.
 *
 * Format: TFRecord framing (length, masked CRC-32C, data, masked CRC-32C) around `tensorflow.Event` messages.
 *
 * @example
 * ```ts
 * import { TensorBoardWriter } from 'e3va';
 *
 * const writer = new TensorBoardWriter('runs/example');
 * writer.scalars(1, { 'train/loss': 2.3, 'train/lr': 1e-3 });
 * ```
 */
export class TensorBoardWriter {
  /** Path of the event file. */
  readonly path: string;

  /**
   * @param dir Folder for the file; it is made if missing.
   * @param now Seconds since 1970, for the file name and the events.
   */
  constructor(
    dir: string,
    private readonly now: () => number = () => Date.now() / 1000,
  ) {
    attempt(`cannot make the folder ${dir}`, () => mkdirSync(dir, { recursive: true }));
    const stamp = `${Math.floor(now())}.${hostname()}.${process.pid}`;
    this.path = joinPath(dir, `events.out.tfevents.${stamp}`);
    this.event(0, field.bytes(3, 'brain.Event:2'));
  }

  /** Writes numbers of one step; NaN is written as such, and shown as a gap. */
  scalars(step: number, values: Record<string, number>): void {
    const summary = Object.entries(values).map(([tag, value]) =>
      field.bytes(1, join([field.bytes(1, tag), field.float(2, value)])),
    );
    this.event(step, field.bytes(5, join(summary)));
  }

  /** Writes one picture of one step. */
  image(step: number, tag: string, { width, height, bytes }: EncodedImage): void {
    const rgb = 3;
    const image = [
      field.varint(1, height),
      field.varint(2, width),
      field.varint(3, rgb),
      field.bytes(4, bytes),
    ];
    const value = join([field.bytes(1, tag), field.bytes(4, join(image))]);
    this.event(step, field.bytes(5, field.bytes(1, value)));
  }

  private event(step: number, content: Uint8Array): void {
    const message = join([field.double(1, this.now()), field.varint(2, step), content]);
    attempt(`cannot write ${this.path}`, () => appendFileSync(this.path, record(message)));
  }
}

/** One TFRecord: 8 bytes of length and 4 of its checksum, the data, and 4 of their checksum; little-endian. */
function record(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 16);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length, true);
  view.setUint32(8, maskedCrc32c(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return out;
}
