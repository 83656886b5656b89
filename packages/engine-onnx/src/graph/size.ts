/** A size that only a run knows, such as the height of an image: how it is computed. Equal keys stand for equal sizes. */
export type OpenSize = { key: string } & (
  | { op: 'Shape'; tensor: string; axis: number }
  | { op: 'Add' | 'Sub' | 'Mul' | 'Div'; args: [Size, Size] }
);

/** The size of an axis: a number, or a computation in the graph. */
export type Size = number | OpenSize;

/** The size of an axis of a tensor in the graph. */
export const shapeSize = (tensor: string, axis: number): OpenSize => ({
  key: `${tensor}[${axis}]`,
  op: 'Shape',
  tensor,
  axis,
});

const keyOf = (size: Size) => (typeof size === 'number' ? `${size}` : size.key);

/** Whether two sizes are the same whatever comes. */
export const sameSize = (a: Size, b: Size) => keyOf(a) === keyOf(b);

function open(op: 'Add' | 'Sub' | 'Mul' | 'Div', sign: string, a: Size, b: Size): OpenSize {
  return { key: `(${keyOf(a)}${sign}${keyOf(b)})`, op, args: [a, b] };
}

/** a + b. */
export function plus(a: Size, b: Size): Size {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (a === 0) return b;
  return b === 0 ? a : open('Add', '+', a, b);
}

/** a - b. */
export function minus(a: Size, b: Size): Size {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (sameSize(a, b)) return 0;
  return b === 0 ? a : open('Sub', '-', a, b);
}

/** The product of sizes. */
export function times(...sizes: Size[]): Size {
  return sizes.reduce((a, b) => {
    if (typeof a === 'number' && typeof b === 'number') return a * b;
    if (a === 1) return b;
    return b === 1 ? a : open('Mul', '*', a, b);
  }, 1);
}

/** ⌊a / b⌋ for sizes that are not negative. */
export function quotient(a: Size, b: Size): Size {
  if (typeof a === 'number' && typeof b === 'number') return Math.floor(a / b);
  return b === 1 ? a : open('Div', '/', a, b);
}

/** ⌈a / b⌉. */
export const ceilQuotient = (a: Size, b: number): Size => quotient(plus(a, b - 1), b);
