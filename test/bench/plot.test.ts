/** The picture of the forward pass's times. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { logTicks, type Panel, svg } from "../../bench/lib/plot.ts";

const panel = (title: string, ours: readonly number[]): Panel => ({
  title,
  note: "",
  lines: [
    { kind: "ours", label: "ours & <all>", points: ours.map((y, at) => ({ x: 16 << at, y })) },
    { kind: "limit", label: "limit", points: ours.map((y, at) => ({ x: 16 << at, y: y / 2 })) },
  ],
});
const plot = (...panels: Panel[]) =>
  svg({ title: 'A "title"', subtitle: "", xLabel: "tokens", yLabel: "milliseconds", panels });

test("ticks are 1, 2 and 5 of each power of ten, and hold all values", () => {
  assert.deepEqual(logTicks([0.8, 33]), [0.5, 1, 2, 5, 10, 20, 50]);
  assert.deepEqual(logTicks([1, 10]), [1, 2, 5, 10]);
  assert.throws(() => logTicks([0, 1]), /Expected times above 0 but received 0 to 1/);
  assert.throws(() => logTicks([]), /Expected times above 0/);
});

test("each panel has its title, its lines and a mark for each measured point", () => {
  const text = plot(panel("avx2", [1, 2, 4]), panel("scalar", [50, 100, 200]));
  for (const expected of [">avx2<", ">scalar<", ">tokens<", ">milliseconds<"])
    assert.ok(text.includes(expected), expected);
  assert.equal(text.match(/class="ours line"/g)?.length, 3, "two panels and the legend");
  assert.equal(text.match(/class="ours mark"/g)?.length, 7, "six points and the legend");
  assert.equal(text.match(/class="limit line"/g)?.length, 3);
});

test("a longer time lies higher and nothing lies outside", () => {
  const text = plot(panel("avx2", [1, 2, 4]));
  const marks = [...text.matchAll(/<circle class="ours mark" cx="([\d.]+)" cy="([\d.]+)"/g)];
  const [a = 0, b = 0, c = 0] = marks.map(([, , y]) => Number(y));
  assert.ok(a > b && b > c);
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(text) ?? [];
  for (const [, x, y] of marks) {
    assert.ok(Number(x) > 0 && Number(x) < Number(width));
    assert.ok(Number(y) > 0 && Number(y) < Number(height));
  }
});

test("it is well-formed, and colours follow a light and a dark page", () => {
  const text = plot(panel("avx2", [1, 2]));
  assert.ok(text.includes("ours &amp; &lt;all&gt;"));
  assert.ok(text.includes('aria-label="A &quot;title&quot;"'));
  assert.match(text, /@media \(prefers-color-scheme: dark\)/);
  const opened = text.match(/<(text|style|svg)[\s>]/g)?.length;
  assert.equal(text.match(/<\/(text|style|svg)>/g)?.length, opened);
});
