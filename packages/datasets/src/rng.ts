/** A source of random numbers. */
export interface Rng {
  /** A number from 0 (inclusive) to 1 (exclusive), a multiple of 2⁻³². */
  next(): number;
  /** A number from `low` (inclusive) to `high` (exclusive). */
  uniform(low: number, high: number): number;
  /** An integer from 0 to `count - 1`. */
  integer(count: number): number;
  /** `true` with the given probability. */
  chance(probability: number): boolean;
}

/**
 * The random numbers of one sample in one epoch: a xoshiro128** generator whose state is a hash of the three numbers.
 *
 * Nothing is carried from sample to sample. So sample 17 of epoch 3 meets the same augmentation whether a run came
 * there from the start or was resumed just before, and whatever order the samples were decoded in.
 *
 * @param seed Seed of the run, an integer.
 * @param epoch Number of the pass over the data.
 * @param index Index of the sample in its split.
 *
 * @example
 * ```ts
 * import { rng } from '@e3va/datasets';
 *
 * const a = rng(7, 0, 12);
 * const b = rng(7, 0, 12);
 * console.log(a.next() === b.next()); // true
 * ```
 */
export function rng(seed: number, epoch: number, index: number): Rng {
  const state = stateOf([seed, epoch, index]);
  const next = () => xoshiro(state) / 4294967296;
  return {
    next,
    uniform: (low, high) => low + (high - low) * next(),
    integer: (count) => Math.floor(next() * count),
    chance: (probability) => next() < probability,
  };
}

/**
 * The order of one epoch: a permutation of `0..length-1` that depends on seed and epoch alone.
 *
 * @param length Number of samples.
 */
export function shuffledOrder(length: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  return shuffle(order, rng(seed, epoch, -1)); // -1 is no sample's index
}

/** Puts numbers into a random order, in place (Fisher and Yates). */
export function shuffle(order: Uint32Array, random: Rng): Uint32Array {
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const moved = order[i]!;
    order[i] = order[j]!;
    order[j] = moved;
  }
  return order;
}

/** A 32-bit hash of a text, for choices that depend on names. */
export function hashText(text: string, seed: number): number {
  let hash = mix(seed | 0);
  for (let i = 0; i < text.length; i++) hash = mix(hash ^ text.charCodeAt(i));
  return hash;
}

/** Four 32-bit words of state out of integers of up to 53 bits. */
function stateOf(numbers: number[]): Uint32Array {
  let hash = 0;
  for (const n of numbers) {
    hash = mix(hash ^ (n | 0));
    hash = mix(hash ^ Math.floor(n / 4294967296));
  }
  const state = new Uint32Array(4);
  for (let i = 0; i < 4; i++) {
    hash = (hash + 0x9e3779b9) >>> 0;
    state[i] = mix(hash);
  }
  return state;
}

/** A bijection of 32-bit integers that spreads every bit over all others (MurmurHash3's finaliser). */
function mix(value: number): number {
  let h = (value + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k));

/** One step of xoshiro128** (Blackman and Vigna): a 32-bit number; `state` moves on. */
function xoshiro(state: Uint32Array): number {
  const s1 = state[1]!;
  const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
  state[2]! ^= state[0]!;
  state[3]! ^= s1;
  state[1]! ^= state[2]!;
  state[0]! ^= state[3]!;
  state[2]! ^= s1 << 9;
  state[3] = rotate(state[3]!, 11);
  return result;
}
