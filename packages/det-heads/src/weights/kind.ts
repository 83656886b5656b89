import type { Detector } from '../detection.ts';
import type { DetectorNames } from './naming.ts';

/** The detectors whose checkpoints can be read. */
export type DetectorKind = 'retinanet' | 'faster-rcnn' | 'mask-rcnn' | 'cascade-rcnn' | 'cascade-mask-rcnn';

/** A layer that tells of a part of a detector. */
const telling = {
  head: 'head.class.logits',
  rpn: 'rpn.class',
  boxHead: 'boxHead.cls',
  boxHead0: 'boxHead.0.cls',
  maskHead: 'maskHead.logits',
  maskHead0: 'maskHead.0.logits',
} as const;

const kinds: Record<string, DetectorKind> = {
  head: 'retinanet',
  'rpn, boxHead': 'faster-rcnn',
  'rpn, boxHead, maskHead': 'mask-rcnn',
  'rpn, boxHead0': 'cascade-rcnn',
  'rpn, boxHead0, maskHead0': 'cascade-mask-rcnn',
};

/** The kind of detector that a file holds, or one that was built: by its parts. */
export class Parts {
  private readonly names: string;

  private constructor(has: (part: keyof typeof telling) => boolean) {
    this.names = (Object.keys(telling) as (keyof typeof telling)[]).filter(has).join(', ');
  }

  static ofFile(names: DetectorNames): Parts {
    return new Parts((part) => names.has(telling[part]));
  }

  static ofDetector({ models }: Detector): Parts {
    return new Parts((part) => part in models);
  }

  /** Undefined unless it is one of those that there are. */
  get kind(): DetectorKind | undefined {
    return kinds[this.names];
  }

  /** In a message: the kind, else the parts. */
  toString(): string {
    return this.kind ?? (this.names === '' ? 'no head that is known' : `a detector of ${this.names}`);
  }
}
