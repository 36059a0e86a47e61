/** Values with a checksum: what was damaged is nothing, never something else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decode, encode } from "../../src/store/codec.ts";

const leaf = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.integer(),
  // MessagePack's integers have no negative zero.
  fc.double({ noNaN: true }).map((number) => (number === 0 ? 0 : number)),
  fc.boolean(),
  fc.constant(null),
);
const value = fc.array(fc.oneof(leaf, fc.array(leaf)), { minLength: 1 });

test("a value is read back as it was", () => {
  fc.assert(
    fc.property(value, (given) => {
      assert.deepEqual(decode(encode(given)), given);
    }),
  );
});

test("with any bit flipped it is nothing", () => {
  fc.assert(
    fc.property(value, (given) => {
      const bytes = encode(given);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const damaged = Buffer.from(bytes);
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.equal(decode(damaged), undefined, `bit ${bit}`);
      }
    }),
    { numRuns: 50 },
  );
});

test("cut short anywhere, or with more behind it, it is nothing", () => {
  fc.assert(
    fc.property(value, fc.uint8Array({ minLength: 1, maxLength: 9 }), (given, more) => {
      const bytes = encode(given);
      for (let length = 0; length < bytes.length; length++) {
        assert.equal(decode(bytes.subarray(0, length)), undefined, `${length} bytes`);
      }
      assert.equal(decode(Buffer.concat([bytes, more])), undefined);
    }),
  );
});

test("any bytes decode without an error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      decode(Buffer.from(bytes));
    }),
    { numRuns: 2000 },
  );
});
