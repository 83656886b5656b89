/**
 * Matrices that resample one axis: row i holds the weights of the `from` inputs in output i, row-major.
 * All are plain numbers, so that they are made again for every call instead of being kept on some backend.
 */
export interface AxisMatrix {
  to: number;
  from: number;
  data: Float32Array;
}

function matrixOf(
  to: number,
  from: number,
  row: (i: number, set: (j: number, weight: number) => void) => void,
) {
  const data = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    row(i, (j, weight) => {
      data[i * from + j]! += weight;
    });
  }
  return { to, from, data };
}

/** Where output `i` lies between the inputs. */
function position(i: number, to: number, from: number, alignCorners: boolean, halfPixel: boolean): number {
  if (alignCorners) return to > 1 ? (i * (from - 1)) / (to - 1) : 0;
  return halfPixel ? ((i + 0.5) * from) / to - 0.5 : (i * from) / to;
}

/** Linear interpolation; with neither flag, the input's corner lies on the output's (tfjs's old default). */
export function linearMatrix(
  to: number,
  from: number,
  alignCorners: boolean,
  halfPixel: boolean,
): AxisMatrix {
  return matrixOf(to, from, (i, set) => {
    const at = Math.min(from - 1, Math.max(0, position(i, to, from, alignCorners, halfPixel)));
    const low = Math.floor(at);
    set(low, 1 - (at - low));
    if (at > low) set(low + 1, at - low);
  });
}

/** The nearest neighbour, as tfjs's `resizeNearestNeighbor` picks it. */
export function nearestMatrix(
  to: number,
  from: number,
  alignCorners: boolean,
  halfPixel: boolean,
): AxisMatrix {
  return matrixOf(to, from, (i, set) => {
    // the kernel asks for floor((i + 0.5)·from/to), without the -0.5 of linear interpolation
    const at = halfPixel ? ((i + 0.5) * from) / to : position(i, to, from, alignCorners, false);
    set(Math.min(from - 1, alignCorners ? Math.round(at) : Math.floor(at)), 1);
  });
}

/** The mean over bin i of `to` bins, from floor(i·from/to) to ceil((i+1)·from/to): PyTorch's adaptive average pooling. */
export function adaptiveMatrix(to: number, from: number): AxisMatrix {
  return matrixOf(to, from, (i, set) => {
    const start = Math.floor((i * from) / to);
    const end = Math.ceil(((i + 1) * from) / to);
    for (let j = start; j < end; j++) set(j, 1 / (end - start));
  });
}

/** The mean over a window of `size` inputs at `i·stride - pad`, of those that exist. */
export function windowMatrix(
  to: number,
  from: number,
  size: number,
  stride: number,
  pad: number,
): AxisMatrix {
  return matrixOf(to, from, (i, set) => {
    const start = Math.max(0, i * stride - pad);
    const end = Math.min(from, i * stride - pad + size);
    for (let j = start; j < end; j++) set(j, 1 / (end - start));
  });
}

/** The matrix of the gradient. */
export function transposed({ to, from, data }: AxisMatrix): AxisMatrix {
  const out = new Float32Array(data.length);
  for (let i = 0; i < to; i++) for (let j = 0; j < from; j++) out[j * to + i] = data[i * from + j]!;
  return { to: from, from: to, data: out };
}
