/** Random numbers from a seed: a linear congruential generator, mixed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x45d9f3b) >>> 0;
    return ((mixed ^ (mixed >>> 15)) >>> 0) % below;
  };
}

const lies = [
  0n,
  1n,
  255n,
  2n ** 15n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** A damaged copy: bits flipped, bytes set, pieces moved, left out or taken from another file, lengths that lie, cut or padded. */
export function mutated(bytes: Uint8Array, other: Uint8Array, random: (below: number) => number): Uint8Array {
  let copy = new Uint8Array(bytes);
  for (let n = 1 + random(4); n > 0; n--) copy = once(copy, other, random);
  return copy;
}

function once(
  bytes: Uint8Array,
  other: Uint8Array,
  random: (below: number) => number,
): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return new Uint8Array(random(20));
  const at = random(bytes.length);
  const size = random(Math.min(40, bytes.length - at) + 1);
  const copy = new Uint8Array(bytes);
  switch (random(9)) {
    case 0:
    case 1:
      copy[at]! ^= 1 << random(8);
      return copy;
    case 2:
      copy[at] = random(256);
      return copy;
    case 3: {
      const lie = lies[random(lies.length)]!;
      const width = [1, 2, 4, 8][random(4)]!;
      for (let i = 0; i < width && at + i < copy.length; i++)
        copy[at + i] = Number((lie >> BigInt(8 * i)) & 255n);
      return copy;
    }
    case 4:
      return copy.slice(0, at);
    case 5:
      return joined(copy, new Uint8Array(1 + random(300)).fill(random(256)));
    case 6:
      return joined(copy.subarray(0, at), copy.subarray(at + size)); // a piece is left out
    case 7:
      return joined(copy.subarray(0, at), copy.subarray(random(at + 1)).subarray(0, size), copy.subarray(at)); // or comes twice
    default: {
      const from = random(other.length);
      copy.set(other.subarray(from, from + Math.min(size, copy.length - at)), at);
      return copy;
    }
  }
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
