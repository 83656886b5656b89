import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rng } from '@e3va/datasets';
import sharp from 'sharp';

/** Names of the classes of {@link writeObjects}; the last one is hostile on purpose. */
export const objectClasses = ['disc', '</script><img src=x onerror=alert(1)>'];

/**
 * Writes a COCO data folder of drawn scenes: `count` images of width × height with one to three discs and squares on noisy
 * ground, with outlines, in train and val; the last image of each split is empty.
 */
export async function writeObjects(dir: string, count = 8, [height, width] = [96, 128]): Promise<string> {
  mkdirSync(join(dir, 'annotations'), { recursive: true });
  for (const [epoch, split] of ['train', 'val'].entries()) {
    mkdirSync(join(dir, split), { recursive: true });
    const categories = objectClasses.map((name, c) => ({ id: 10 * (c + 1), name }));
    const coco = { images: [] as object[], annotations: [] as object[], categories };
    for (let i = 0; i < count; i++) {
      const scene = drawScene(height!, width!, i === count - 1 ? 0 : 1 + (i % 3), rng(5, epoch, i).next);
      const name = `scene-${i}.png`;
      const raw = { width: width!, height: height!, channels: 3 as const };
      await sharp(scene.pixels, { raw })
        .png()
        .toFile(join(dir, split, name));
      coco.images.push({ id: i + 1, file_name: name, width, height });
      for (const { label, outline, bbox } of scene.objects) {
        coco.annotations.push({
          id: coco.annotations.length + 1,
          image_id: i + 1,
          category_id: categories[label]!.id,
          bbox,
          area: bbox[2]! * bbox[3]!,
          iscrowd: 0,
          segmentation: [outline],
        });
      }
    }
    writeFileSync(join(dir, 'annotations', `instances_${split}.json`), JSON.stringify(coco));
  }
  return dir;
}

interface Drawn {
  label: number;
  bbox: number[];
  outline: number[];
}

/** Discs in one colour and squares in another, each in a third of the width of its own. */
function drawScene(height: number, width: number, count: number, random: () => number) {
  const pixels = new Uint8Array(height * width * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = 90 + 40 * random();
  const objects: Drawn[] = [];
  for (let n = 0; n < count; n++) {
    const label = random() < 0.5 ? 0 : 1;
    const radius = 9 + 6 * random();
    const [cx, cy] = [(width * (n + 0.5)) / 3, radius + 2 + (height - 2 * radius - 4) * random()];
    const inside = (x: number, y: number) =>
      label === 0
        ? Math.hypot(x - cx, y - cy) < radius
        : Math.max(Math.abs(x - cx), Math.abs(y - cy)) < radius;
    const color = label === 0 ? [220, 60, 50] : [40, 80, 230];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (inside(x + 0.5, y + 0.5)) pixels.set(color, 3 * (y * width + x));
      }
    }
    const corners = label === 0 ? 24 : 4;
    const reach = label === 0 ? radius : radius * Math.SQRT2;
    const outline = Array.from({ length: corners }, (_, k) => {
      const angle = (2 * Math.PI * (k + 0.5)) / corners;
      return [cx + reach * Math.cos(angle), cy + reach * Math.sin(angle)];
    }).flat();
    objects.push({ label, bbox: [cx - radius, cy - radius, 2 * radius, 2 * radius], outline });
  }
  return { pixels, objects };
}
