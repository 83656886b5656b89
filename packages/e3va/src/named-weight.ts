import type { LayerVariable } from '@tensorflow/tfjs-layers';

/** A weight of a model under a name that is the same in every process. */
export interface NamedWeight {
  /** `adapter/…`, or the name of a head such as `head/…` or `aux/…`, then layer and weight. */
  key: string;
  /** Whether it belongs to the adapted backbone or to a head. */
  part: 'adapter' | 'head';
  variable: LayerVariable;
}

/** Names the weights of one part; a name that occurs again gets a number. */
export function namedWeights(
  prefix: string,
  weights: readonly LayerVariable[],
  part: NamedWeight['part'] = 'head',
): NamedWeight[] {
  const seen = new Map<string, number>();
  return weights.map((variable) => {
    const name = `${prefix}/${variable.originalName}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return { key: count === 1 ? name : `${name}#${count}`, part, variable };
  });
}
