import { type LayersModel, layers, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { probeShapes } from '../graph.ts';
import { HighwayStage } from '../layers/highway-stage.ts';
import { PoolProject } from '../layers/pool-project.ts';
import { type Tap, TapError } from '../taps.ts';
import { type E3vaConfig, stageConfig } from './e3va-config.ts';
import { HighwayInputs } from './highway-inputs.ts';
import type { Split } from './method.ts';
import { applyOutNorm, type BaseLevel, baseLevels } from './out-norms.ts';

/** A run of taps of one shape. */
interface Stage {
  taps: Tap[];
  /** Height, width and channels as text: equal for equal shapes. */
  shape: string;
}

/**
 * The highway for any model with maps: it carries the change alone, from zero. In a stage the adapters' changes are
 * added; between stages the change is pooled and projected; a level is the base's own map plus the change of the
 * last stage in front of it, through the out-norm if there is one.
 *
 * @throws TapError if a tap or an output is no map [batch, height, width, channels].
 */
export function poolProject(base: LayersModel, taps: Tap[], config: E3vaConfig): Split {
  const shapes = probeShapes(base);
  const highwayInputs = new HighwayInputs(base);
  const { order } = highwayInputs;
  const levels = baseLevels(base, config.levels);
  for (const { tensor, name } of [
    ...taps,
    ...levels.map(({ output }) => ({ tensor: output, name: output.sourceLayer.name })),
  ]) {
    if (tensor.shape.length !== 4) throw notAMap(name, tensor);
  }
  const shapeOf = (t: SymbolicTensor) => shapes.get(t.id)!.slice(1).join('×');
  const stageTaps = new Map<string, string[]>();
  const changes: { end: number; shape: string; change: SymbolicTensor }[] = [];
  const transition = (change: SymbolicTensor, reference: SymbolicTensor, name: string, salt: number) =>
    new PoolProject({ name, rank: config.rank, seed: config.seed * 100_003 + salt }).apply([
      change,
      reference,
    ]) as SymbolicTensor;
  cutStages(taps, shapeOf).forEach((stage, i) => {
    const own = stage.taps.map((tap) => highwayInputs.of(tap.tensor));
    const last = changes.at(-1)?.change;
    const start = last ? [transition(last, own[0]!, `highway.transition${i}`, 50_021 + i * 101)] : [];
    const layer = new HighwayStage({
      ...stageConfig(config, `highway.stage${i}`, i),
      skip: false,
      stream: start.length > 0,
    });
    const change = layer.apply([...start, ...own]) as SymbolicTensor;
    stageTaps.set(
      layer.name,
      stage.taps.map((tap) => tap.name),
    );
    changes.push({ end: order.get(stage.taps.at(-1)!.tensor.id)!, shape: stage.shape, change });
  });
  const outputs = levels.map((level) => {
    const stream = highwayInputs.of(level.stream);
    const behind = changes.filter(({ end }) => end <= order.get(level.stream.id)!).at(-1);
    if (!behind) return applyOutNorm(level, stream, config.outNorms === 'trainable');
    const fits = behind.shape === shapeOf(level.stream);
    const change = fits
      ? behind.change
      : transition(behind.change, stream, `highway.to.${nameOf(level)}`, 70_001 + level.index);
    const sum = layers
      .add({ name: `highway.add.${nameOf(level)}` })
      .apply([stream, change]) as SymbolicTensor;
    return applyOutNorm(level, sum, config.outNorms === 'trainable');
  });
  const { sources, inputs } = highwayInputs.sorted();
  return {
    frozenOutputs: sources,
    highway: model({ inputs, outputs, name: 'highway' }),
    levels: levels.map(({ index }) => index),
    taps: stageTaps,
  };
}

const nameOf = ({ output }: BaseLevel) => output.sourceLayer.name;

/** Neighbouring taps of one shape share a stage. */
function cutStages(taps: Tap[], shapeOf: (t: SymbolicTensor) => string): Stage[] {
  const stages: Stage[] = [];
  for (const tap of taps) {
    const shape = shapeOf(tap.tensor);
    const last = stages.at(-1);
    if (last?.shape === shape) last.taps.push(tap);
    else stages.push({ taps: [tap], shape });
  }
  return stages;
}

function notAMap(name: string, tensor: SymbolicTensor): TapError {
  return new TapError({
    what: `'${name}' is no map`,
    expected: "for transition 'pool-project', taps and outputs of shape [batch, height, width, channels]",
    received: `[${tensor.shape.map((size) => size ?? 'any').join(', ')}]`,
    fix: 'choose other taps, or a base model that ends with feature maps (tf.model({ inputs, outputs }))',
  });
}
