export { FileWriteError, writeFileAtomic } from './atomic-file.ts';
export type { Level } from './level.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type Safetensors,
  SafetensorsError,
  type SafetensorsTensor,
  type SafetensorsType,
  type TensorData,
} from './safetensors.ts';
