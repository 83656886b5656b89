"""Small Keras models with random weights, converted by TensorFlow's own converter to the layers format of TensorFlow.js.

    pip install tensorflow-cpu==2.15.1 'numpy<2' && pip install --no-deps tensorflowjs==4.22.0 tensorflow-hub tf-keras==2.15.1
    python make-keras-models.py

Structure and layer names are those of keras.applications, with few channels and blocks: ResNet50 (bottleneck blocks with
projection shortcuts), EfficientNet (MBConv with squeeze and excitation, swish), ViT (class token, pre-norm blocks out of
dense layers). Beside each model stands Keras's own prediction for the input sin(0.37 i), i counting its entries.
"""
import json
import os
import sys
import types

import numpy as np
import tensorflow as tf

# the converter imports converters of other formats at once; they are not used here
for name in ("tensorflow_decision_forests", "jax", "jax.experimental", "jax.experimental.jax2tf", "flax"):
    sys.modules.setdefault(name, types.ModuleType(name))
sys.modules["jax.experimental"].jax2tf = sys.modules["jax.experimental.jax2tf"]
from tensorflowjs.converters import save_keras_model  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
L = tf.keras.layers


def bottleneck(x, filters, stride, name, project):
    """conv_block of keras.applications.resnet, version 1."""
    shortcut = x
    if project:
        shortcut = L.Conv2D(4 * filters, 1, strides=stride, name=name + "_0_conv")(x)
        shortcut = L.BatchNormalization(epsilon=1.001e-5, name=name + "_0_bn")(shortcut)
    x = L.Conv2D(filters, 1, strides=stride, name=name + "_1_conv")(x)
    x = L.Activation("relu", name=name + "_1_relu")(L.BatchNormalization(epsilon=1.001e-5, name=name + "_1_bn")(x))
    x = L.Conv2D(filters, 3, padding="same", name=name + "_2_conv")(x)
    x = L.Activation("relu", name=name + "_2_relu")(L.BatchNormalization(epsilon=1.001e-5, name=name + "_2_bn")(x))
    x = L.BatchNormalization(epsilon=1.001e-5, name=name + "_3_bn")(L.Conv2D(4 * filters, 1, name=name + "_3_conv")(x))
    return L.Activation("relu", name=name + "_out")(L.Add(name=name + "_add")([shortcut, x]))


def resnet():
    image = L.Input((64, 64, 3))
    x = L.ZeroPadding2D(3, name="conv1_pad")(image)
    x = L.BatchNormalization(epsilon=1.001e-5, name="conv1_bn")(L.Conv2D(8, 7, strides=2, name="conv1_conv")(x))
    x = L.ZeroPadding2D(1, name="pool1_pad")(L.Activation("relu", name="conv1_relu")(x))
    x = L.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, (filters, blocks) in enumerate(((4, 2), (8, 2), (12, 2)), 2):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 2 and block == 1 else 1
            x = bottleneck(x, filters, stride, f"conv{stage}_block{block}", block == 1)
    x = L.GlobalAveragePooling2D(name="avg_pool")(x)
    return tf.keras.Model(image, L.Dense(5, activation="softmax", name="predictions")(x), name="resnet_like")


def mbconv(x, filters_in, filters_out, stride, expand, name):
    """block of keras.applications.efficientnet."""
    start = x
    filters = filters_in * expand
    if expand != 1:
        x = L.Conv2D(filters, 1, padding="same", use_bias=False, name=name + "expand_conv")(x)
        x = L.Activation("swish", name=name + "expand_activation")(L.BatchNormalization(name=name + "expand_bn")(x))
    x = L.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=name + "dwconv")(x)
    x = L.Activation("swish", name=name + "activation")(L.BatchNormalization(name=name + "bn")(x))
    se = L.GlobalAveragePooling2D(name=name + "se_squeeze")(x)
    se = L.Reshape((1, 1, filters), name=name + "se_reshape")(se)
    se = L.Conv2D(max(1, filters_in // 4), 1, padding="same", activation="swish", name=name + "se_reduce")(se)
    se = L.Conv2D(filters, 1, padding="same", activation="sigmoid", name=name + "se_expand")(se)
    x = L.multiply([x, se], name=name + "se_excite")
    x = L.Conv2D(filters_out, 1, padding="same", use_bias=False, name=name + "project_conv")(x)
    x = L.BatchNormalization(name=name + "project_bn")(x)
    if stride == 1 and filters_in == filters_out:
        x = L.Dropout(0.2, noise_shape=(None, 1, 1, 1), name=name + "drop")(x)
        x = L.add([x, start], name=name + "add")
    return x


def efficientnet():
    image = L.Input((64, 64, 3))
    x = L.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(image)
    x = L.Activation("swish", name="stem_activation")(L.BatchNormalization(name="stem_bn")(x))
    stages = ((8, 8, 1, 1, 1), (8, 12, 2, 4, 2), (12, 16, 2, 4, 2), (16, 24, 2, 4, 2))
    for s, (n_in, n_out, stride, expand, repeats) in enumerate(stages, 1):
        for b in range(repeats):
            first = b == 0
            x = mbconv(x, n_in if first else n_out, n_out, stride if first else 1, expand, f"block{s}{chr(97 + b)}_")
    x = L.Conv2D(48, 1, padding="same", use_bias=False, name="top_conv")(x)
    x = L.Activation("swish", name="top_activation")(L.BatchNormalization(name="top_bn")(x))
    x = L.Dropout(0.2, name="top_dropout")(L.GlobalAveragePooling2D(name="avg_pool")(x))
    return tf.keras.Model(image, L.Dense(5, activation="softmax", name="predictions")(x), name="efficientnet_like")


def attention(x, width, heads, name):
    """Multi-head attention out of dense layers, reshapes and dot products, which TensorFlow.js has as layers."""
    size = width // heads

    def split(part):
        y = L.Dense(width, name=f"{name}_{part}")(x)
        y = L.Reshape((-1, heads, size), name=f"{name}_{part}_split")(y)
        return L.Permute((2, 1, 3), name=f"{name}_{part}_heads")(y)

    q, k, v = (L.Reshape((heads * 17, size), name=f"{name}_{p}_rows")(split(p)) for p in ("query", "key", "value"))
    scores = L.Activation("softmax", name=f"{name}_softmax")(L.Dot(axes=2, name=f"{name}_scores")([q, k]))
    y = L.Dot(axes=(2, 1), name=f"{name}_weighted")([scores, v])
    y = L.Permute((2, 1, 3), name=f"{name}_back")(L.Reshape((heads, 17, size), name=f"{name}_unrows")(y))
    return L.Dense(width, name=f"{name}_out")(L.Reshape((17, width), name=f"{name}_join")(y))


def vit():
    width, heads = 24, 3
    image = L.Input((32, 32, 3))
    x = L.Conv2D(width, 8, strides=8, name="patch_embedding")(image)
    x = L.Reshape((16, width), name="patches")(x)
    token = L.Dense(width, name="class_token")(L.GlobalAveragePooling1D(name="mean_patch")(x))
    x = L.Concatenate(axis=1, name="tokens")([L.Reshape((1, width), name="token")(token), x])
    for block in range(3):
        name = f"encoder_layer_{block}"
        y = attention(L.LayerNormalization(epsilon=1e-6, name=name + "_norm1")(x), width, heads, name + "_attention")
        x = L.Add(name=name + "_add1")([x, y])
        y = L.LayerNormalization(epsilon=1e-6, name=name + "_norm2")(x)
        y = L.Dense(2 * width, activation="relu", name=name + "_mlp1")(y)
        x = L.Add(name=name + "_add2")([x, L.Dense(width, name=name + "_mlp2")(y)])
    x = L.LayerNormalization(epsilon=1e-6, name="norm")(x)
    x = L.GlobalAveragePooling1D(name="features")(x)
    return tf.keras.Model(image, L.Dense(5, activation="softmax", name="head")(x), name="vit_like")


def randomise(model, seed):
    """Weights that let every layer do something, statistics and scales included."""
    rng = np.random.default_rng(seed)
    for w in model.weights:
        shape = tuple(w.shape)
        if "variance" in w.name:
            value = rng.uniform(0.5, 1.5, shape)
        elif "gamma" in w.name:
            value = rng.normal(1.0, 0.2, shape)
        elif "kernel" in w.name:
            fan = np.prod(shape[:-1]) if "depthwise" not in w.name else np.prod(shape[:2])
            value = rng.normal(0, 1 / np.sqrt(fan), shape)
        else:
            value = rng.normal(0, 0.1, shape)
        w.assign(value.astype(np.float32))


for seed, make in enumerate((resnet, efficientnet, vit), 1):
    tf.keras.backend.clear_session()
    model = make()
    randomise(model, seed)
    folder = os.path.join(HERE, model.name)
    save_keras_model(model, folder)
    size = model.input_shape[1]
    x = np.sin(0.37 * np.arange(2 * size * size * 3)).reshape(2, size, size, 3).astype(np.float32)
    y = model(x, training=False).numpy()
    with open(os.path.join(folder, "prediction.json"), "w") as f:
        json.dump({"input": "sin(0.37 i)", "output": y.tolist()}, f)
    print(model.name, model.count_params(), y[0])
