import * as tf from '@tensorflow/tfjs-core';
import { DuplicateTfjsError } from './errors.ts';

/**
 * Checks that a tensor or variable was made by the copy of tfjs-core that e3va uses.
 *
 * Two copies in one process share the engine but not their classes, kernels and gradients: results are then wrong
 * in ways that are hard to trace (tfjs #7641).
 *
 * @throws {@link DuplicateTfjsError} that names the copies, with their files under Node.
 */
export function assertSingleTfjs(tensor: tf.Tensor): void {
  if (tensor.constructor === tf.Tensor || tensor.constructor === tf.Variable) return;
  if (!(tensor instanceof tf.Tensor)) return; // not a tensor at all: the operation's own check names it
  const files = loadedCopies();
  throw new DuplicateTfjsError({
    what: 'two copies of @tensorflow/tfjs-core are loaded in this process',
    expected: `tensors of the copy that e3va imports (version ${tf.version_core})`,
    received:
      files.length > 1
        ? `tensors of another copy; loaded are ${files.join(' and ')}`
        : 'tensors of another copy',
    fix: "install one version only ('npm ls @tensorflow/tfjs-core' shows who asks for which, 'npm dedupe' joins them)",
  });
}

/** The files of the tfjs-core copies that Node has loaded; none in a browser. */
function loadedCopies(): string[] {
  const builtin = (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }).process
    ?.getBuiltinModule;
  const cache = (builtin?.('node:module') as { _cache?: Record<string, unknown> } | undefined)?._cache ?? {};
  return Object.keys(cache).filter((file) => /tfjs-core[\\/]dist[\\/]tf-core\.node(\.min)?\.js$/.test(file));
}
