// Detection of blood cells: 67 training and 29 validation images of BCCD.
//
//   npm run bench -- bccd --data=DIR [--runs=DIR] [--backend=wasm]
import { accuracy } from '../lib/accuracy.mjs';

const set = {
  name: 'bccd',
  data: 'BCCD in the VOC layout',
  what: '67 training and 29 validation images of BCCD, 3 classes of blood cells, RetinaNet light on Swin-Nano',
  recipe: 'retinanet-nano',
  steps: 600,
  seeds: [1],
  methods: { e3va: {}, frozen: {}, full: { 'train.optimizer.bodyLr': '3e-4' } },
  scores: ['box AP', 'box AP50', 'box AP75'],
};

export default (args) => accuracy(set, args);
