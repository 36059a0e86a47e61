import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import fc from "fast-check";
import { type NationalNumber, nationalNumbers } from "../../src/scan/pii/national.ts";
import { questionsMax } from "../../src/scan/pii/phone.ts";
import { piiScanner } from "../../src/scan/pii.ts";
import { readings } from "../../src/text/views.ts";
import { type Cases, testCases } from "./cases.ts";

testCases(piiScanner, "pii.json", 0);

const file = new URL("../data/pii.json", import.meta.url);
const { hits } = JSON.parse(readFileSync(file, "utf8")) as Cases;
const raw = (text: string) => readings(text).readings.slice(0, 1);
const findings = (text: string) => piiScanner.scan({ text, origin: "user", readings: raw(text) });

test("every kind and every country's number has a hit in the case file", () => {
  const tested = new Set(hits.map(([, label]) => label));
  const ids = ["email", "phone", "iban", "card", "ip"];
  for (const { id } of nationalNumbers) ids.push(`national-id.${id}`);
  assert.deepEqual(
    ids.filter((id) => !tested.has(id)),
    [],
  );
});

test("personal data is recorded, and flags nothing", () => {
  for (const [text] of hits) {
    for (const { score, label } of findings(text)) assert.ok(score > 0 && score < 0.5, label);
  }
});

/**
 * Which validator of stdnum knows a number, and whether it agrees on every one; if not, it asks more than
 * we do: a birth in the past, a known office. Those that take days past the end of a month are left out.
 */
const peers: Readonly<Record<string, readonly [module: string, agrees: boolean]>> = {
  "ar-cuil": ["ar/cuit", false],
  "au-tfn": ["au/tfn", true],
  "br-cpf": ["br/cpf", true],
  "ca-sin": ["ca/sin", true],
  "ch-ahv": ["ch/ssn", true],
  "cl-rut": ["cl/rut", true],
  "cn-ric": ["cn/ric", false],
  "cz-rc": ["cz/rc", false],
  "dk-cpr": ["dk/cpr", false],
  "es-dni": ["es/dni", true],
  "es-nie": ["es/nie", true],
  "fi-hetu": ["fi/hetu", false],
  "fr-nir": ["fr/nir", true],
  "gr-amka": ["gr/amka", false],
  "hk-id": ["hk/hkid", false],
  "hr-oib": ["hr/oib", true],
  "il-id": ["il/idnr", true],
  "in-aadhaar": ["in/aadhaar", true],
  "it-cf": ["it/codicefiscale", false],
  "kr-rrn": ["kr/rrn", false],
  "mx-curp": ["mx/curp", false],
  "nl-bsn": ["nl/bsn", true],
  "no-fnr": ["no/fodselsnummer", false],
  "pl-pesel": ["pl/pesel", false],
  "pt-nif": ["pt/nif", true],
  "ro-cnp": ["ro/cnp", false],
  "th-id": ["th/idnr", true],
  "tr-tckn": ["tr/tckimlik", true],
  "tw-id": ["tw/natid", true],
  "us-ssn": ["us/ssn", false],
};

const load = createRequire(import.meta.url);
type Validate = (number: string) => { readonly isValid: boolean };

function peerOf(module: string): Validate {
  const loaded = load(`stdnum/lib/cjs/${module}.js`);
  return (loaded.validate ?? loaded.default.validate) as Validate;
}

/** Numbers of the form, by turning the digits and letters of a valid one. */
function variants(written: string): fc.Arbitrary<string> {
  return fc.tuple(...[...written].map(turned)).map((characters) => characters.join(""));
}

function turned(character: string): fc.Arbitrary<string> {
  const isLast = fc.constantFrom(
    ...(/\d/.test(character)
      ? "0123456789"
      : /[A-Z]/.test(character)
        ? "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        : character),
  );
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant(character) },
    { weight: 1, arbitrary: isLast },
  );
}

function isOurs({ pattern, isValid, before = 0 }: NationalNumber, written: string): boolean {
  pattern.lastIndex = before;
  const fits = pattern.test(written) && pattern.lastIndex === written.length;
  return fits && isValid(written.replace(/[^A-Za-z0-9]/g, ""));
}

test("check digits agree with stdnum's", () => {
  for (const [id, [module, agrees]] of Object.entries(peers)) {
    const validate = peerOf(module);
    const national = nationalNumbers.filter((one) => one.id === id);
    const written = hits.find(([, label]) => label === `national-id.${id}`)?.[2] ?? "";
    fc.assert(
      fc.property(variants(written), (number) => {
        const ours = national.some((one) => isOurs(one, number));
        const fits = national.some((one) => isOurs({ ...one, isValid: () => true }, number));
        // It knows the separators of some forms only.
        const theirs = validate(number.replace(/[. ]/g, "")).isValid;
        if (agrees) assert.equal(ours, fits && theirs, `${id} ${number}`);
        else if (fits && theirs) assert.ok(ours, `${id} ${number}`);
      }),
      { numRuns: 300 },
    );
  }
});

test("a number whose check says little counts only where it is named", () => {
  for (const { id, context, alone } of nationalNumbers) {
    if (context === undefined) continue;
    const written = hits
      .filter(([, label]) => label === `national-id.${id}`)
      .map(([, , part]) => part);
    for (const part of written.filter((one) => alone?.test(one) !== true)) {
      assert.ok(
        !findings(`Shipment ${part} left today`).some(({ label }) => label.endsWith(id)),
        id,
      );
    }
  }
});

const piece = fc.oneof(
  fc.constantFrom(...hits.map(([text]) => text), ...hits.map(([, , part]) => part)),
  fc.constantFrom(
    "+",
    "(",
    ")",
    "@",
    ":",
    "::",
    ".",
    "-",
    "/",
    " ",
    "00",
    "phone ",
    "a",
    "é",
    "_",
    "\n",
  ),
  fc.stringMatching(/^[0-9]{1,20}$/),
  fc.string({ unit: "grapheme", maxLength: 10 }),
);

test("texts made of numbers and pieces of them never throw, and findings lie in them apart and in order", () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      const text = pieces.join("").toWellFormed();
      const found = findings(text);
      assert.deepEqual(found, findings(text));
      let last = 0;
      for (const { start, end, label } of found) {
        assert.ok(last <= start && start < end && end <= text.length, label);
        assert.match(label, /^pii\/[a-z-]+(?:\.[a-z-]+)?$/);
        last = end;
      }
    }),
    { numRuns: 500 },
  );
});

test("a text made of hits makes a bounded number of findings of each kind", () => {
  for (const [text, label] of hits) {
    const count = findings(`${text}\n`.repeat(200)).length;
    assert.ok(count > 0 && count <= 150, `${label}: ${count}`);
  }
});

test("past the questions that a text may cost, what looks like a telephone number counts as one", () => {
  const none = "+999 123 45678\n".repeat(questionsMax * 4);
  assert.ok(findings(none).length > 0);
  assert.equal(findings("+999 123 45678\n".repeat(20)).length, 0);
});
