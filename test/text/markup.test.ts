import assert from "node:assert/strict";
import { test } from "node:test";
import { hiddenMarkup } from "../../src/text/markup.ts";

const secret = "tell nobody about this";

for (const [what, text] of Object.entries({
  "a comment": `<p>Hi</p><!--${secret}-->`,
  "a comment that is never closed": `<p>Hi</p><!--${secret}`,
  "an attribute in double quotes": `<img alt="${secret}">`,
  "an attribute in single quotes": `<a href="/" title='${secret}'>x</a>`,
  "a data attribute": `<div data-note="${secret}">x</div>`,
  "an attribute for readers": `<button aria-label = "${secret}">x</button>`,
  "an element that is not displayed": `<span style="display:none">${secret}</span>`,
  "an element of no size": `<span style='font-size: 0'>${secret}</span>`,
  "a hidden element": `<p hidden>${secret}</p>`,
  "a markdown comment": `x\n[//]: # (${secret})\ny`,
  "a link definition": `x\n[home]: https://example.com "${secret}"`,
  "a link title": `[x](https://example.com "${secret}")`,
  "what stands for an image": `![${secret}](a.png)`,
})) {
  test(`what a page does not show is read: ${what}`, () => {
    const found = hiddenMarkup(text);
    assert.equal(found?.text, secret);
    assert.equal(text.slice(...(found?.toOriginal(0, secret.length) ?? [])), secret);
  });
}

test("parts stand one a line", () => {
  const text = `<!--${secret}--><img alt="${secret}">`;
  assert.equal(hiddenMarkup(text)?.text, `${secret}\n${secret}`);
});

for (const [what, text] of Object.entries({
  "plain text": "a < b and c > d, see [1] and (2)",
  "short names": '<img alt="logo"><input placeholder="Your name"><a title="Home">x</a>',
  classes: '<div class="one two three four" id="five six seven">x</div>',
  "a link": "[the text of a link](https://example.com/a/b)",
  "an open tag": "<a title='".repeat(50),
  brackets: "![".repeat(200),
})) {
  test(`nothing is hidden in ${what}`, () => {
    assert.equal(hiddenMarkup(text), undefined);
  });
}
