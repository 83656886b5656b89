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
export { type ModelId, parseModelId } from './names.ts';
export { type ResolveFileOptions, resolveFile } from './resolve-file.ts';
export type { HubOptions, HubProgress } from './settings.ts';
