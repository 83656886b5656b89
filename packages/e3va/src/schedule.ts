/** What the learning rate does over a training run. */
export interface Schedule {
  /** Steps of the whole run. */
  steps: number;
  /** Steps over which the rate rises linearly from nearly zero; 0 for none. */
  warmupSteps?: number;
  /** After (and during) the rise: polynomial decay to zero, drops at milestones, or no change. */
  policy?: 'poly' | 'step' | 'constant';
  /** Exponent of the polynomial decay. */
  power?: number;
  /** Steps at which the rate is multiplied by `gamma`. */
  milestones?: readonly number[];
  /** Factor of each drop of the step policy. */
  gamma?: number;
}

/** Linear rise: `(step + 1) / warmupSteps`, at most 1. `step` counts from 0. */
export function warmup(step: number, warmupSteps: number): number {
  return warmupSteps > 0 ? Math.min(1, (step + 1) / warmupSteps) : 1;
}

/** Polynomial decay: `(1 - step / steps) ^ power`, 0 from `steps` on. `step` counts from 0. */
export function poly(step: number, steps: number, power = 0.9): number {
  return Math.max(0, 1 - step / steps) ** power;
}

/** Drops: `gamma` to the number of milestones at or before `step`. */
export function stepDecay(step: number, milestones: readonly number[], gamma = 0.1): number {
  return gamma ** milestones.filter((m) => step >= m).length;
}

/**
 * The factor by which the base learning rate is multiplied at `step` (from 0): warm-up times policy.
 *
 * Source: the polynomial policy is that of DeepLab (arXiv 1606.00915), power 0.9, as segmentation code uses it.
 *
 * @example
 * ```ts
 * import { learningRateFactor } from 'e3va';
 *
 * const schedule = { steps: 800, warmupSteps: 20, policy: 'poly' as const, power: 0.9 };
 * console.log(learningRateFactor(0, schedule)); // 0.05
 * ```
 */
export function learningRateFactor(step: number, schedule: Schedule): number {
  const rise = warmup(step, schedule.warmupSteps ?? 0);
  switch (schedule.policy ?? 'poly') {
    case 'poly':
      return rise * poly(step, schedule.steps, schedule.power ?? 0.9);
    case 'step':
      return rise * stepDecay(step, schedule.milestones ?? [], schedule.gamma ?? 0.1);
    case 'constant':
      return rise;
  }
}
