/**
 * Undoes the row filters of PNG in place.
 *
 * @param bytes The inflated bytes of one pass from `start` on: each row is one filter byte and `rowBytes` bytes.
 * @param step Bytes of a whole pixel, at least 1.
 * @returns Whether every filter byte was one of the five that exist.
 */
export function unfilter(
  bytes: Uint8Array,
  start: number,
  rows: number,
  rowBytes: number,
  step: number,
): boolean {
  for (let row = 0; row < rows; row++) {
    const at = start + row * (rowBytes + 1);
    const up = row === 0 ? -1 : at - rowBytes; // first byte of the row above
    if (!unfilterRow(bytes, bytes[at]!, at + 1, up, rowBytes, step)) return false;
  }
  return true;
}

function unfilterRow(
  b: Uint8Array,
  filter: number,
  at: number,
  up: number,
  length: number,
  step: number,
): boolean {
  switch (filter) {
    case 0:
      return true;
    case 1:
      for (let i = step; i < length; i++) b[at + i]! += b[at + i - step]!;
      return true;
    case 2:
      if (up >= 0) for (let i = 0; i < length; i++) b[at + i]! += b[up + i]!;
      return true;
    case 3:
      for (let i = 0; i < length; i++) {
        const left = i < step ? 0 : b[at + i - step]!;
        b[at + i]! += (left + (up < 0 ? 0 : b[up + i]!)) >> 1;
      }
      return true;
    case 4:
      for (let i = 0; i < length; i++) {
        const left = i < step ? 0 : b[at + i - step]!;
        const above = up < 0 ? 0 : b[up + i]!;
        b[at + i]! += paeth(left, above, i < step || up < 0 ? 0 : b[up + i - step]!);
      }
      return true;
    default:
      return false;
  }
}

/** The neighbour nearest to `left + above - corner`; ties go to left, then above. */
function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}
