import { assertSingleTfjs, DuplicateTfjsError, E3vaError } from '@e3va/highway-grad';
import * as tfl from '@tensorflow/tfjs-layers';

/** What was given as a base model is none that can be adapted. */
export class BaseModelError extends E3vaError {}

/**
 * @throws {@link BaseModelError} unless a value is a LayersModel that is built.
 * @throws DuplicateTfjsError if it is one of another copy of tfjs.
 */
export function checkBase(base: unknown): asserts base is tfl.LayersModel {
  const { layers } = (base ?? {}) as Partial<tfl.LayersModel>;
  if (!Array.isArray(layers)) {
    throw new BaseModelError({
      what: 'this is no LayersModel',
      expected: 'a model of tf.model(), tf.sequential() or tf.loadLayersModel()',
      received: describe(base),
      fix: 'a GraphModel has no layers: convert the Keras model with --output_format=tfjs_layers_model instead',
    });
  }
  if (!(base instanceof tfl.LayersModel)) {
    throw new DuplicateTfjsError({
      what: 'the base model was made by another copy of @tensorflow/tfjs-layers',
      expected: `a model of the copy that e3va imports (version ${tfl.version_layers})`,
      received: `a ${describe(base)} of another copy`,
      fix: "install one version only ('npm ls @tensorflow/tfjs-layers' shows who asks for which, 'npm dedupe' joins them)",
    });
  }
  if (!base.outputs?.length) {
    throw new BaseModelError({
      what: `model '${base.name}' has no outputs yet`,
      fix: 'give the first layer of tf.sequential() an inputShape, and add layers before adapt()',
    });
  }
  for (const weight of base.weights.slice(0, 1)) assertSingleTfjs(weight.read());
}

const describe = (value: unknown) =>
  value !== null && typeof value === 'object' ? value.constructor?.name || 'object' : String(value);
