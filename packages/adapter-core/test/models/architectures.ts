import { input, type LayersModel, layers, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';

type Map4 = SymbolicTensor;
type Block = (x: Map4, name: string, filters: number, strides: number) => Map4;

const apply = (layer: layers.Layer, ...x: SymbolicTensor[]) =>
  layer.apply(x.length === 1 ? x[0]! : x) as SymbolicTensor;

const conv = (x: Map4, name: string, filters: number, kernelSize = 3, strides = 1) =>
  apply(layers.conv2d({ name, filters, kernelSize, strides, padding: 'same' }), x);
const norm = (x: Map4, name: string) => apply(layers.batchNormalization({ name }), x);
const relu = (x: Map4, name: string) => apply(layers.activation({ name, activation: 'relu' }), x);
const depthwise = (x: Map4, name: string, strides = 1) =>
  apply(layers.depthwiseConv2d({ name, kernelSize: 3, strides, padding: 'same' }), x);
const unit = (x: Map4, name: string, filters: number, kernelSize = 3, strides = 1) =>
  relu(norm(conv(x, `${name}_conv`, filters, kernelSize, strides), `${name}_bn`), `${name}_relu`);

/** A classifier: a body on 64 × 64 images, global pooling, and five scores. */
function classifier(name: string, body: (x: Map4) => Map4): LayersModel {
  const images = input({ shape: [64, 64, 3], name: `${name}_images` });
  const pooled = apply(layers.globalAveragePooling2d({ name: 'gap' }), body(images));
  const scores = apply(layers.dense({ name: 'fc', units: 5, activation: 'softmax' }), pooled);
  return model({ inputs: images, outputs: scores, name });
}

/** Two blocks at each of three strides behind a stem of stride 2. */
const staged = (block: Block) => (images: Map4) => {
  let x = unit(images, 'stem', 4, 3, 2);
  for (let s = 0; s < 3; s++) {
    for (let b = 0; b < 2; b++) x = block(x, `s${s}b${b}`, 4 << s, b === 0 ? 2 : 1);
  }
  return x;
};

/** VGG: a plain chain with an activation inside each convolution. */
export const vgg = () =>
  classifier('vgg', (x) => {
    let y = x;
    for (let s = 0; s < 4; s++) {
      for (let b = 0; b < 2; b++) {
        const layer = layers.conv2d({
          name: `s${s}c${b}`,
          filters: 4 << s,
          kernelSize: 3,
          padding: 'same',
          activation: 'relu',
        });
        y = apply(layer, y);
      }
      y = apply(layers.maxPooling2d({ name: `s${s}pool`, poolSize: 2 }), y);
    }
    return y;
  });

/** MobileNetV1: depthwise and 1×1 convolutions, each with an activation. */
export const mobileNetV1 = () =>
  classifier(
    'mobilenet_v1',
    staged((x, name, filters, strides) => {
      const dw = relu(norm(depthwise(x, `${name}_dw`, strides), `${name}_dw_bn`), `${name}_dw_relu`);
      return unit(dw, `${name}_pw`, filters, 1);
    }),
  );

/** DenseNet: each block's map is concatenated to all before it. */
export const denseNet = () =>
  classifier('densenet', (images) => {
    let x = unit(images, 'stem', 4, 3, 2);
    for (let s = 0; s < 3; s++) {
      const [height] = x.shape.slice(1);
      x = apply(
        layers.averagePooling2d({ name: `pool${s}`, poolSize: 2 }),
        unit(x, `t${s}`, Math.min(8, height!), 1),
      );
      for (let b = 0; b < 3; b++) {
        x = apply(
          layers.concatenate({ name: `s${s}b${b}_concat` }),
          x,
          conv(relu(norm(x, `s${s}b${b}_bn`), `s${s}b${b}_relu`), `s${s}b${b}_conv`, 3),
        );
      }
    }
    return x;
  });

/** ResNetV2: normalisation and activation in front of each convolution, nothing on the stream. */
export const resNetV2 = () =>
  classifier(
    'resnet_v2',
    staged((x, name, filters, strides) => {
      const pre = relu(norm(x, `${name}_pre_bn`), `${name}_pre_relu`);
      const shortcut = strides > 1 ? conv(pre, `${name}_0_conv`, filters, 1, strides) : x;
      const branch = conv(unit(pre, `${name}_1`, filters, 3, strides), `${name}_2_conv`, filters);
      return apply(layers.add({ name: `${name}_out` }), shortcut, branch);
    }),
  );

/** ConvNeXt: depthwise branches, and a normalised strided convolution between the stages. */
export const convNeXt = () =>
  classifier(
    'convnext',
    staged((x, name, filters, strides) => {
      const layerNorm = (y: Map4, n: string) => apply(layers.layerNormalization({ name: n }), y);
      const stream =
        strides > 1 ? conv(layerNorm(x, `${name}_down_ln`), `${name}_down`, filters, 2, strides) : x;
      const wide = relu(
        conv(layerNorm(depthwise(stream, `${name}_dw`), `${name}_ln`), `${name}_pw1`, 4 * filters, 1),
        `${name}_act`,
      );
      return apply(layers.add({ name: `${name}_add` }), stream, conv(wide, `${name}_pw2`, filters, 1));
    }),
  );

/** Squeeze and excite in every block, without a shortcut: maps of 1 × 1 on the way. */
export const squeezeExcite = () =>
  classifier(
    'se',
    staged((x, name, filters, strides) => {
      const y = unit(x, name, filters, 3, strides);
      const pooled = apply(layers.globalAveragePooling2d({ name: `${name}_se_squeeze` }), y);
      const one = apply(layers.reshape({ name: `${name}_se_reshape`, targetShape: [1, 1, filters] }), pooled);
      const gate = layers.conv2d({
        name: `${name}_se_expand`,
        filters,
        kernelSize: 1,
        activation: 'sigmoid',
      });
      return apply(layers.multiply({ name: `${name}_se` }), y, apply(gate, one));
    }),
  );

/** U-Net: long shortcuts from the way down to the way up; gives a map. */
export function uNet(): LayersModel {
  const images = input({ shape: [64, 64, 3], name: 'unet_images' });
  const skips: Map4[] = [];
  let x = images;
  for (let s = 0; s < 4; s++) {
    x = unit(x, `down${s}`, 4 << s, 3, s > 0 ? 2 : 1);
    skips.unshift(x);
  }
  skips.slice(1).forEach((skip, i) => {
    const up = apply(layers.upSampling2d({ name: `up${i}`, size: [2, 2] }), x);
    x = unit(apply(layers.concatenate({ name: `join${i}` }), up, skip), `out${i}`, skip.shape[3]!, 3);
  });
  return model({ inputs: images, outputs: conv(x, 'mask', 2, 1), name: 'unet' });
}

/** A feature pyramid on a chain: additions of what comes back from coarser maps, which are no residual branches. */
export function featurePyramid(): LayersModel {
  const images = input({ shape: [64, 64, 3], name: 'fpn_images' });
  const c: Map4[] = [];
  let x = images;
  for (let s = 0; s < 4; s++) {
    x = unit(x, `c${s + 1}`, 4 << s, 3, 2);
    c.push(x);
  }
  let p = conv(c[3]!, 'lateral4', 6, 1);
  const outputs = [p];
  for (let s = 2; s > 0; s--) {
    const up = apply(layers.upSampling2d({ name: `up${s}`, size: [2, 2] }), p);
    p = apply(layers.add({ name: `p${s + 1}` }), conv(c[s]!, `lateral${s + 1}`, 6, 1), up);
    outputs.unshift(p);
  }
  return model({ inputs: images, outputs, name: 'fpn' });
}

/** Vectors: a residual network without any map. */
export function residualVectors(): LayersModel {
  const x = input({ shape: [6], name: 'vector' });
  let y = apply(layers.dense({ name: 'first', units: 8 }), x);
  for (let b = 0; b < 3; b++) {
    const hidden = apply(layers.dense({ name: `b${b}_hidden`, units: 12, activation: 'relu' }), y);
    y = apply(
      layers.add({ name: `b${b}_add` }),
      y,
      apply(layers.dense({ name: `b${b}_out`, units: 8 }), hidden),
    );
  }
  return model({ inputs: x, outputs: apply(layers.dense({ name: 'fc', units: 5 }), y), name: 'vectors' });
}

/** Two towers for two inputs, joined behind their last maps. */
export function towers(): LayersModel {
  const images = ['left', 'right'].map((name) => input({ shape: [32, 32, 3], name }));
  const ends = images.map((x, i) => {
    const y = unit(unit(x, `t${i}a`, 4, 3, 2), `t${i}b`, 6, 3, 2);
    return apply(layers.globalAveragePooling2d({ name: `gap${i}` }), y);
  });
  const meta = input({ shape: [3], name: 'meta' });
  const joined = apply(layers.concatenate({ name: 'joined' }), ...ends, meta);
  const outputs = [
    apply(layers.dense({ name: 'fc', units: 5 }), joined),
    apply(layers.dense({ name: 'left_fc', units: 2 }), ends[0]!),
  ];
  return model({ inputs: [...images, meta], outputs, name: 'towers' });
}
