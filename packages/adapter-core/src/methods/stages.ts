import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { applyLayer } from '../copy-layer.ts';
import { HighwayStage } from '../layers/highway-stage.ts';
import { RecomputedStage, SegmentEnd } from '../layers/recomputed-stage.ts';
import type { Tap } from '../taps.ts';
import { type E3vaConfig, stageConfig } from './e3va-config.ts';
import type { HighwayInputs } from './highway-inputs.ts';
import { segment } from './segment.ts';

/** What a stage of an inherited highway stands on. */
export interface StageSite {
  /** The highway's stream in front of the stage. */
  stream: SymbolicTensor;
  /** The base's own stream in front of the stage, and behind it. */
  start: SymbolicTensor;
  end: SymbolicTensor;
  taps: Tap[];
}

/** Makes the stages of an inherited highway, in the form that `savedTaps` asks for. */
export class Stages {
  /** The taps of each stage, by its name. */
  readonly taps = new Map<string, string[]>();
  private readonly base: LayersModel;
  private readonly config: E3vaConfig;
  private readonly inputs: HighwayInputs;
  /** The base's own stream behind the stages so far that make their taps themselves, on the highway. */
  private readonly ends = new Map<number, { source: SymbolicTensor; end: SymbolicTensor }>();

  constructor(base: LayersModel, config: E3vaConfig, inputs: HighwayInputs) {
    this.base = base;
    this.config = config;
    this.inputs = inputs;
  }

  /** The stream behind a stage whose taps the frozen half gives. */
  add(site: StageSite): SymbolicTensor {
    const index = this.noted(site.taps);
    const config = stageConfig(this.config, `highway.stage${index}`, index);
    const { savedTaps } = this.config;
    if (savedTaps === 'recompute') return this.addRecomputed(site, index);
    const { stream, start, end, taps } = site;
    const packed = savedTaps === 'fp32' ? undefined : savedTaps;
    const given = packed
      ? [
          this.inputs.change(start, end),
          ...taps.flatMap(({ tensor }) => this.inputs.packed(tensor, bits[packed])),
        ]
      : taps.map(({ tensor }) => this.inputs.of(tensor));
    return applyLayer(new HighwayStage({ ...config, ...(packed && { savedTaps: packed }) }), [
      stream,
      ...given,
    ])[0]!;
  }

  /** The stream behind one tap that is made on the highway: the gradient goes through it. */
  addLive(stream: SymbolicTensor, live: SymbolicTensor, tap: Tap): SymbolicTensor {
    const index = this.noted([tap]);
    const config = stageConfig(this.config, `highway.stage${index}`, index);
    return applyLayer(new HighwayStage({ ...config, tapGradients: true }), [stream, live])[0]!;
  }

  private addRecomputed({ stream, start, end, taps }: StageSite, index: number): SymbolicTensor {
    const frontier = [...[...this.ends.values()].map(({ source }) => source), start, ...this.base.inputs];
    const prefix = `segment${index}`;
    const part = segment(this.base, frontier, [...taps.map(({ tensor }) => tensor), end], prefix);
    const stage = new RecomputedStage({
      ...stageConfig(this.config, `highway.stage${index}`, index),
      segment: part.half,
    });
    const starts = part.starts.map((t) => this.ends.get(t.id)?.end ?? this.inputs.of(t));
    const [result] = applyLayer(stage, [stream, ...starts]);
    const [behind] = applyLayer(new SegmentEnd({ name: `${prefix}.end` }), [result!]);
    this.ends.set(end.id, { source: end, end: behind! });
    return result!;
  }

  private noted(taps: Tap[]): number {
    const index = this.taps.size;
    this.taps.set(
      `highway.stage${index}`,
      taps.map(({ name }) => name),
    );
    return index;
  }
}

const bits = { int8: 8, int16: 16 } as const;
