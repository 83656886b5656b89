import { nodeModule } from './node-module.ts';

/** Resident memory of the process since the meter was opened. */
export interface ResidentMeter {
  /** How far it rose above its value at the start, in bytes. */
  growth(): number;
}

interface NodeProcess {
  memoryUsage: { rss(): number };
  resourceUsage(): { maxRSS: number };
}

/**
 * Opens a meter of resident memory; undefined outside Node. On Linux the kernel's high-water mark is reset at the
 * start, so the peak is exact; elsewhere it is the highest value since the process began.
 */
export function openResidentMeter(): ResidentMeter | undefined {
  const { process } = globalThis as { process?: Partial<NodeProcess> };
  if (!process?.memoryUsage?.rss || !process.resourceUsage) return undefined;
  const peak = linuxPeak() ?? (() => process.resourceUsage!().maxRSS * 1024);
  const start = process.memoryUsage.rss();
  return { growth: () => Math.max(0, peak() - start) };
}

/** Resets Linux's high-water mark of resident memory and returns how to read it; undefined where that is impossible. */
function linuxPeak(): (() => number) | undefined {
  const fs = nodeModule('node:fs');
  if (!fs) return undefined;
  const read = () =>
    Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
  try {
    fs.writeFileSync('/proc/self/clear_refs', '5');
    return read() > 0 ? read : undefined;
  } catch {
    return undefined;
  }
}
