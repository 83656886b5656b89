export { type CardHeader, cardHeader, cardText } from './adapters/model-card.ts';
export { type PullAdapterOptions, pullAdapter } from './adapters/pull-adapter.ts';
export { type PushAdapterOptions, pushAdapter } from './adapters/push-adapter.ts';
export { type Pushed, type PushFilesOptions, type PushOptions, pushFiles } from './adapters/push-files.ts';
export {
  HubAccessError,
  HubCacheError,
  HubDiskError,
  HubError,
  HubIntegrityError,
  type HubMissing,
  HubModelError,
  HubNameError,
  HubNotFoundError,
  HubOfflineError,
  HubResponseError,
  HubSettingError,
  HubStallError,
  HubUnavailableError,
} from './errors.ts';
export { type ModelFiles, type OpenModelOptions, openModel, withModel } from './model/open-model.ts';
export { type ModelId, parseModelId } from './names.ts';
export { type ResolveFileOptions, resolveFile } from './resolve-file.ts';
export type { HubOptions, HubProgress } from './settings.ts';
