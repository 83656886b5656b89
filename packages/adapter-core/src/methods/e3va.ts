import { E3vaError } from '@e3va/highway-grad';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { findTaps, type LayerPattern } from '../taps.ts';
import type { E3vaConfig, E3vaOptions } from './e3va-config.ts';
import { inherit } from './inherit.ts';
import type { Method } from './method.ts';
import { poolProject } from './pool-project.ts';

/** An option of a method has a value that it cannot have. */
export class MethodOptionError extends E3vaError {}

/**
 * The method E³VA: adapters stand on a gradient highway parallel to the base, read its activations at the taps, and
 * never send a gradient into it.
 *
 * Each adapter is `E(u) = u + W_U gelu(W_D u + b_D) + b_U` with hidden width C/2 and low-rank W_D and W_U. The
 * highway's stream starts as the base's own activation in front of the first tap, adds each tap's E(u), and gives
 * the pyramid through the (trainable) out-norms.
 *
 * Source: arXiv 2306.09729. The start of the stream, the rank and the wiring of the norms are our reading of it.
 *
 * @throws {@link MethodOptionError} for a rank, alpha or beta that is no positive whole number.
 *
 * @example
 * ```ts
 * import { e3va } from '@e3va/adapter-core';
 *
 * const method = e3va({ rank: 8 });
 * console.log(method.name, method.config.form, method.config.rank); // e3va pq 8
 * ```
 */
export function e3va(options: E3vaOptions = {}): Method {
  const { taps: pattern = /\.(attn|mlp)$/, ...rest } = options;
  const config: E3vaConfig = {
    transition: 'inherit',
    form: 'pq',
    rank: 16,
    alpha: 2,
    beta: 8,
    outNorms: 'trainable',
    init: 'zero',
    seed: 0,
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
  };
  checkOptions(config);
  return {
    name: 'e3va',
    config: { ...config, ...(options.taps && { taps: describe(pattern) }) },
    split: (base: LayersModel) => {
      const taps = findTaps(base, pattern);
      return config.transition === 'inherit' ? inherit(base, taps, config) : poolProject(base, taps, config);
    },
  };
}

function checkOptions(config: E3vaConfig): void {
  for (const key of ['rank', 'alpha', 'beta'] as const) {
    if (Number.isInteger(config[key]) && config[key] > 0) continue;
    throw new MethodOptionError({
      what: `e3va: '${key}' must be a positive whole number`,
      received: String(config[key]),
      fix: 'usual are rank 4, 8, 16 or 32, alpha 2 and beta 8',
    });
  }
  const choices = {
    transition: ['inherit', 'pool-project'],
    form: ['pq', 'pkq'],
    outNorms: ['trainable', 'frozen'],
    init: ['zero', 'kaiming'],
  };
  for (const [key, allowed] of Object.entries(choices)) {
    const value = String(config[key as keyof E3vaConfig]);
    if (allowed.includes(value)) continue;
    throw new MethodOptionError({
      what: `e3va: unknown '${key}'`,
      expected: allowed.join(' or '),
      received: value,
    });
  }
}

/** A pattern as JSON: for files and summaries. */
function describe(pattern: LayerPattern): string | string[] {
  if (typeof pattern === 'function') return '(predicate)';
  if (pattern instanceof RegExp) return String(pattern);
  return typeof pattern === 'string' ? pattern : [...pattern];
}
