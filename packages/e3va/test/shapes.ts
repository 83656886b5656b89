import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

/** Names of the classes of {@link writeShapes}; the last one is hostile on purpose. */
export const shapeClasses = ['ground', 'disc', '</script><img src=x onerror=alert(1)>'];

/**
 * Writes a data folder of drawn scenes: `count` images of size × size with a disc and a bar on noisy ground, their masks
 * (255 on a border column), in images/ and masks/, train and val.
 */
export async function writeShapes(dir: string, count = 24, size = 64): Promise<string> {
  const random = generator(count * 1000 + size);
  for (const split of ['train', 'val']) {
    for (const kind of ['images', 'masks']) mkdirSync(join(dir, kind, split), { recursive: true });
  }
  writeFileSync(join(dir, 'classes.json'), JSON.stringify(shapeClasses));
  for (let i = 0; i < count; i++) {
    const split = i % 4 === 3 ? 'val' : 'train';
    const { pixels, labels } = scene(size, random);
    const raw = { width: size, height: size };
    const name = `scene-${String(i).padStart(3, '0')}.png`;
    await sharp(pixels, { raw: { ...raw, channels: 3 } })
      .png()
      .toFile(join(dir, 'images', split, name));
    const mask = sharp(labels, { raw: { ...raw, channels: 1 } }).toColourspace('b-w');
    await mask.png().toFile(join(dir, 'masks', split, name));
  }
  return dir;
}

function scene(size: number, random: () => number): { pixels: Uint8Array; labels: Uint8Array } {
  const pixels = new Uint8Array(size * size * 3);
  const labels = new Uint8Array(size * size);
  const [cx, cy, r] = [
    size * (0.3 + 0.4 * random()),
    size * (0.3 + 0.4 * random()),
    size * (0.15 + 0.1 * random()),
  ];
  const bar = Math.floor(size * 0.8 * random());
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const at = y * size + x;
      const label = (x - cx) ** 2 + (y - cy) ** 2 < r * r ? 1 : x >= bar && x < bar + size * 0.15 ? 2 : 0;
      const color = [[90, 120, 80], [200, 60, 50], [40, 70, 210]][label]!; // biome-ignore format: one line
      for (let c = 0; c < 3; c++) pixels[3 * at + c] = color[c]! + 30 * random();
      labels[at] = x === size - 1 ? 255 : label;
    }
  }
  return { pixels, labels };
}

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
