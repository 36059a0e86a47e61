#include "files.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "../tokenizer/json.h"

namespace ghostai {

namespace {

bool IsWhole(double value, double largest) {
  return value >= 0 && value <= largest && value == std::floor(value);
}

}  // namespace

Status ReadConfig(std::string_view json, Config* config) {
  JsonReader reader(json);
  std::string key, activation, type, position_type = "absolute";
  double hidden = 0, layers = 0, heads = 0, inner = 0, vocabulary = 0, positions = 0, epsilon = 0;
  double exit_width = 0, exit_inner = 0;
  config->exit_layers.clear();
  reader.EnterObject();
  while (reader.NextKey(&key)) {
    double* number = key == "hidden_size"               ? &hidden
                     : key == "num_hidden_layers"       ? &layers
                     : key == "num_attention_heads"     ? &heads
                     : key == "intermediate_size"       ? &inner
                     : key == "vocab_size"              ? &vocabulary
                     : key == "max_position_embeddings" ? &positions
                     : key == "layer_norm_eps"          ? &epsilon
                     : key == "exit_width"              ? &exit_width
                     : key == "exit_inner"              ? &exit_inner
                                                        : nullptr;
    if (number != nullptr) {
      reader.ReadNumber(number);
    } else if (key == "hidden_act") {
      reader.ReadString(&activation);
    } else if (key == "model_type") {
      reader.ReadString(&type);
    } else if (key == "position_embedding_type") {
      reader.ReadString(&position_type);
    } else if (key == "exit_layers") {
      reader.EnterArray();
      double layer;
      while (reader.NextElement() && reader.ReadNumber(&layer)) {
        // What is no layer becomes 0, which is none either.
        config->exit_layers.push_back(IsWhole(layer, 1e6) ? static_cast<int>(layer) : 0);
      }
    } else {
      reader.Skip();
    }
  }
  if (!reader.AtEnd())
    return Status::Error(StatusCode::kModelDamaged, "config.json: " + reader.error());
  auto unsupported = [](const std::string& message) {
    return Status::Error(StatusCode::kModelUnsupported, "config.json: expected " + message);
  };
  auto within = [](double value, double low, double high) {
    return value >= low && value <= high && value == static_cast<double>(static_cast<int>(value));
  };
  if (type != "bert") return unsupported("model_type bert but got " + Shown(type));
  if (activation != "gelu") return unsupported("hidden_act gelu but got " + Shown(activation));
  if (position_type != "absolute")
    return unsupported("absolute positions but got " + Shown(position_type));
  if (!within(hidden, 64, 4096) || static_cast<int>(hidden) % 64 != 0) {
    return unsupported("hidden_size to be a multiple of 64 up to 4096");
  }
  if (!within(inner, 64, 16384) || static_cast<int>(inner) % 64 != 0) {
    return unsupported("intermediate_size to be a multiple of 64 up to 16384");
  }
  if (!within(layers, 1, 96)) return unsupported("num_hidden_layers from 1 to 96");
  if (!within(heads, 1, 256) || static_cast<int>(hidden) % static_cast<int>(heads) != 0 ||
      static_cast<int>(hidden) / static_cast<int>(heads) % 32 != 0) {
    return unsupported("num_attention_heads to give heads whose size is a multiple of 32");
  }
  if (!within(vocabulary, 1, 4'000'000)) return unsupported("vocab_size from 1 to 4,000,000");
  if (!within(positions, 2, 8192)) return unsupported("max_position_embeddings from 2 to 8192");
  // As the float that it becomes: 1e-300 would be zero, and a row of equal values not a number.
  if (!(static_cast<float>(epsilon) > 0 && epsilon < 1))
    return unsupported("layer_norm_eps between 0 and 1");
  int previous = 0;
  for (int layer : config->exit_layers) {
    if (layer <= previous || layer >= static_cast<int>(layers)) {
      return unsupported("exit_layers to ascend from 1 to below num_hidden_layers");
    }
    previous = layer;
  }
  auto exit_size = [&](double value) {
    return within(value, 64, kExitSizeMax) && static_cast<int>(value) % 64 == 0;
  };
  if (previous > 0 && !(exit_size(exit_width) && exit_width <= hidden && exit_size(exit_inner))) {
    return unsupported(
        "exit_width, up to hidden_size, and exit_inner to be multiples of 64 up to 512");
  }
  config->hidden = static_cast<int>(hidden);
  config->layers = static_cast<int>(layers);
  config->heads = static_cast<int>(heads);
  config->inner = static_cast<int>(inner);
  config->vocabulary = static_cast<int>(vocabulary);
  config->positions = static_cast<int>(positions);
  config->exit_width = static_cast<int>(exit_width);
  config->exit_inner = static_cast<int>(exit_inner);
  config->epsilon = static_cast<float>(epsilon);
  return Status::Ok();
}

Status SafeTensors::Open(const std::string& path) {
  Status status = file_.Open(path);
  if (!status.ok()) return status;
  auto damaged = [](const std::string& message) {
    return Status::Error(StatusCode::kModelDamaged, "model.safetensors: " + message);
  };
  std::string_view bytes = file_.bytes();
  uint64_t header_size;
  if (bytes.size() < 8) return damaged("expected a header");
  std::memcpy(&header_size, bytes.data(), 8);
  if (header_size > bytes.size() - 8) return damaged("the header is longer than the file");
  size_t data = 8 + static_cast<size_t>(header_size);
  JsonReader reader(bytes.substr(8, header_size));
  std::string name, key;
  std::set<std::string> names;
  reader.EnterObject();
  while (reader.NextKey(&name)) {
    if (!names.insert(name).second) return damaged("two tensors are called " + Shown(name));
    if (name == "__metadata__") {
      reader.Skip();
      continue;
    }
    Tensor tensor;
    std::vector<double> shape, offsets;
    auto numbers = [&](std::vector<double>* out) {
      double number;
      reader.EnterArray();
      while (reader.NextElement() && reader.ReadNumber(&number)) out->push_back(number);
    };
    reader.EnterObject();
    while (reader.NextKey(&key)) {
      if (key == "dtype") {
        reader.ReadString(&tensor.type);
      } else if (key == "shape") {
        numbers(&shape);
      } else if (key == "data_offsets") {
        numbers(&offsets);
      } else {
        reader.Skip();
      }
    }
    if (reader.failed()) break;
    double room = static_cast<double>(bytes.size() - data);
    if (offsets.size() != 2 || !IsWhole(offsets[0], room) || !IsWhole(offsets[1], room) ||
        offsets[0] > offsets[1]) {
      return damaged("the data of " + Shown(name) + " does not lie in the file");
    }
    for (double size : shape) {
      if (!IsWhole(size, 1e9)) return damaged("the shape of " + Shown(name) + " is not one");
      tensor.shape.push_back(static_cast<size_t>(size));
    }
    tensor.name = name;
    tensor.begin = data + static_cast<size_t>(offsets[0]);
    tensor.end = data + static_cast<size_t>(offsets[1]);
    tensors_.push_back(std::move(tensor));
  }
  if (!reader.AtEnd()) return damaged(reader.error());
  return Status::Ok();
}

namespace {

float FromHalf(uint16_t half) {
  uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
  uint32_t bits;
  if (exponent == 31) {
    bits = sign | 0x7F800000 | fraction << 13;
  } else if (exponent != 0) {
    bits = sign | (exponent + 112) << 23 | fraction << 13;
  } else {
    float value = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

}  // namespace

Status SafeTensors::Read(const std::string& name, const std::vector<size_t>& shape,
                         std::vector<float>* values) const {
  auto found = std::find_if(tensors_.begin(), tensors_.end(),
                            [&](const Tensor& tensor) { return tensor.name == name; });
  auto refuse = [&](const std::string& message) {
    return Status::Error(StatusCode::kModelUnsupported,
                         "model.safetensors: expected " + name + message);
  };
  if (found == tensors_.end()) return refuse(" but it is missing");
  if (found->shape != shape) return refuse(" to have another shape");
  size_t count = 1;
  for (size_t size : shape) count *= size;
  size_t width = found->type == "F32" ? 4 : found->type == "F16" || found->type == "BF16" ? 2 : 0;
  if (width == 0) return refuse(" as F32, F16 or BF16 but got " + Shown(found->type));
  if (found->end - found->begin != count * width) return refuse(" to fill its bytes");
  const char* from = file_.bytes().data() + found->begin;
  values->resize(count);
  for (size_t i = 0; i < count; ++i) {
    float value;
    if (width == 4) {
      std::memcpy(&value, from + 4 * i, 4);
    } else {
      uint16_t half;
      std::memcpy(&half, from + 2 * i, 2);
      if (found->type == "F16") {
        value = FromHalf(half);
      } else {
        uint32_t bits = static_cast<uint32_t>(half) << 16;
        std::memcpy(&value, &bits, 4);
      }
    }
    if (!(value - value == 0)) return refuse(" to be finite");
    (*values)[i] = value;
  }
  return Status::Ok();
}

}  // namespace ghostai
