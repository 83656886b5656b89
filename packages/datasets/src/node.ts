import { type NodeModules, requireNodeModule } from '@e3va/highway-grad';

/**
 * A module of Node itself.
 *
 * @throws NodeOnlyError outside Node.
 */
export function nodeModule<K extends keyof NodeModules>(id: K): NodeModules[K] {
  return requireNodeModule(id, 'in a browser decode images with createImageBitmap and pass the pixels on');
}

type SharpModule = typeof import('sharp');

/** The image library, loaded at first use. The name is passed as a value, so that bundlers leave it alone. */
export async function loadSharp(name = 'sharp'): Promise<SharpModule['default']> {
  const module: SharpModule = await import(/* @vite-ignore */ /* webpackIgnore: true */ name);
  return module.default;
}
