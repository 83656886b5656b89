/**
 * The pixels that each bin along one axis averages: bin i reads `pixels[e]` by `weights[e]` for e from `starts[i]` up to
 * `starts[i + 1]`.
 */
export interface AxisBins {
  starts: number[];
  pixels: number[];
  weights: number[];
}

/** How one axis of a map is divided and sampled. */
export interface AxisSampling {
  /** Number of bins. */
  bins: number;
  /** Number of pixels of the map. */
  length: number;
  /** Samples in a bin; 0 or less: the bin's size rounded up. */
  samplingRatio: number;
  /** Whether pixel i has its centre at i + 0.5; otherwise at i, and an interval spans at least one pixel. */
  aligned: boolean;
}

/**
 * RoIAlign along one axis: the interval is divided into bins, each bin is the mean of samples at equal distances, and a
 * sample is interpolated between two pixels. Bilinear sampling of boxes is the product of both axes.
 *
 * A sample more than one pixel outside the map counts as 0, one at its border takes the border pixel. An interval that is
 * not finite gives empty bins.
 *
 * @param from Start of the interval in pixels of the map.
 * @param to Its end.
 */
export function axisBins(
  from: number,
  to: number,
  { bins, length, samplingRatio, aligned }: AxisSampling,
): AxisBins {
  const start = aligned ? from - 0.5 : from;
  const size = (aligned ? to - from : Math.max(to - from, 1)) / bins;
  const samples = samplingRatio > 0 ? samplingRatio : Math.ceil(size);
  const result: AxisBins = { starts: [0], pixels: [], weights: [] };
  for (let bin = 0; bin < bins; bin++) {
    if (Number.isFinite(start + size)) addBin(result, start + bin * size, size, samples, length);
    result.starts.push(result.pixels.length);
  }
  return result;
}

function addBin(
  { starts, pixels, weights }: AxisBins,
  start: number,
  size: number,
  samples: number,
  length: number,
) {
  const first = starts.at(-1)!;
  const add = (pixel: number, weight: number) => {
    if (weight === 0) return;
    const known = pixels.indexOf(pixel, first);
    if (known >= 0) weights[known]! += weight;
    else weights[pixels.push(pixel) - 1] = weight;
  };
  const [begin, end] = inside(start, size / samples, samples, length);
  for (let i = begin; i < end; i++) {
    const sample = start + ((i + 0.5) * size) / samples;
    if (sample < -1 || sample > length) continue;
    const at = Math.min(length - 1, Math.max(0, sample));
    const low = Math.floor(at);
    add(low, (1 - (at - low)) / samples);
    add(low + 1, (at - low) / samples);
  }
}

/** A range that holds every sample within one pixel of the map: a box far larger than it costs no more than the map. */
function inside(start: number, step: number, samples: number, length: number): [begin: number, end: number] {
  if (!(step > 0)) return [0, samples]; // samples of an inverted interval are as many as asked for, or none
  const begin = Math.floor((-1 - start) / step) - 1;
  const end = Math.ceil((length - start) / step) + 1;
  return [Math.max(0, begin), Math.min(samples, end)];
}
