/** Style sheet of the report. */
export const reportStyle = `
:root { color-scheme: light; --ink: #1b1f24; --soft: #5b6672; --line: #d9dee4; --fill: #2563eb; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f7f9; color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; margin: 0 0 14px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 10px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 16px 18px; margin-top: 18px; overflow-x: auto; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 10px; margin: 0; }
.facts div { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; }
dt { color: var(--soft); font-size: 12px; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 14px; }
table { border-collapse: collapse; }
.classes { min-width: 420px; }
.classes th, .classes td { text-align: right; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
.classes th:first-child, .classes td:first-child { text-align: left; }
.classes i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 8px; vertical-align: -1px; }
.classes tfoot td { font-weight: 600; }
.bar { width: 180px; }
.bar b { display: block; height: 8px; border-radius: 4px; background: var(--fill); }
.pictures { width: 100%; table-layout: fixed; }
.pictures th { text-align: left; color: var(--soft); font-size: 12px; padding-bottom: 4px; }
.pictures td { padding: 0 8px 0 0; vertical-align: top; }
.pictures img { width: 100%; display: block; border-radius: 4px; }
.pictures .name td { color: var(--soft); font-size: 12px; padding-bottom: 12px; overflow-wrap: anywhere; }
pre { margin: 0; font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; }
.u-title { font-size: 13px; font-weight: 600; }
.u-legend { font-size: 12px; }
`;

/** Script of the report: reads the numbers out of the page and draws the curves. */
export const reportScript = `
(() => {
  const plots = JSON.parse(document.getElementById('data').textContent);
  const axis = { stroke: '#5b6672', grid: { stroke: '#eceff2' }, ticks: { stroke: '#d9dee4' }, font: '11px system-ui' };
  const colors = ['#2563eb', '#15803d', '#b45309', '#7c3aed', '#be123c', '#0e7490', '#a16207', '#4b5563'];
  const smooth = (values) => {
    let mean = values[0];
    return values.map((v) => (mean = 0.9 * mean + 0.1 * v));
  };
  const ticks = (_, values) => values.map((v) => (v !== 0 && Math.abs(v) < 1e-3 ? v.toExponential(1) : String(+v.toFixed(6))));
  for (const { id, title, axis: label, x, series, smoothed } of plots) {
    const target = document.getElementById(id);
    if (x.length === 0) { target.remove(); continue; }
    const lines = series.map((s, i) => ({ ...s, stroke: colors[i % colors.length] }));
    if (smoothed) {
      lines.push({ ...lines[0], label: 'smoothed', values: smooth(lines[0].values) });
      lines[0] = { ...lines[0], stroke: '#a8c1f5' };
    }
    const plot = new uPlot({
      title, width: target.clientWidth, height: 240,
      scales: { x: { time: false } },
      axes: [{ ...axis }, { ...axis, size: 62, values: ticks }],
      series: [{ label }, ...lines.map(({ label, stroke }) => ({ label, stroke, width: 1.5, points: { show: x.length < 40 } }))],
    }, [x, ...lines.map((s) => s.values)], target);
    addEventListener('resize', () => plot.setSize({ width: target.clientWidth, height: 240 }));
  }
})();
`;
