/** Draws times of the forward pass as SVG, without a library: panels of lines on logarithmic axes. */

export interface Line {
  readonly label: string;
  /** Style of the line: see `styles`. */
  readonly kind: "ours" | "int8" | "fp32" | "limit";
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Panel {
  readonly title: string;
  /** What stands below the title, or nothing. */
  readonly note: string;
  readonly lines: readonly Line[];
}

export interface Plot {
  readonly title: string;
  readonly subtitle: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly panels: readonly Panel[];
}

const panelWidth = 300;
const plotHeight = 300;
const margin = { left: 62, right: 18, top: 100, bottom: 88 };
const gap = 26;

interface Colours extends Readonly<Record<Line["kind"], string>> {
  readonly ground: string;
  readonly ink: string;
  readonly faint: string;
  readonly grid: string;
}

const light: Colours = {
  ground: "#ffffff",
  ink: "#1f2328",
  faint: "#656d76",
  grid: "#d8dee4",
  ours: "#0969da",
  int8: "#bc4c00",
  fp32: "#8250df",
  limit: "#57606a",
};
const dark: Colours = {
  ground: "#0d1117",
  ink: "#e6edf3",
  faint: "#9198a1",
  grid: "#30363d",
  ours: "#58a6ff",
  int8: "#f0883e",
  fp32: "#bc8cff",
  limit: "#9198a1",
};

function coloured(colours: Colours): string {
  const kinds = ["ours", "int8", "fp32", "limit"] as const;
  return [
    `.ground{fill:${colours.ground}} text{fill:${colours.ink}} .faint{fill:${colours.faint}}`,
    `.grid{stroke:${colours.grid}} .mark{fill:${colours.ground}}`,
    ...kinds.map((kind) => `.${kind}{stroke:${colours[kind]}}`),
    `.ours.mark{fill:${colours.ours}}`,
  ].join("\n");
}

/**
 * The picture follows whether its reader prefers light or dark, on a ground of its own. Lines differ
 * in dashes and marks too, for those who do not tell their colours apart.
 */
const style = `text{font:12px system-ui,sans-serif} .title{font-size:16px;font-weight:600}
.panel{font-size:13px;font-weight:600} .line{fill:none;stroke-width:2} .mark{stroke-width:2}
.limit{stroke-dasharray:5 4} .fp32.line{stroke-dasharray:9 3 2 3}
${coloured(light)}
@media (prefers-color-scheme: dark) {
${coloured(dark)}
}`;

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const escaped = (text: string) => text.replace(/[&<>]/g, (character) => escapes[character] ?? "");
const fixed = (value: number) => Math.round(value * 10) / 10;

/** Ticks 1, 2, 5, 10, 20, ... that hold all values. @throws without a positive value */
export function logTicks(values: readonly number[]): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (!(low > 0) || !Number.isFinite(high))
    throw new Error(`Expected times above 0 but received ${low} to ${high}`);
  const steps = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const digit of [1, 2, 5]) steps.push(Number(`${digit}e${power}`));
  const first = steps.findLastIndex((step) => step <= low);
  const last = steps.findIndex((step) => step >= high);
  return steps.slice(first, last + 1);
}

function scale(from: number, to: number, start: number, length: number) {
  const span = Math.log(to / from);
  return (value: number) => fixed(start + (Math.log(value / from) / span) * length);
}

const text = (x: number, y: number, content: string, attributes = "") =>
  `<text x="${fixed(x)}" y="${fixed(y)}" ${attributes}>${escaped(content)}</text>`;

function mark(kind: Line["kind"], x: number, y: number): string {
  if (kind === "limit") return "";
  if (kind === "int8")
    return `<rect class="int8 mark" x="${fixed(x - 3.5)}" y="${fixed(y - 3.5)}" width="7" height="7"/>`;
  return `<circle class="${kind} mark" cx="${x}" cy="${y}" r="4"/>`;
}

/** The picture as the text of an SVG file. All panels share both axes. */
export function svg(plot: Plot): string {
  const lines = plot.panels.flatMap((panel) => panel.lines);
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const yTicks = logTicks(points.map(({ y }) => y));
  const [bottom, top] = [yTicks[0] as number, yTicks.at(-1) as number];
  const floor = margin.top + plotHeight;
  const yOf = scale(bottom, top, floor, -plotHeight);
  const width = margin.left + plot.panels.length * (panelWidth + gap) - gap + margin.right;
  const height = floor + margin.bottom;
  const parts = [
    text(margin.left, 26, plot.title, 'class="title"'),
    text(margin.left, 46, plot.subtitle, 'class="faint"'),
    text(
      0,
      0,
      plot.yLabel,
      `text-anchor="middle" transform="translate(16 ${margin.top + plotHeight / 2}) rotate(-90)"`,
    ),
  ];
  for (const [index, panel] of plot.panels.entries()) {
    const left = margin.left + index * (panelWidth + gap);
    const inset = 14;
    const xOf = scale(xs[0] as number, xs.at(-1) as number, left + inset, panelWidth - 2 * inset);
    parts.push(
      text(left, margin.top - 26, panel.title, 'class="panel"'),
      text(left, margin.top - 10, panel.note, 'class="faint"'),
    );
    for (const tick of yTicks) {
      const y = yOf(tick);
      parts.push(`<path class="grid" d="M${left} ${y}h${panelWidth}"/>`);
      if (index === 0) parts.push(text(left - 8, y + 4, String(tick), 'text-anchor="end"'));
    }
    for (const x of xs) {
      parts.push(
        `<path class="grid" d="M${xOf(x)} ${margin.top}v${plotHeight}"/>`,
        text(xOf(x), floor + 18, String(x), 'text-anchor="middle"'),
      );
    }
    parts.push(text(left + panelWidth / 2, floor + 36, plot.xLabel, 'text-anchor="middle"'));
    for (const line of panel.lines) {
      const path = line.points.map(({ x, y }) => `${xOf(x)} ${yOf(y)}`).join("L");
      parts.push(
        `<path class="${line.kind} line" d="M${path}"/>`,
        ...line.points.map(({ x, y }) => mark(line.kind, xOf(x), yOf(y))),
      );
    }
  }
  const labels = new Map(lines.map(({ kind, label }) => [kind, label]));
  let at = margin.left;
  for (const [kind, label] of labels) {
    const y = height - 22;
    parts.push(
      `<path class="${kind} line" d="M${at} ${y}h30"/>`,
      mark(kind, at + 15, y),
      text(at + 38, y + 4, label),
    );
    at += 38 + label.length * 6.6 + 24;
  }
  const wide = Math.max(width, Math.ceil(at));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${wide} ${height}" width="${wide}" height="${height}" role="img" aria-label="${escaped(plot.title).replaceAll('"', "&quot;")}">
<style>
${style}
</style>
<rect width="100%" height="100%" class="ground"/>
${parts.filter((part) => part !== "").join("\n")}
</svg>
`;
}
