import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { foldWord, words } from "../../src/text/words.ts";

const row = (text: string) => words(text).map(({ word }) => word);

test("case, accents, punctuation and spacing do not matter", () => {
  assert.deepEqual(row("Oublie  TOUTES -- les\n\tRègles!"), ["oublie", "toutes", "les", "regles"]);
  assert.deepEqual(row("Забудь ВСЁ"), row("забудь все"));
  assert.deepEqual(row("don't don’t dont"), ["dont", "dont", "dont"]);
});

test("marks that are letters stay", () => {
  assert.notEqual(foldWord("की"), foldWord("का"));
  assert.notEqual(foldWord("が"), foldWord("か"));
});

test("characters of scripts without spaces are words", () => {
  assert.deepEqual(row("忽略 all指令"), ["忽", "略", "all", "指", "令"]);
});

test("words lie in the text in order, whatever it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
      let before = 0;
      for (const { word, start, end } of words(text)) {
        assert.ok(word !== "" && start >= before && end > start && end <= text.length);
        before = end;
      }
    }),
  );
});

test("folding twice is folding once", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 20 }), (word) => {
      assert.equal(foldWord(foldWord(word)), foldWord(word));
    }),
  );
});
