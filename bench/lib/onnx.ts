/**
 * Writes ONNX models: the few messages of its protobuf schema that a graph of
 * float and int8 tensors needs (onnx.proto3, field numbers in the code).
 */

export type Attribute = number | { readonly float: number };

const utf8 = (text: string) => Buffer.from(text, "utf8");

function varint(value: number | bigint): Buffer {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 128);
  } while (rest !== 0n);
  return Buffer.from(bytes);
}

const number = (field: number, value: number) => Buffer.concat([varint(field << 3), varint(value)]);
const block = (field: number, content: Uint8Array) =>
  Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);

const elementTypes = { float: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
export type ElementType = keyof typeof elementTypes;

function attribute(name: string, value: Attribute): Buffer {
  if (typeof value === "number") {
    return Buffer.concat([block(1, utf8(name)), number(3, value), number(20, 2)]);
  }
  const float = Buffer.alloc(5);
  float[0] = (2 << 3) | 5;
  float.writeFloatLE(value.float, 1);
  return Buffer.concat([block(1, utf8(name)), float, number(20, 1)]);
}

function valueInfo(
  name: string,
  type: ElementType,
  dimensions: readonly (number | string)[],
): Buffer {
  const shape = dimensions.map((size) =>
    block(1, typeof size === "number" ? number(1, size) : block(2, utf8(size))),
  );
  const tensor = Buffer.concat([number(1, elementTypes[type]), block(2, Buffer.concat(shape))]);
  return Buffer.concat([block(1, utf8(name)), block(2, block(1, tensor))]);
}

/** A graph under construction. Names of tensors are their own. */
export class Graph {
  readonly #nodes: Buffer[] = [];
  readonly #initializers: Buffer[] = [];
  #count = 0;

  /** Adds an operator and returns the names of its outputs. `domain` empty: ONNX's own. */
  node(
    operator: string,
    inputs: readonly string[],
    options: { domain?: string; outputs?: number; attributes?: Record<string, Attribute> } = {},
  ): string[] {
    const { domain = "", outputs = 1, attributes = {} } = options;
    const id = this.#count++;
    const names = Array.from({ length: outputs }, (_, index) => `${operator}_${id}_${index}`);
    this.#nodes.push(
      Buffer.concat([
        ...inputs.map((name) => block(1, utf8(name))),
        ...names.map((name) => block(2, utf8(name))),
        block(4, utf8(operator)),
        ...Object.entries(attributes).map(([name, value]) => block(5, attribute(name, value))),
        block(7, utf8(domain)),
      ]),
    );
    return names;
  }

  /** Adds a constant and returns its name. */
  constant(type: ElementType, dimensions: readonly number[], values: ArrayBufferView): string {
    const name = `constant_${this.#count++}`;
    this.#initializers.push(
      Buffer.concat([
        ...dimensions.map((size) => number(1, size)),
        number(2, elementTypes[type]),
        block(8, utf8(name)),
        block(9, Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
      ]),
    );
    return name;
  }

  /** The whole model file. */
  model(
    inputs: readonly (readonly [
      name: string,
      type: ElementType,
      dimensions: readonly (number | string)[],
    ])[],
    outputs: readonly (readonly [
      name: string,
      type: ElementType,
      dimensions: readonly (number | string)[],
    ])[],
  ): Buffer {
    const graph = Buffer.concat([
      ...this.#nodes.map((node) => block(1, node)),
      block(2, utf8("graph")),
      ...this.#initializers.map((tensor) => block(5, tensor)),
      ...inputs.map((input) => block(11, valueInfo(...input))),
      ...outputs.map((output) => block(12, valueInfo(...output))),
    ]);
    const opset = (domain: string, version: number) =>
      block(8, Buffer.concat([block(1, utf8(domain)), number(2, version)]));
    return Buffer.concat([number(1, 8), block(7, graph), opset("", 17), opset("com.microsoft", 1)]);
  }
}
