import table from './memory.json' with { type: 'json' };

/** The methods whose memory was measured for every backbone. */
export type MeasuredMethod = 'e3va' | 'lora' | 'full';

const measured: Readonly<Record<string, Partial<Record<MeasuredMethod, number | 'over'>>>> =
  table.peakBytes as never;

/** What was measured: one training step of a backbone and its method, without a head. */
export const measuredImage: string = table.image;

/**
 * Peak of the data buffers of one training step of a backbone with a method, in bytes: weights, moments and what the step needs, on
 * the image of {@link measuredImage}; `'over'` if it exceeds the 4 GB that the wasm backend has. Undefined where it was not measured.
 */
export function memoryOf(model: string, method: MeasuredMethod): number | 'over' | undefined {
  return measured[model]?.[method];
}
