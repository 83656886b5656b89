import { type WeightFile, WeightsMismatchError } from '@e3va/weight-files';

/** Whose names the weights of a detector have in a file. */
export type DetectorNaming = 'mmdet' | 'torchvision';

/** From a layer, written `model.layer`, with the stage of a cascade as `model.stage.layer`, to its module in a file. */
type Rule = readonly [layer: RegExp, modules: string | ((...groups: string[]) => string[])];

const rules: Record<DetectorNaming, readonly Rule[]> = {
  mmdet: [
    [/^neck\.lateral\.(\d+)$/, 'neck.lateral_convs.$1.conv'],
    [/^neck\.output\.(\d+)$/, 'neck.fpn_convs.$1.conv'],
    [/^head\.class\.convs\.(\d+)$/, 'bbox_head.cls_convs.$1.conv'],
    [/^head\.box\.convs\.(\d+)$/, 'bbox_head.reg_convs.$1.conv'],
    [/^head\.class\.logits$/, 'bbox_head.retina_cls'],
    [/^head\.box\.deltas$/, 'bbox_head.retina_reg'],
    [/^rpn\.conv$/, 'rpn_head.rpn_conv'],
    [/^rpn\.class$/, 'rpn_head.rpn_cls'],
    [/^rpn\.box$/, 'rpn_head.rpn_reg'],
    [/^boxHead(\.\d+)?\.convs\.(\d+)\.conv$/, 'roi_head.bbox_head$1.shared_convs.$2.conv'],
    [/^boxHead(\.\d+)?\.convs\.(\d+)\.norm$/, 'roi_head.bbox_head$1.shared_convs.$2.bn'],
    [/^boxHead(\.\d+)?\.dense\.(\d+)$/, 'roi_head.bbox_head$1.shared_fcs.$2'],
    [/^boxHead(\.\d+)?\.(cls|reg)$/, 'roi_head.bbox_head$1.fc_$2'],
    [/^maskHead(\.\d+)?\.convs\.(\d+)$/, 'roi_head.mask_head$1.convs.$2.conv'],
    [/^maskHead(\.\d+)?\.up$/, 'roi_head.mask_head$1.upsample'],
    [/^maskHead(\.\d+)?\.logits$/, 'roi_head.mask_head$1.conv_logits'],
  ],
  // where there are two, the second is that of torchvision before 0.13
  torchvision: [
    [/^neck\.lateral\.(\d+)$/, (i) => both(`backbone.fpn.inner_blocks.${i}`)],
    [/^neck\.output\.(\d+)$/, (i) => both(`backbone.fpn.layer_blocks.${i}`)],
    [/^neck\.extra\.(\d+)$/, (i) => [`backbone.fpn.extra_blocks.p${6 + Number(i)}`]],
    [/^head\.class\.convs\.(\d+)$/, (i) => sequence('head.classification_head', i!)],
    [/^head\.box\.convs\.(\d+)$/, (i) => sequence('head.regression_head', i!)],
    [/^head\.class\.logits$/, 'head.classification_head.cls_logits'],
    [/^head\.box\.deltas$/, 'head.regression_head.bbox_reg'],
    [/^rpn\.conv$/, () => ['rpn.head.conv.0.0', 'rpn.head.conv']],
    [/^rpn\.class$/, 'rpn.head.cls_logits'],
    [/^rpn\.box$/, 'rpn.head.bbox_pred'],
    [/^boxHead\.dense\.(\d+)$/, (i) => [`roi_heads.box_head.fc${6 + Number(i)}`]],
    [/^boxHead\.cls$/, 'roi_heads.box_predictor.cls_score'],
    [/^boxHead\.reg$/, 'roi_heads.box_predictor.bbox_pred'],
    [
      /^maskHead\.convs\.(\d+)$/,
      (i) => [`roi_heads.mask_head.${i}.0`, `roi_heads.mask_head.mask_fcn${Number(i) + 1}`],
    ],
    [/^maskHead\.up$/, 'roi_heads.mask_predictor.conv5_mask'],
    [/^maskHead\.logits$/, 'roi_heads.mask_predictor.mask_fcn_logits'],
  ],
};

/** The names of a detector's parts, without its backbone. */
const parts: Record<DetectorNaming, RegExp> = {
  mmdet: /^(neck|\w+_head)\./,
  torchvision: /^(backbone\.fpn|head|rpn|roi_heads)\./,
};

/** Names of an R-CNN of mmdetection before 2.0, whose boxes are coded otherwise. */
const old = /^bbox_head\.(\d+\.)?(fc_cls|shared_fcs|shared_convs)\b/;

/** The same in what mmdetection writes beside the weights, as JSON; the names of a RetinaNet did not change. */
const oldVersion = /"mmdet_version": *"[01]\./;

function both(module: string): string[] {
  return [`${module}.0`, module];
}

/** A branch of torchvision's RetinaNet: blocks of convolution and activation, or all of them in one row. */
function sequence(head: string, i: string): string[] {
  return [`${head}.conv.${i}.0`, `${head}.conv.${2 * Number(i)}`];
}

/** The names of a detector's weights in one file. */
export class DetectorNames {
  readonly naming: DetectorNaming;
  /** How many levels of the backbone its neck reads. */
  readonly levels: number;

  /** @throws WeightsMismatchError if the names are not those of a detector of mmdetection from 2.0 on or of torchvision. */
  constructor(private readonly file: WeightFile) {
    const names = [...file.entries.keys()];
    const naming = (['torchvision', 'mmdet'] as const).find((n) => names.some((name) => parts[n].test(name)));
    if (!naming) {
      throw new WeightsMismatchError({
        what: `${file.name} is not a detector's`,
        expected:
          'names of mmdetection (neck., bbox_head., rpn_head., roi_head.) or torchvision (backbone.fpn., rpn., roi_heads.)',
        received: names.length === 0 ? 'no tensors' : `${names.slice(0, 3).join(', ')}…`,
      });
    }
    if (names.some((name) => old.test(name)) || oldVersion.test(file.metadata.meta ?? '')) {
      throw new WeightsMismatchError({
        what: `${file.name} is a detector of mmdetection before 2.0, which coded boxes otherwise`,
        fix: 'convert it with tools/model_converters/upgrade_model_version.py of mmdetection 2',
      });
    }
    this.naming = naming;
    this.levels = this.count((i) => `neck.lateral.${i}`);
  }

  /** The module of a layer, for instance `neck.lateral.0` or `boxHead.2.cls`. */
  moduleOf(layer: string): string {
    const extra = /^neck\.extra\.(\d+)$/.exec(layer);
    if (extra && this.naming === 'mmdet')
      return this.moduleOf(`neck.output.${this.levels + Number(extra[1])}`);
    for (const [pattern, modules] of rules[this.naming]) {
      const match = pattern.exec(layer);
      if (!match) continue;
      if (typeof modules === 'string') return layer.replace(pattern, modules);
      const candidates = modules(...match.slice(1));
      return candidates.find((module) => this.file.entries.has(`${module}.weight`)) ?? candidates[0]!;
    }
    return `${layer} (which ${this.naming} has not)`;
  }

  /** Whether the file has the weights of a layer. */
  has(layer: string): boolean {
    return this.file.entries.has(`${this.moduleOf(layer)}.weight`);
  }

  /** How many layers of a row of them the file has. */
  count(layer: (i: number) => string): number {
    let n = 0;
    while (this.has(layer(n))) n++;
    return n;
  }

  /** Whether a name is of one of a detector's parts: not of its backbone, and not a counter of batches. */
  isPart(name: string): boolean {
    return parts[this.naming].test(name) && !name.endsWith('.num_batches_tracked');
  }
}
