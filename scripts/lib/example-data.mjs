// The files that the examples of the documentation find in their working folder:
//   photo.jpg                       a picture
//   my-photos/images/*.jpg          eight pictures: bright discs and boxes on a dark, noisy ground
//   my-photos/masks/*.png           their class indices: 0 ground, 1 disc, 2 box
//   my-photos/classes.txt           their names
//   my-shapes/                        the same pictures with a box around each shape, in YOLO form
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

const width = 96;
const height = 80;

/** Writes the files into `dir`, which is made if need be. The same at every call. */
export async function writeExampleData(dir) {
  const images = join(dir, 'my-photos', 'images');
  const masks = join(dir, 'my-photos', 'masks');
  mkdirSync(images, { recursive: true });
  mkdirSync(masks, { recursive: true });
  writeFileSync(join(dir, 'my-photos', 'classes.txt'), 'ground\ndisc\nbox\n');
  for (const kind of ['images', 'labels']) mkdirSync(join(dir, 'my-shapes', kind), { recursive: true });
  writeFileSync(join(dir, 'my-shapes', 'classes.txt'), 'disc\nbox\n');
  for (let index = 0; index < 8; index++) {
    const { rgb, mask } = scene(index);
    const name = `photo-${index}`;
    const picture = sharp(rgb, { raw: { width, height, channels: 3 } }).jpeg({ quality: 92 });
    await picture.toFile(join(images, `${name}.jpg`));
    await picture.clone().toFile(join(dir, 'my-shapes', 'images', `${name}.jpg`));
    writeFileSync(join(dir, 'my-shapes', 'labels', `${name}.txt`), boxes(mask));
    if (index === 0) await picture.clone().toFile(join(dir, 'photo.jpg'));
    await sharp(mask, { raw: { width, height, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toFile(join(masks, `${name}.png`));
  }
}

/** One scene: a disc and a box at places that follow from its number. */
function scene(number) {
  const rgb = Buffer.alloc(width * height * 3);
  const mask = Buffer.alloc(width * height);
  const [cx, cy, radius] = [20 + number * 5, 24 + number * 3, 12 + (number % 3) * 3];
  const [left, top] = [60 - number * 6, 50 - number * 4];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const inDisc = (x - cx) ** 2 + (y - cy) ** 2 < radius ** 2;
      const inBox = x >= left && x < left + 28 && y >= top && y < top + 20;
      const noise = (at * 7919 + number * 104729) % 37;
      mask[at] = inDisc ? 1 : inBox ? 2 : 0;
      const colour = [
        [30, 40, 60],
        [210, 90, 50],
        [80, 190, 210],
      ][mask[at]];
      for (let c = 0; c < 3; c++) rgb[at * 3 + c] = colour[c] + noise;
    }
  }
  return { rgb, mask };
}

/** YOLO lines: class, centre, width and height of each shape in fractions of the picture. */
function boxes(mask) {
  const lines = [1, 2].map((label) => {
    const [xs, ys] = [[], []];
    mask.forEach((value, at) => {
      if (value !== label) return;
      xs.push(at % width);
      ys.push(Math.floor(at / width));
    });
    if (xs.length === 0) return '';
    const [x1, x2] = [Math.min(...xs) / width, (Math.max(...xs) + 1) / width];
    const [y1, y2] = [Math.min(...ys) / height, (Math.max(...ys) + 1) / height];
    return `${label - 1} ${(x1 + x2) / 2} ${(y1 + y2) / 2} ${x2 - x1} ${y2 - y1}\n`;
  });
  return lines.join('');
}
