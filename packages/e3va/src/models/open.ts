import { type ModelFiles, type OpenModelOptions, withModel } from '@e3va/hub';
import { hubIdOf } from './catalogue.ts';

/** How far the download of a file is. */
export type DownloadProgress = NonNullable<OpenModelOptions['onProgress']>;

/** What the command line sets to show downloads; a library call shows nothing. */
export const downloads: { onProgress?: DownloadProgress } = {};

/** What the log says where a trained head has another number of classes than the data. */
export function otherClasses(source: string, trained: number, classes: number): string {
  return `${source} has ${trained} classes and the data ${classes}: what depends on the classes starts anew`;
}

/**
 * Opens a pretrained model by its name in the catalogue, a model id, a folder or a file, and closes it after use.
 *
 * @param source As {@link openModel} takes it (`org/name@revision` for a branch, tag or commit), or a name of {@link models}.
 */
export async function withModelFiles<T>(source: string, use: (files: ModelFiles) => Promise<T>): Promise<T> {
  return withModel(hubIdOf(source), downloads, use);
}
