import { inCache, repoCacheFiles } from '../cache/in-cache.ts';
import { HubNotFoundError, HubOfflineError } from '../errors.ts';
import { filesOnHub } from '../hub-lists.ts';
import { checkPath, isCommit, type ModelId } from '../names.ts';
import { fs, isNode, path } from '../node.ts';
import { cachedFile } from '../resolve-file.ts';
import type { HubSettings } from '../settings.ts';
import { webFile } from '../web/web-file.ts';

/** The files of a model, wherever they are. */
export interface ModelStore {
  /** In messages. */
  readonly name: string;
  /** The commit, once a file has told it; undefined for folders. */
  readonly commit: string | undefined;
  /** Whether it only has what was downloaded before. */
  readonly offline: boolean;
  /** A file as a path or its contents; undefined if there is none. At most so many bytes are downloaded. */
  get(file: string, largest?: number): Promise<string | Blob | undefined>;
  /** Whether a file is here without a request. */
  has(file: string): Promise<boolean>;
  /** Names of the files at the top. */
  list(): Promise<string[]>;
}

/** The files of a folder. */
export function folderStore(folder: string): ModelStore {
  const { join, basename, resolve } = path();
  const has = async (file: string) =>
    (
      await fs()
        .stat(join(folder, file))
        .catch(() => undefined)
    )?.isFile() === true;
  return {
    name: basename(resolve(folder)),
    commit: undefined,
    offline: false,
    has,
    get: async (file) => ((await has(file)) ? join(folder, file) : undefined),
    list: () => fs().readdir(folder),
  };
}

/** The files of a model on a hub, downloaded as they are asked for. The first one fixes the commit of the others. */
export function hubStore(settings: HubSettings, { repo, revision }: ModelId): ModelStore {
  let commit = isCommit(revision) ? revision : undefined;
  const idOf = (file: string) => ({ repo, path: checkPath(file), revision: commit ?? revision });
  return {
    name: repo,
    offline: settings.offline,
    get commit() {
      return commit;
    },
    async get(file, largest) {
      try {
        const found = isNode()
          ? await cachedFile(settings, idOf(file), largest)
          : await webFile(settings, idOf(file), largest);
        commit = found.commit;
        return 'file' in found ? found.file : found.content;
      } catch (error) {
        if (error instanceof HubOfflineError) return undefined;
        if (error instanceof HubNotFoundError && /file|unknown/.test(error.missing)) return undefined;
        throw error;
      }
    },
    async has(file) {
      return isNode() && commit !== undefined && (await inCache(settings, idOf(file))) !== undefined;
    },
    async list() {
      if (settings.offline) return isNode() ? repoCacheFiles(settings, idOf('x')) : [];
      return filesOnHub(settings, { repo, revision: commit ?? revision });
    },
  };
}
