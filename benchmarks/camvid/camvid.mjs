// Segmentation of street scenes: 60 training and 30 validation images of CamVid.
//
//   npm run bench -- camvid --data=DIR [--runs=DIR] [--backend=wasm]
import { accuracy } from '../lib/accuracy.mjs';

const set = {
  name: 'camvid',
  data: 'CamVid in the SegNet layout',
  what: '60 training and 30 validation images of CamVid, 11 classes, crops of 256×320, whole-image evaluation; full fine-tuning at half the rate for the head and 3e-4 for the backbone',
  recipe: 'upernet-nano',
  steps: 800,
  seeds: [1, 2, 3],
  methods: { e3va: {}, frozen: {}, full: { 'train.optimizer.lr': '1e-3', 'train.optimizer.bodyLr': '3e-4' } },
  scores: ['mIoU', 'aAcc'],
};

export default (args) => accuracy(set, args);
