import type * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';

/** A model saved and loaded again, its topology by way of JSON as in a file. */
export async function reload(saved: LayersModel): Promise<LayersModel> {
  let kept: tf.io.ModelArtifacts | undefined;
  await saved.save({
    save: async (artifacts) => {
      kept = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  });
  const { weightData, ...rest } = kept!;
  return loadLayersModel({ load: async () => ({ ...JSON.parse(JSON.stringify(rest)), weightData }) });
}
