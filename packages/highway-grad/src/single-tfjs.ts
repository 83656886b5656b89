import * as tf from '@tensorflow/tfjs-core';
import { DuplicateTfjsError } from './errors.ts';

/** The platform that tfjs had at the last check. Every copy of tfjs-core that gets loaded sets one of its own. */
let checkedPlatform: object | undefined;

/**
 * Checks that only one copy of tfjs-core is loaded, and that a tensor or variable is of that copy.
 *
 * Two copies in one process share the engine and the kernels but not their classes and operations: results are then
 * wrong in ways that are hard to trace (tfjs #7641). Found are: a tensor of another copy's class; under Node, another
 * copy's file among the loaded modules; elsewhere, a copy that was loaded after the first check.
 *
 * @throws {@link DuplicateTfjsError} that names the copies, with their files under Node.
 */
export function assertSingleTfjs(tensor: tf.Tensor): void {
  const ours = Object.prototype.isPrototypeOf.call(tf.Tensor.prototype, tensor);
  // instanceof looks for the methods of a tensor only. What is no tensor at all is left to the operation's own check
  if (!ours && tensor instanceof tf.Tensor) throw duplicate('a tensor of another copy');
  const { platform } = tf.env();
  if (platform === checkedPlatform) return;
  if (loadedCopies().length > 1) throw duplicate('tensors of one copy, operations of both');
  if (checkedPlatform && sameNameOfAnotherCopy(checkedPlatform, platform)) throw duplicate('a second copy');
  checkedPlatform = platform;
}

function sameNameOfAnotherCopy(a: object, b: object): boolean {
  return a.constructor !== b.constructor && a.constructor.name === b.constructor.name;
}

function duplicate(received: string): DuplicateTfjsError {
  const files = loadedCopies();
  return new DuplicateTfjsError({
    what: 'two copies of @tensorflow/tfjs-core are loaded in this process',
    expected: `the copy that e3va imports (version ${tf.version_core}) alone`,
    received: files.length > 1 ? `${received}; loaded are ${files.join(' and ')}` : received,
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
