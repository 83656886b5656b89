import { AdapterFileError, type AdapterMetadata } from './adapter-file.ts';
import type { Method } from './methods/method.ts';
import { methodFromConfig } from './methods/method-registry.ts';
import type { Variant } from './variant.ts';

/** Options that only say how an adapter is trained, or which layers it stands on, which its tensors' names say already. */
const notCompared = new Set([
  ...['seed', 'init', 'dropout', 'orthogonal', 'savedTaps', 'transition'],
  ...['taps', 'targets', 'after', 'branches', 'layers', 'weights', 'alsoTrain'],
]);

/** The method of an adapter file, with the file's options. */
export function methodOf({ method, taps }: AdapterMetadata): Method {
  const { name, config } = method;
  // what a function chose cannot be read again; which layers it chose stands in the file
  const chosen = Object.values(taps).flat();
  return methodFromConfig(name, config.taps === '(predicate)' ? { ...config, taps: chosen } : config);
}

/**
 * @throws {@link AdapterFileError} if an adapter file's method or options, as far as they change what an adapter computes,
 * are not those of a variant.
 */
export function checkMethod({ method, split }: Variant, metadata: AdapterMetadata): void {
  if (metadata.method.name !== method.name) {
    throw new AdapterFileError({
      what: 'the adapter is of another method',
      expected: method.name,
      received: metadata.method.name,
      fix: "add it beside the active one: loadAdapter(source, { name: 'other' })",
    });
  }
  const theirs = methodOf(metadata).config;
  const differing = [...new Set([...Object.keys(method.config), ...Object.keys(theirs)])].filter(
    (key) => !notCompared.has(key) && JSON.stringify(method.config[key]) !== JSON.stringify(theirs[key]),
  );
  const own = JSON.stringify([...split.taps.values()].flat());
  const tapsDiffer = own !== JSON.stringify(Object.values(metadata.taps).flat());
  if (differing.length === 0 && !tapsDiffer) return;
  const show = (config: Record<string, unknown>) =>
    differing.map((key) => `${key} ${JSON.stringify(config[key])}`).join(', ') || 'its own taps';
  throw new AdapterFileError({
    what: 'the adapter was trained with other options',
    expected: show(method.config),
    received: show(theirs),
    fix: "add it beside the active one, with its own options: loadAdapter(source, { name: 'other' })",
  });
}
