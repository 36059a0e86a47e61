/**
 * The model as ONNX, for a fair peer: the same weights, in fp32 and in the forms
 * that int8 quantisation gives, with onnxruntime's fused operators written out,
 * so that nothing hangs on its graph optimiser finding them.
 *
 * Dynamic quantisation measures the activations' range in each pass. Static quantisation knows
 * it from calibration: the smallest and largest value of each tensor over a few hundred texts, which
 * `calibrationOnnx` gives. Its two forms are those of onnxruntime's own quantiser: `qdq` puts
 * QuantizeLinear and DequantizeLinear around float operators and leaves it to the optimiser to make
 * integer ones of them, `qoperator` writes the integer ones.
 */
import { readFileSync } from "node:fs";
import { Graph } from "./onnx.ts";
import { readSafeTensors, type Tensor } from "./safetensors.ts";

export interface Variant {
  readonly name: string;
  readonly form: "fp32" | "dynamic" | "qdq" | "qoperator";
  /** Of quantised activations. Dynamic quantisation in ONNX has unsigned ones alone. */
  readonly activations: "uint8" | "int8";
  readonly weights: "uint8" | "int8";
  /** A scale for each output channel, or for the tensor. */
  readonly perChannel: boolean;
  /** Weights of 7 bits, so that no pair of products saturates where vpmaddubsw adds them (AVX2). */
  readonly reducedRange: boolean;
  /** Attention with its projection in one operator (QAttention), or a product and MultiHeadAttention. */
  readonly fusedAttention: boolean;
  /** Of `qdq`: products are quantised too, as the quantiser does it, or stay floats. */
  readonly quantisedProducts: boolean;
  /**
   * The last layer goes on with the first token alone after its attention, as ours does. No exporter
   * writes that, so it is measured beside the peers and is none of them.
   */
  readonly firstTokenLast: boolean;
}

const fp32: Variant = {
  name: "fp32",
  form: "fp32",
  activations: "uint8",
  weights: "int8",
  perChannel: false,
  reducedRange: false,
  fusedAttention: false,
  quantisedProducts: false,
  firstTokenLast: false,
};

function named(variant: Omit<Variant, "name">): Variant {
  const letter = (type: "uint8" | "int8") => (type === "int8" ? "s8" : "u8");
  const form = { fp32: "", dynamic: "dynamic", qdq: "static QDQ", qoperator: "static QOperator" };
  const parts = [
    `int8 ${form[variant.form]} ${letter(variant.activations)}${letter(variant.weights)}`,
    variant.perChannel ? "per channel" : "per tensor",
    ...(variant.reducedRange ? ["reduced range"] : []),
    ...(variant.fusedAttention ? ["QAttention"] : []),
    ...(variant.form === "qdq" && !variant.quantisedProducts ? ["float products"] : []),
    ...(variant.firstTokenLast ? ["last layer of the first token"] : []),
  ];
  return { ...variant, name: parts.join(", ") };
}

const both = [true, false] as const;
const dynamic = { ...fp32, form: "dynamic" } as const;
const qdq = { ...fp32, form: "qdq" } as const;
const qoperator = { ...fp32, form: "qoperator" } as const;

/** What is measured: fp32, and the forms of int8 that onnxruntime's quantiser writes. */
export const variants: readonly Variant[] = [
  fp32,
  ...(["int8", "uint8"] as const).flatMap((weights) =>
    both.flatMap((perChannel) =>
      both.map((fusedAttention) => named({ ...dynamic, weights, perChannel, fusedAttention })),
    ),
  ),
  named({ ...dynamic, fusedAttention: true, reducedRange: true }),
  ...(["uint8", "int8"] as const).flatMap((activations) =>
    both.flatMap((perChannel) =>
      both.map((quantisedProducts) =>
        named({ ...qdq, activations, perChannel, quantisedProducts }),
      ),
    ),
  ),
  ...both.map((perChannel) => named({ ...qoperator, perChannel })),
  named({ ...qoperator, activations: "int8" }),
  named({ ...qoperator, fusedAttention: true }),
  named({ ...qdq, weights: "uint8" }),
  named({ ...dynamic, fusedAttention: true, firstTokenLast: true }),
  named({ ...qdq, firstTokenLast: true }),
];

/** Whether a variant competes: int8, over the graph as an exporter writes it. */
export function isInt8Peer({ form, firstTokenLast }: Variant): boolean {
  return form !== "fp32" && !firstTokenLast;
}

/** The smallest and largest value of a tensor over the calibration texts. */
export interface Range {
  readonly smallest: number;
  readonly largest: number;
}

/** Of each product of the model the ranges of its input and its output: keys `NAME in` and `NAME out`. */
export type Ranges = ReadonlyMap<string, Range>;

const microsoft = "com.microsoft";

export interface Linear {
  readonly name: string;
  /** [inputs][outputs], the transpose of the file's. */
  readonly matrix: Float32Array;
  readonly bias: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
}

function transposed({ shape, values }: Tensor): Float32Array {
  const [rows = 0, columns = 0] = shape;
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = values[row * columns + column] as number;
    }
  }
  return result;
}

function quantise({ matrix, inputs, outputs }: Linear, variant: Variant) {
  const { perChannel } = variant;
  const isSigned = variant.weights === "int8";
  const steps = variant.reducedRange ? 63 : 127;
  const largest = new Float32Array(perChannel ? outputs : 1);
  for (let index = 0; index < matrix.length; index++) {
    const at = perChannel ? index % outputs : 0;
    largest[at] = Math.max(largest[at] as number, Math.abs(matrix[index] as number));
  }
  const scales = largest.map((value) => value / steps);
  const values = new Int8Array(inputs * outputs);
  for (let index = 0; index < matrix.length; index++) {
    const scale = scales[perChannel ? index % outputs : 0] as number;
    const value = Math.max(-steps, Math.min(steps, Math.round((matrix[index] as number) / scale)));
    values[index] = isSigned ? value : value + 128;
  }
  const zeros = new Int8Array(largest.length).fill(isSigned ? 0 : -128);
  return { scales, values, zeros };
}

/** Scale and zero point of activations in a calibrated range, which is widened to hold 0. */
export function staticScale(
  { smallest, largest }: Range,
  type: "uint8" | "int8",
): { scale: number; zero: number } {
  const [low, high] = [Math.min(smallest, 0), Math.max(largest, 0)];
  if (type === "int8") return { scale: Math.max(-low, high, 1e-9) / 127, zero: 0 };
  const scale = Math.max(high - low, 1e-9) / 255;
  return { scale, zero: Math.round(-low / scale) };
}

/** The model that all variants are made from, read once. */
export interface Source {
  readonly layers: number;
  readonly heads: number;
  readonly hidden: number;
  readonly epsilon: number;
  /** The table of words, its kept rows alone: two dozen sessions with all of them would fill gigabytes. */
  readonly words: Tensor;
  vector(name: string): Float32Array;
  matrix(name: string): Tensor;
  /** A linear layer, or several of the same inputs beside each other. */
  linear(name: string, parts?: readonly string[]): Linear;
}

/**
 * Reads a model folder.
 *
 * @param vocabulary the rows of the table of words to keep, in the order in which `ids` then names them
 */
export function readSource(modelFolder: string, vocabulary: readonly number[]): Source {
  const config = JSON.parse(readFileSync(`${modelFolder}/config.json`, "utf8"));
  const tensor = readSafeTensors(`${modelFolder}/model.safetensors`);
  const hidden = config.hidden_size as number;
  const { values: rows } = tensor("bert.embeddings.word_embeddings.weight");
  const words = new Float32Array(vocabulary.length * hidden);
  for (const [at, id] of vocabulary.entries())
    words.set(rows.subarray(id * hidden, (id + 1) * hidden), at * hidden);
  const linears = new Map<string, Linear>();
  const linear = (name: string, parts: readonly string[] = [name]): Linear => {
    const known = linears.get(name);
    if (known !== undefined) return known;
    const weights = parts.map((part) => tensor(`${part}.weight`));
    const biases = parts.map((part) => tensor(`${part}.bias`).values);
    const inputs = weights[0]?.shape[1] ?? 0;
    const bias = joined(biases);
    const stacked = joined(weights.map(({ values }) => values));
    const matrix = transposed({ shape: [bias.length, inputs], values: stacked });
    const read = { name, matrix, bias, inputs, outputs: bias.length };
    linears.set(name, read);
    return read;
  };
  return {
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    hidden,
    epsilon: config.layer_norm_eps,
    words: { shape: [vocabulary.length, hidden], values: words },
    vector: (name) => tensor(name).values,
    matrix: tensor,
    linear,
  };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Builds the model file of a variant. Input `ids` int64 [1, tokens], output `logit` float [1, 1].
 *
 * @param ranges what static forms need, from the outputs of `calibrationOnnx`
 */
export function encoderOnnx(source: Source, variant: Variant, ranges?: Ranges): Buffer {
  return build(source, variant, ranges, false).file;
}

/** The fp32 model whose outputs are the smallest and the largest value of each tensor to calibrate. */
export function calibrationOnnx(source: Source): {
  file: Buffer;
  tensors: readonly { key: string; smallest: string; largest: string }[];
} {
  return build(source, fp32, undefined, true);
}

function build(source: Source, variant: Variant, ranges: Ranges | undefined, calibrates: boolean) {
  const { hidden, heads, linear } = source;
  const graph = new Graph();
  const vector = (values: Float32Array) => graph.constant("float", [values.length], values);
  const float = (value: number) => graph.constant("float", [], Float32Array.of(value));
  const integer = (...values: number[]) =>
    graph.constant("int64", [values.length], BigInt64Array.from(values, BigInt));
  /** The only output of an operator. */
  const one = (...node: Parameters<Graph["node"]>): string => graph.node(...node)[0] ?? "";
  const add = (input: string, bias: Float32Array) => one("Add", [input, vector(bias)]);
  const tensors: { key: string; smallest: string; largest: string }[] = [];
  const observe = (key: string, name: string): void => {
    if (!calibrates) return;
    const attributes = { keepdims: 0 };
    const [smallest, largest] = [
      one("ReduceMin", [name], { attributes }),
      one("ReduceMax", [name], { attributes }),
    ];
    tensors.push({ key, smallest, largest });
  };

  const weightConstants = (weights: Linear, single: readonly number[]) => {
    const { scales, values, zeros } = quantise(weights, variant);
    const shape = variant.perChannel ? [weights.outputs] : single;
    return [
      graph.constant(variant.weights, [weights.inputs, weights.outputs], values),
      graph.constant("float", shape, scales),
      graph.constant(variant.weights, shape, zeros),
    ] as const;
  };

  /** Scale and zero point as constants. */
  const activationConstants = (key: string) => {
    const range = ranges?.get(key);
    if (range === undefined) throw new Error(`Expected a calibrated range of ${key}`);
    const { scale, zero } = staticScale(range, variant.activations);
    const zeros = variant.activations === "int8" ? Int8Array.of(zero) : Uint8Array.of(zero);
    return [float(scale), graph.constant(variant.activations, [], zeros)] as const;
  };

  const quantised = new Map<string, string>();
  /** The input quantised statically, once for all who read it. */
  const quantisedInput = (input: string, constants: readonly string[]) => {
    const known = quantised.get(input) ?? one("QuantizeLinear", [input, ...constants]);
    quantised.set(input, known);
    return known;
  };

  const multiply = (input: string, weights: Linear, withBias: boolean): string => {
    const { name, inputs, outputs, bias } = weights;
    const biased = (product: string) => (withBias ? add(product, bias) : product);
    if (variant.form === "fp32") {
      const matrix = graph.constant("float", [inputs, outputs], weights.matrix);
      const product = one("MatMul", [input, matrix]);
      observe(`${name} in`, input);
      observe(`${name} out`, product);
      return biased(product);
    }
    const [matrix, scale, zero] = weightConstants(weights, []);
    if (variant.form === "dynamic") {
      const names = [input, matrix, scale, zero, ...(withBias ? [vector(bias)] : [])];
      return one("DynamicQuantizeMatMul", names, { domain: microsoft });
    }
    const inputScale = activationConstants(`${name} in`);
    const integers = quantisedInput(input, inputScale);
    if (variant.form === "qoperator") {
      const outputScale = activationConstants(`${name} out`);
      const names = [integers, ...inputScale, matrix, scale, zero, ...outputScale];
      return biased(one("DequantizeLinear", [one("QLinearMatMul", names), ...outputScale]));
    }
    const floats = one("DequantizeLinear", [integers, ...inputScale]);
    const axis = variant.perChannel ? { attributes: { axis: 1 } } : {};
    const product = one("MatMul", [floats, one("DequantizeLinear", [matrix, scale, zero], axis)]);
    if (!variant.quantisedProducts) return biased(product);
    const outputScale = activationConstants(`${name} out`);
    const again = one("QuantizeLinear", [product, ...outputScale]);
    return biased(one("DequantizeLinear", [again, ...outputScale]));
  };

  const attention = (input: string, weights: Linear): string => {
    const attributes = { num_heads: heads };
    if (variant.fusedAttention) {
      const [matrix, scale, zero] = weightConstants(weights, [1]);
      const [integers = "", inputScale = "", inputZero = ""] =
        variant.form === "dynamic"
          ? graph.node("DynamicQuantizeLinear", [input], { outputs: 3 })
          : ((constants) => [quantisedInput(input, constants), ...constants])(
              activationConstants(`${weights.name} in`),
            );
      const bias = vector(weights.bias);
      const names = [integers, matrix, bias, inputScale, scale, "", inputZero, zero];
      return one("QAttention", names, { domain: microsoft, attributes });
    }
    const projected = multiply(input, weights, true);
    const parts = graph.node("Split", [projected, integer(hidden, hidden, hidden)], {
      outputs: 3,
      attributes: { axis: 2 },
    });
    return one("MultiHeadAttention", parts, { domain: microsoft, attributes });
  };

  const norm = (name: string) => [
    vector(source.vector(`${name}.weight`)),
    vector(source.vector(`${name}.bias`)),
  ];
  const epsilon = { epsilon: { float: source.epsilon } };
  const addNorm = (input: string, skip: string, name: string, bias: Float32Array): string => {
    const inputs = [input, skip, ...norm(name), vector(bias)];
    return one("SkipLayerNormalization", inputs, { domain: microsoft, attributes: epsilon });
  };
  /** [1, tokens, hidden] to [1, 1, hidden]. */
  const firstToken = (input: string) => one("Slice", [input, integer(0), integer(1), integer(1)]);

  const embeddings = "bert.embeddings.";
  const constant = ({ shape, values }: Tensor) => graph.constant("float", shape, values);
  const words = one("Gather", [constant(source.words), "ids"]);
  const length = one("Gather", [one("Shape", ["ids"]), integer(1)]);
  const table = source.matrix(`${embeddings}position_embeddings.weight`);
  const positions = one("Slice", [constant(table), integer(0), length, integer(0)]);
  const types = source.vector(`${embeddings}token_type_embeddings.weight`).slice(0, hidden);
  const summed = one("Add", [words, add(positions, types)]);
  let x = one("LayerNormalization", [summed, ...norm(`${embeddings}LayerNorm`)], {
    attributes: epsilon,
  });
  for (let index = 0; index < source.layers; index++) {
    const layer = `bert.encoder.layer.${index}.`;
    const self = `${layer}attention.self`;
    const parts = ["query", "key", "value"].map((part) => `${self}.${part}`);
    let context = attention(x, linear(self, parts));
    if (variant.firstTokenLast && index + 1 === source.layers)
      [context, x] = [firstToken(context), firstToken(x)];
    const output = linear(`${layer}attention.output.dense`);
    x = addNorm(
      multiply(context, output, false),
      x,
      `${layer}attention.output.LayerNorm`,
      output.bias,
    );
    const inner = linear(`${layer}intermediate.dense`);
    const active = one("BiasGelu", [multiply(x, inner, false), vector(inner.bias)], {
      domain: microsoft,
    });
    const outer = linear(`${layer}output.dense`);
    x = addNorm(multiply(active, outer, false), x, `${layer}output.LayerNorm`, outer.bias);
  }
  const zeroth = graph.constant("int64", [], BigInt64Array.of(0n));
  const first = one("Gather", [x, zeroth], { attributes: { axis: 1 } });
  const head = linear("classifier");
  const product = one("MatMul", [first, graph.constant("float", [hidden, 1], head.matrix)]);
  const logit = add(product, head.bias);
  const scalar = (name: string) => [name, "float", []] as const;
  const outputs = calibrates
    ? tensors.flatMap(({ smallest, largest }) => [scalar(smallest), scalar(largest)])
    : [[logit, "float", [1, 1]] as const];
  return { file: graph.model([["ids", "int64", [1, "tokens"]]], outputs), tensors };
}
