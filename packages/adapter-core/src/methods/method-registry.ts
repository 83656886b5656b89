import type { LayerPattern } from '../taps.ts';
import { adaptFormer } from './adapt-former.ts';
import { adapter } from './adapter.ts';
import { bitFit } from './bit-fit.ts';
import { e3va } from './e3va.ts';
import { frozen } from './frozen.ts';
import { full } from './full.ts';
import { loRand } from './lo-rand.ts';
import { lora } from './lora.ts';
import type { Method } from './method.ts';
import { mona } from './mona.ts';
import { norm } from './norm.ts';
import { MethodOptionError, patternFromJson } from './options.ts';
import { partial } from './partial.ts';

/** Every method by its name. */
const methods: Record<string, (options: object) => Method> = {
  ...{ e3va, lora, adapter, adaptFormer, loRand, mona, bitFit, norm, partial, frozen },
  full: () => full(),
};

/** Options that are patterns of names. */
const patterns = ['taps', 'targets', 'after', 'branches', 'layers', 'weights', 'alsoTrain'];

/**
 * A method from its name and its `config`, for instance from the metadata of an adapter file.
 *
 * @param config Options as plain JSON; a pattern that was a regular expression is a text such as `/attn$/`.
 * @throws {@link MethodOptionError} for an unknown name, or an option that the method refuses.
 *
 * @example
 * ```ts
 * import { lora, methodFromConfig } from '@e3va/adapter-core';
 *
 * const method = lora({ targets: /^fc/, rank: 4 });
 * const again = methodFromConfig(method.name, JSON.parse(JSON.stringify(method.config)));
 * console.log(again.config.targets, again.config.rank); // /^fc/ 4
 * ```
 */
export function methodFromConfig(name: string, config: Record<string, unknown>): Method {
  if (!Object.hasOwn(methods, name)) {
    throw new MethodOptionError({
      what: 'this method is not known',
      expected: Object.keys(methods).join(', '),
      received: name,
      fix: 'update @e3va/adapter-core, if the name is of a newer version',
    });
  }
  const options = Object.entries(config).map(([key, value]) => [
    key,
    patterns.includes(key) && value !== undefined ? patternFromJson(value as string | string[]) : value,
  ]) as [string, LayerPattern][];
  return methods[name]!(Object.fromEntries(options));
}
