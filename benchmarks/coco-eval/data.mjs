// Boxes as a detector finds them on a data set like COCO, from a seed: the same at every run.

/** Ground truth and detections in COCO's form; about seven objects an image, and exactly `perImage` detections. */
export function cocoLikeData({ images, perImage, classes, seed }) {
  const random = seeded(seed);
  const categories = Array.from({ length: classes }, (_, k) => ({ id: k + 1, name: `class ${k + 1}` }));
  const truth = { images: [], annotations: [], categories };
  const detections = [];
  for (let id = 1; id <= images; id++) {
    truth.images.push({ id, width: 640, height: 480 });
    const objects = Array.from({ length: Math.floor(15 * random()) }, () => randomBox(random));
    const labels = objects.map(() => 1 + Math.floor(classes * random() ** 2));
    objects.forEach((bbox, i) => {
      const area = bbox[2] * bbox[3];
      const iscrowd = random() < 0.01 ? 1 : 0;
      const object = { image_id: id, category_id: labels[i], bbox, area, iscrowd };
      truth.annotations.push({ id: truth.annotations.length + 1, ...object });
    });
    for (let d = 0; d < perImage; d++)
      detections.push({ image_id: id, ...detection(objects, labels, classes, random) });
  }
  return { truth, detections };
}

/** Two of three lie near an object, mostly of its class and with a higher score; the others lie anywhere. */
function detection(objects, labels, classes, random) {
  const anyClass = () => 1 + Math.floor(classes * random());
  if (objects.length === 0 || random() < 1 / 3) {
    return { category_id: anyClass(), bbox: randomBox(random), score: round(random() * 0.6) };
  }
  const i = Math.floor(objects.length * random());
  const [x, y, width, height] = objects[i];
  const shift = (side) => (random() + random() - 1) * 0.3 * side;
  const bbox = [x + shift(width), y + shift(height), width + shift(width), height + shift(height)].map(round);
  return { category_id: random() < 0.8 ? labels[i] : anyClass(), bbox, score: round(random()) };
}

function randomBox(random) {
  const side = (most) => 6 + (most - 6) * random() ** 3;
  const [width, height] = [side(500), side(400)];
  return [random() * (640 - width), random() * (480 - height), width, height].map(round);
}

/** Two decimals as in COCO's files, so scores are often equal. */
const round = (value) => Math.round(value * 100) / 100;

function seeded(seed) {
  let state = seed;
  return () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
}
