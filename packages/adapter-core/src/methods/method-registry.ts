import { e3va } from './e3va.ts';
import { frozen } from './frozen.ts';
import { full } from './full.ts';
import type { Method } from './method.ts';
import { patternFromJson } from './options.ts';
export function methodFromConfig(name: string, config: Record<string, unknown>): Method {
  const { taps, ...rest } = config as any;
  if (name === 'e3va') return e3va({ ...rest, ...(taps && { taps: patternFromJson(taps) }) });
  return name === 'full' ? full() : frozen(rest);
}
