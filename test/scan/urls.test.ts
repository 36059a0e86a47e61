/** URLs and what Markdown, HTML and CSS make of them; which part of a text is code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { codeTest } from "../../src/scan/code.ts";
import { findUrls } from "../../src/scan/urls.ts";

test("a URL is found where it stands, with what is done with it", () => {
  const cases: readonly [text: string, url: string, place: string][] = [
    ["See https://a.example/b, please.", "https://a.example/b", "bare"],
    ["(https://a.example/b_(c))", "https://a.example/b_(c)", "bare"],
    ["<https://a.example/>", "https://a.example/", "bare"],
    ["[a](https://a.example/b)", "https://a.example/b", "link"],
    ["![a](https://a.example/b)", "https://a.example/b", "image"],
    ["![a](<https://a.example/b>)", "https://a.example/b", "image"],
    ["[![a](x.png)](https://a.example/b)", "https://a.example/b", "link"],
    ["![a](//a.example/b)", "//a.example/b", "image"],
    ['<a class="x" href="https://a.example/b c">', "https://a.example/b c", "link"],
    ["<img width=1 src=https://a.example/b>", "https://a.example/b", "image"],
    ["<iframe src='https://a.example/b'>", "https://a.example/b", "image"],
    ["<form action='https://a.example/b'>", "https://a.example/b", "link"],
    ["a { background: url('https://a.example/b') }", "https://a.example/b", "image"],
    ["[r]: https://a.example/b", "https://a.example/b", "link"],
    ["![a][r]\n\n[r]: https://a.example/b", "https://a.example/b", "image"],
    [
      "https://a.example/?q={{ the whole chat }}&b",
      "https://a.example/?q={{ the whole chat }}&b",
      "bare",
    ],
    ["https://a.example/x<br>next", "https://a.example/x", "bare"],
  ];
  for (const [text, url, place] of cases) {
    const found = [...findUrls(text)].map((each) => [each.url, each.place]);
    assert.deepEqual(found, [[url, place]], text);
  }
});

test("a word that ends like a scheme is none", () => {
  assert.deepEqual([...findUrls("metadata:x my-data:y nohttps://")], []);
});

test("any text's URLs lie in it, ascending and apart", () => {
  const pieces = fc.constantFrom(
    "https://",
    "a.b/",
    "](",
    "![",
    "<img src=",
    '"',
    "{{",
    "}}",
    "(",
    ")",
    " ",
    "data:x",
    "//",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      const text = parts.join("");
      let before = 0;
      for (const { url, start, end } of findUrls(text)) {
        assert.ok(start >= before && end <= text.length);
        assert.equal(text.slice(start, end), url);
        before = end;
      }
    }),
  );
});

test("code is what stands in closed fences and between backticks of a line", () => {
  const text = "a `b` c\n```\nd\n```\ne\n~~~ js\nf";
  const isCode = codeTest(text);
  const shown = [..."abcdef"].filter((letter) => {
    const at = text.indexOf(letter);
    return isCode(at, at + 1);
  });
  assert.deepEqual(shown, ["b", "d"]);
});
