import { OptionError } from '../errors.ts';

/** Height and width in pixels. */
export type Size = readonly [height: number, width: number];

/** @throws OptionError unless height and width are positive integers. */
export function assertSize(size: Size, option: string): void {
  if (size.length === 2 && size.every((v) => Number.isInteger(v) && v > 0)) return;
  throw new OptionError({
    what: `${option} is no size`,
    expected: '[height, width], two positive integers',
    received: JSON.stringify(size),
  });
}

/** @throws OptionError unless `low <= high` and both are above `floor`. */
export function assertRange([low, high]: readonly [number, number], option: string, floor = 0): void {
  if (low > floor && high >= low && Number.isFinite(high)) return;
  throw new OptionError({
    what: `${option} is no range`,
    expected: `[low, high] with ${floor} < low <= high`,
    received: JSON.stringify([low, high]),
  });
}
