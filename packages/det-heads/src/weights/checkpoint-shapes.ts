import { type WeightFile, WeightsMismatchError } from '@e3va/weight-files';
import type { DetectorNames } from './naming.ts';

/** The sizes of a detector's layers, as the shapes of a file tell them. */
export class CheckpointShapes {
  constructor(
    private readonly file: WeightFile,
    private readonly names: DetectorNames,
  ) {}

  /**
   * The sizes of a layer's weight, outermost first.
   *
   * @param known Sizes that it must have, `undefined` where any will do.
   * @throws WeightsMismatchError if the file lacks it or it has another shape.
   */
  of(layer: string, known: readonly (number | undefined)[]): number[] {
    const name = `${this.names.moduleOf(layer)}.weight`;
    const shape = this.file.entries.get(name)?.shape;
    const fits = shape?.length === known.length && shape.every((n, i) => n > 0 && n === (known[i] ?? n));
    if (fits) return [...shape];
    throw new WeightsMismatchError({
      what: `${this.file.name}: ${shape ? `'${name}' does not fit the rest of the detector` : `there is no '${name}'`}`,
      expected: `a shape [${known.map((n) => n ?? 'any').join(', ')}]`,
      ...(shape && { received: `[${shape.join(', ')}]` }),
    });
  }

  /** How many layers of a row there are, all 3×3, and the width of the last one; `width` if there is none. */
  convs(layer: (i: number) => string, channels: number): { convs: number; width: number } {
    const convs = this.names.count(layer);
    let width = channels;
    for (let i = 0; i < convs; i++) {
      const [filters] = this.of(layer(i), [i === 0 ? undefined : width, width, 3, 3]);
      width = filters!;
    }
    return { convs, width };
  }

  /** A number that must be whole. */
  whole(layer: string, what: string, value: number): number {
    if (Number.isInteger(value) && value > 0) return value;
    throw new WeightsMismatchError({
      what: `${this.file.name}: '${this.names.moduleOf(layer)}' does not fit the rest of the detector`,
      expected: `a whole number of ${what}`,
      received: `${value}`,
    });
  }
}
