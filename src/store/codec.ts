/** Values as they lie in the store: a checksum, then MessagePack. */

import { crc32 } from "node:zlib";
import { Packr } from "msgpackr";

const packr = new Packr({ useRecords: false });
const checksumBytes = 4;

/** @returns CRC-32 of the rest (little endian), then the value as MessagePack */
export function encode(value: unknown): Buffer {
  const packed = packr.pack(value);
  const bytes = Buffer.allocUnsafe(checksumBytes + packed.length);
  bytes.writeUInt32LE(crc32(packed), 0);
  packed.copy(bytes, checksumBytes);
  return bytes;
}

/** @returns the value, or nothing where the checksum is off or it is no MessagePack */
export function decode(bytes: Buffer): unknown {
  if (bytes.length <= checksumBytes) return undefined;
  const packed = bytes.subarray(checksumBytes);
  if (crc32(packed) !== bytes.readUInt32LE(0)) return undefined;
  try {
    return packr.unpack(packed);
  } catch {
    return undefined;
  }
}
