/**
 * The few protocol-buffer fields that an event file needs: varint, double, float, and bytes. Each function returns the
 * bytes of one field, its key included.
 */
export const field = {
  /** A non-negative integer up to 2^53. */
  varint: (number: number, value: number): Uint8Array => join([key(number, 0), varint(value)]),
  /** A 64-bit float. */
  double: (number: number, value: number): Uint8Array => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return join([key(number, 1), bytes]);
  },
  /** A 32-bit float. */
  float: (number: number, value: number): Uint8Array => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return join([key(number, 5), bytes]);
  },
  /** Bytes, a nested message, or text in UTF-8. */
  bytes: (number: number, value: Uint8Array | string): Uint8Array => {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    return join([key(number, 2), varint(bytes.length), bytes]);
  },
};

/** One array of all `parts` in order. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

function key(number: number, wireType: number): Uint8Array {
  return varint(number * 8 + wireType);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}
