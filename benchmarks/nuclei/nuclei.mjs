// Instance segmentation of cell nuclei: 58 training and 22 validation images.
//
//   npm run bench -- nuclei --data=DIR [--runs=DIR] [--backend=wasm]
import { accuracy } from '../lib/accuracy.mjs';

const set = {
  name: 'nuclei',
  data: 'the nuclei of the 2018 Data Science Bowl in COCO form',
  what: '58 training and 22 validation images of cell nuclei, Mask R-CNN light on Swin-Nano',
  recipe: 'mask-rcnn-nano',
  steps: 300,
  seeds: [1],
  methods: { e3va: {} },
  scores: ['mask AP', 'mask AP50', 'box AP', 'box AP50'],
};

export default (args) => accuracy(set, args);
