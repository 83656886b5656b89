/** A module of Node without an import, so that bundlers for browsers find nothing to resolve; undefined elsewhere. */
export function nodeModule<T>(id: string): T | undefined {
  const node = (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }).process;
  return node?.getBuiltinModule?.(id) as T | undefined;
}
