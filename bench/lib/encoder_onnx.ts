/**
 * The model as ONNX, for a fair peer: the same weights, in fp32 and in the forms
 * that dynamic int8 quantisation gives, with onnxruntime's fused operators
 * written out, so that nothing hangs on its graph optimiser finding them.
 */
import { readFileSync } from "node:fs";
import { Graph } from "./onnx.ts";
import { readSafeTensors, type Tensor } from "./safetensors.ts";

export interface Variant {
  readonly name: string;
  readonly quantised: boolean;
  /** Of int8 weights: signed or unsigned, a scale for each output channel or for the tensor. */
  readonly signed: boolean;
  readonly perChannel: boolean;
  /** Attention with its projection in one operator (QAttention), or a product and MultiHeadAttention. */
  readonly fusedAttention: boolean;
}

export const variants: readonly Variant[] = [
  { name: "fp32", quantised: false, signed: false, perChannel: false, fusedAttention: false },
  ...[true, false].flatMap((signed) =>
    [true, false].flatMap((perChannel) =>
      [true, false].map((fusedAttention) => ({
        name: `int8 ${signed ? "signed" : "unsigned"}, per ${perChannel ? "channel" : "tensor"}${fusedAttention ? ", QAttention" : ""}`,
        quantised: true,
        signed,
        perChannel,
        fusedAttention,
      })),
    ),
  ),
];

const microsoft = "com.microsoft";

interface Weights {
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

function quantise({ matrix, inputs, outputs }: Weights, { signed, perChannel }: Variant) {
  const largest = new Float32Array(perChannel ? outputs : 1);
  for (let index = 0; index < matrix.length; index++) {
    const at = perChannel ? index % outputs : 0;
    largest[at] = Math.max(largest[at] as number, Math.abs(matrix[index] as number));
  }
  const scales = largest.map((value) => value / 127);
  const values = new Int8Array(inputs * outputs);
  for (let index = 0; index < matrix.length; index++) {
    const scale = scales[perChannel ? index % outputs : 0] as number;
    const value = Math.max(-127, Math.min(127, Math.round((matrix[index] as number) / scale)));
    values[index] = signed ? value : value + 128;
  }
  const zeros = new Int8Array(largest.length).fill(signed ? 0 : -128);
  return { scales, values, zeros };
}

/** Builds the model file of a variant. Input `ids` int64 [1, tokens], output `logit` float [1, 1]. */
export function encoderOnnx(modelFolder: string, variant: Variant): Buffer {
  const config = JSON.parse(readFileSync(`${modelFolder}/config.json`, "utf8"));
  const tensor = readSafeTensors(`${modelFolder}/model.safetensors`);
  const hidden = config.hidden_size as number;
  const heads = config.num_attention_heads as number;
  const graph = new Graph();
  const vector = (values: Float32Array) => graph.constant("float", [values.length], values);
  const integer = (...values: number[]) =>
    graph.constant("int64", [values.length], BigInt64Array.from(values, BigInt));

  const dense = (names: readonly string[]): Weights => {
    const parts = names.map((name) => ({
      weight: tensor(`${name}.weight`),
      bias: tensor(`${name}.bias`).values,
    }));
    const inputs = parts[0]?.weight.shape[1] ?? 0;
    const stacked = new Float32Array(parts.flatMap(({ weight }) => [...weight.values]));
    const bias = new Float32Array(parts.flatMap((part) => [...part.bias]));
    const matrix = transposed({ shape: [bias.length, inputs], values: stacked });
    return { matrix, bias, inputs, outputs: bias.length };
  };

  const multiply = (input: string, weights: Weights, withBias: boolean): string => {
    const { inputs, outputs, bias } = weights;
    if (!variant.quantised) {
      const matrix = graph.constant("float", [inputs, outputs], weights.matrix);
      const [product = ""] = graph.node("MatMul", [input, matrix]);
      return withBias ? (graph.node("Add", [product, vector(bias)])[0] ?? "") : product;
    }
    const { scales, values, zeros } = quantise(weights, variant);
    const type = variant.signed ? "int8" : "uint8";
    const shape = variant.perChannel ? [outputs] : [];
    const matrix = graph.constant(type, [inputs, outputs], values);
    const scale = graph.constant("float", shape, scales);
    const zero = graph.constant(type, shape, zeros);
    const arguments_ = [input, matrix, scale, zero, ...(withBias ? [vector(bias)] : [])];
    return graph.node("DynamicQuantizeMatMul", arguments_, { domain: microsoft })[0] ?? "";
  };

  const attention = (input: string, weights: Weights): string => {
    if (variant.quantised && variant.fusedAttention) {
      const { scales, values, zeros } = quantise(weights, variant);
      const type = variant.signed ? "int8" : "uint8";
      const shape = variant.perChannel ? [weights.outputs] : [1];
      const [quantised = "", scale = "", zero = ""] = graph.node("DynamicQuantizeLinear", [input], {
        outputs: 3,
      });
      const inputs = [
        quantised,
        graph.constant(type, [weights.inputs, weights.outputs], values),
        vector(weights.bias),
        scale,
        graph.constant("float", shape, scales),
        "",
        zero,
        graph.constant(type, shape, zeros),
      ];
      return (
        graph.node("QAttention", inputs, {
          domain: microsoft,
          attributes: { num_heads: heads },
        })[0] ?? ""
      );
    }
    const projected = multiply(input, weights, true);
    const parts = graph.node("Split", [projected, integer(hidden, hidden, hidden)], {
      outputs: 3,
      attributes: { axis: 2 },
    });
    return (
      graph.node("MultiHeadAttention", parts, {
        domain: microsoft,
        attributes: { num_heads: heads },
      })[0] ?? ""
    );
  };

  const norm = (name: string) => [
    vector(tensor(`${name}.weight`).values),
    vector(tensor(`${name}.bias`).values),
  ];
  const epsilon = { epsilon: { float: config.layer_norm_eps } };
  const addNorm = (input: string, skip: string, name: string, bias: Float32Array): string => {
    const inputs = [input, skip, ...norm(name), vector(bias)];
    return (
      graph.node("SkipLayerNormalization", inputs, { domain: microsoft, attributes: epsilon })[0] ??
      ""
    );
  };

  const embeddings = "bert.embeddings.";
  const table = (name: string) => {
    const { shape, values } = tensor(embeddings + name);
    return graph.constant("float", shape, values);
  };
  const [words = ""] = graph.node("Gather", [table("word_embeddings.weight"), "ids"]);
  const [shape = ""] = graph.node("Shape", ["ids"]);
  const [length = ""] = graph.node("Gather", [shape, integer(1)]);
  const [positions = ""] = graph.node("Slice", [
    table("position_embeddings.weight"),
    integer(0),
    length,
    integer(0),
  ]);
  const types = tensor(`${embeddings}token_type_embeddings.weight`).values.slice(0, hidden);
  const [typed = ""] = graph.node("Add", [positions, vector(types)]);
  const [summed = ""] = graph.node("Add", [words, typed]);
  let [x = ""] = graph.node("LayerNormalization", [summed, ...norm(`${embeddings}LayerNorm`)], {
    attributes: epsilon,
  });
  for (let index = 0; index < config.num_hidden_layers; index++) {
    const layer = `bert.encoder.layer.${index}.`;
    const self = `${layer}attention.self.`;
    const context = attention(x, dense([`${self}query`, `${self}key`, `${self}value`]));
    const output = dense([`${layer}attention.output.dense`]);
    x = addNorm(
      multiply(context, output, false),
      x,
      `${layer}attention.output.LayerNorm`,
      output.bias,
    );
    const inner = dense([`${layer}intermediate.dense`]);
    const widened = multiply(x, inner, false);
    const [active = ""] = graph.node("BiasGelu", [widened, vector(inner.bias)], {
      domain: microsoft,
    });
    const outer = dense([`${layer}output.dense`]);
    x = addNorm(multiply(active, outer, false), x, `${layer}output.LayerNorm`, outer.bias);
  }
  const [first = ""] = graph.node(
    "Gather",
    [x, graph.constant("int64", [], BigInt64Array.of(0n))],
    {
      attributes: { axis: 1 },
    },
  );
  const head = dense(["classifier"]);
  const [product = ""] = graph.node("MatMul", [
    first,
    graph.constant("float", [hidden, 1], head.matrix),
  ]);
  const [logit = ""] = graph.node("Add", [product, vector(head.bias)]);
  return graph.model([["ids", "int64", [1, "tokens"]]], [[logit, "float", [1, 1]]]);
}
