/** Redaction and its way back, as pure functions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { kindOf, placeholdersIn } from "../../src/redact/placeholder.ts";
import { redact } from "../../src/redact/redact.ts";
import { restore } from "../../src/redact/restore.ts";
import { findSensitive } from "../../src/redact/sensitive.ts";

const jane = "jane@mail.example.org";
const john = "john@mail.example.org";
// In two pieces, so that no scanner of repositories takes it for a leak.
const key = ["glsa_yscW25imSKJIu", "av8zF37RZmnbiDvB05G_fcaaf58a"].join("");

const redacted = (...texts: string[]) =>
  redact(
    texts,
    texts.map((text) => findSensitive(text, 1000).findings),
  );

const found = (label: string, start: number, end: number, score = 0.2) => ({
  label,
  start,
  end,
  score,
});

test("kinds are the label's, up to its full stop", () => {
  assert.equal(kindOf("pii/email"), "EMAIL");
  assert.equal(kindOf("pii/national-id.es-dni"), "NATIONAL_ID");
  assert.equal(kindOf("secret/github-token"), "GITHUB_TOKEN");
});

test("numbers count each kind over all texts; equal values have equal placeholders", () => {
  const { texts, replacements } = redacted(`${jane}, ${john}, ${jane}`, `${key} is ${john}'s`);
  assert.deepEqual(texts, [
    "<EMAIL_1>, <EMAIL_2>, <EMAIL_1>",
    "<GRAFANA_SERVICE_ACCOUNT_TOKEN_1> is <EMAIL_2>'s",
  ]);
  assert.deepEqual(replacements[3], {
    kind: "GRAFANA_SERVICE_ACCOUNT_TOKEN",
    placeholder: "<GRAFANA_SERVICE_ACCOUNT_TOKEN_1>",
    textIndex: 1,
    start: 0,
    end: key.length,
  });
  assert.equal(JSON.stringify(replacements).includes(jane), false);
});

test("a placeholder that stands in any text already, in any form, is not handed out", () => {
  const { texts } = redacted(`${jane} ${john}`, "What is <email-1> and &lt;EMAIL\\_3&gt;?");
  assert.equal(texts[0], "<EMAIL_2> <EMAIL_4>");
});

test("findings that overlap are one place of the riskiest one's kind; those that touch are two", () => {
  const text = "0123456789";
  const overlapping = [found("pii/phone", 1, 6), found("pii/card", 4, 8, 0.45)];
  assert.deepEqual(redact([text], [overlapping]).texts, ["0<CARD_1>89"]);
  const touching = [found("pii/phone", 4, 8), found("pii/card", 1, 4)];
  assert.deepEqual(redact([text], [touching]).texts, ["0<CARD_1><PHONE_1>89"]);
  assert.deepEqual(redact([text], [[found("pii/ip", 3, 3)]]).texts, [text], "an empty finding");
});

test("no pair of surrogates is cut in two", () => {
  const text = "a😀b😀c";
  const { texts } = redact([text], [[found("pii/email", 2, 5)]]);
  assert.deepEqual(texts, ["a<EMAIL_1>c"]);
});

test("what is found in a decoded text replaces all that it was decoded from", () => {
  const encoded = Buffer.from(`Please write to ${jane} about the lunch today`).toString("base64");
  const { texts, values } = redacted(`Read this: ${encoded} (thanks)`);
  assert.deepEqual(texts, ["Read this: <EMAIL_1> (thanks)"]);
  assert.equal(values.get("<EMAIL_1>"), encoded);
});

test("far more is replaced than a scan tells, and what is left out is said", () => {
  const text = Array.from({ length: 300 }, (_, at) => `person${at}@mail.example.org`).join(" ");
  const all = findSensitive(text, 1000);
  assert.deepEqual([all.findings.length, all.isCut], [300, false]);
  assert.doesNotMatch(redact([text], [all.findings]).texts[0] ?? "", /@/);
  assert.equal(findSensitive(text, 299).isCut, true);
  const keys = `${key} `.repeat(60);
  assert.equal(findSensitive(keys, 1000).findings.length, 60);
  assert.equal(findSensitive(keys, 10).isCut, true);
});

test("an altered placeholder is restored, another's is not", () => {
  const values = new Map([
    ["<EMAIL_1>", jane],
    ["<NATIONAL_ID_2>", "X"],
  ]);
  for (const form of [
    "<EMAIL_1>",
    "<email_1>",
    "<Email 1>",
    "< EMAIL-1 >",
    "<EMAIL\\_1>",
    "\\<EMAIL\\_1\\>",
    "&lt;EMAIL_1&gt;",
    "&#60;EMAIL_1&#62;",
    "&#x3C;EMAIL_1&#x3E;",
    "%3CEMAIL_1%3E",
    "\\u003cEMAIL_1\\u003E",
    "‹EMAIL_1›",
    "＜EMAIL_1＞",
  ]) {
    const { texts, counts } = restore([`(${form})`], values);
    assert.deepEqual(texts, [`(${jane})`], form);
    assert.deepEqual([...counts.values()], [1, 0]);
  }
  assert.deepEqual(restore(["<national id 2>"], values).texts, ["X"]);
  for (const other of [
    "<EMAIL_2>",
    "<EMAIL_11>",
    "<EMAIL_01>",
    "EMAIL_1",
    "[EMAIL_1]",
    "<EMAIL_1",
  ]) {
    assert.deepEqual(restore([other], values).texts, [other]);
  }
});

test("a value that looks like a placeholder is put back and left alone", () => {
  const values = new Map([
    ["<A_1>", "<A_2>"],
    ["<A_2>", "$& $1"],
  ]);
  assert.deepEqual(restore(["<A_1><A_2>"], values).texts, ["<A_2>$& $1"]);
});

/** Texts of what means something here. */
const pieces = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        jane,
        john,
        key,
        "<EMAIL_1>",
        "<email-2>",
        "\\",
        "\\<",
        "<",
        ">",
        "&lt;",
        "&gt;",
        "%3C",
        "\\u003c",
        "EMAIL_1",
        "_1",
        " ",
        "😀",
        "8.8.8.8",
        "DE89 3704 0044 0532 0130 00",
        "$&",
      ),
      fc.string({ unit: "grapheme", maxLength: 6 }),
    ),
    { maxLength: 14 },
  )
  .map((parts) => parts.join(""));

test("redacted, then restored, is the original", () => {
  fc.assert(
    fc.property(fc.array(pieces, { minLength: 1, maxLength: 3 }), (texts) => {
      const { texts: hidden, values } = redacted(...texts);
      assert.deepEqual(restore(hidden, values).texts, texts);
    }),
    { numRuns: 500 },
  );
});

test("the same whatever the findings are; places are in order, none over another, and hold their values", () => {
  const findings = fc.array(
    fc.record({
      label: fc.constantFrom("pii/email", "pii/phone", "secret/a-b"),
      score: fc.constantFrom(0.1, 0.5),
      start: fc.nat(40),
      end: fc.nat(40),
    }),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(pieces, findings, (text, some) => {
      const inside = some.filter(({ start, end }) => start <= end && end <= text.length);
      const { texts, replacements, values } = redact([text], [inside]);
      assert.deepEqual(restore(texts, values).texts, [text]);
      let at = 0;
      for (const { start, end, placeholder } of replacements) {
        assert.ok(at <= start && start < end && end <= text.length);
        assert.equal(values.get(placeholder), text.slice(start, end));
        at = end;
      }
      for (const { start, end } of inside.filter((finding) => finding.start < finding.end)) {
        assert.ok(replacements.some((place) => place.start <= start && end <= place.end));
      }
    }),
    { numRuns: 1000 },
  );
});

test("a text of nothing but openings is read once", () => {
  for (const part of ["<", "<a_", "&lt;", "%3Ca", "<a a a ", "\\u003c", "<A_1"]) {
    assert.deepEqual(placeholdersIn(part.repeat(100_000)), []);
  }
});
