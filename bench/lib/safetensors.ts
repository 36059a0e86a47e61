/** Reading a model.safetensors file as 32-bit floats. */
import { readFileSync } from "node:fs";

export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

function fromHalf(half: number): number {
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  const magnitude =
    exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return half & 0x8000 ? -magnitude : magnitude;
}

/** Reads tensors by name. Types F32 and F16. */
export function readSafeTensors(path: string): (name: string) => Tensor {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerLength));
  return (name) => {
    const entry = header[name] as {
      dtype: string;
      shape: number[];
      data_offsets: [number, number];
    };
    if (entry === undefined) throw new Error(`Expected a tensor ${name} in ${path}`);
    const [begin, end] = entry.data_offsets.map((offset) => offset + 8 + headerLength) as [
      number,
      number,
    ];
    const raw = bytes.subarray(begin, end);
    const width = entry.dtype === "F32" ? 4 : 2;
    const values = new Float32Array(raw.length / width);
    for (let index = 0; index < values.length; index++) {
      values[index] =
        width === 4 ? raw.readFloatLE(index * 4) : fromHalf(raw.readUInt16LE(index * 2));
    }
    return { shape: entry.shape, values };
  };
}
