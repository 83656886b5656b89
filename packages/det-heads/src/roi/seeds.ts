/** The seeds of a head's random layers, one after the other. */
export interface HeadSeeds {
  /** `{ seed }` for the next layer, or `{}` where the head has none. */
  next(): { seed?: number };
}

/** Seeds derived from that of a head, distinct for each of its layers. */
export function seedsOf(seed: number | undefined): HeadSeeds {
  let drawn = 0;
  return {
    next() {
      drawn++;
      return seed === undefined ? {} : { seed: seed * 1000 + drawn }; // never 0, which tfjs takes for no seed
    },
  };
}
