// Files that an import step makes of others and that are used in place: the
// weights (model.int8) and the tokenizer's tables (tokenizer.packed). Memory-
// mapped, checked before use, refused when anything in them is off.
//
// Little-endian. The head is a header and a table of `section_count` sections,
// filled up with zeros to a multiple of 64 bytes; then come the sections, each
// filled up likewise, one right after another. So every byte of the file lies
// under one checksum: the head under its own, a section under the one that the
// table has of it. Sections need no names: a format fixes their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "../status.h"

namespace ghostai {

// A file mapped read-only; its pages are shared by all processes that map it.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  Status Open(const std::string& path);
  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

// 64 bits over the bytes: finds damage, not malice (SHA-256 is for that, see
// src/model/folder.ts). Every step is a bijection of its lane, so one changed
// word always shows. Each of eight lanes walks an eighth of the bytes: eight
// streams keep more memory reads in flight than one does, and reading is all
// that a multiply and a rotate a word cost.
uint64_t Checksum(std::string_view bytes);

// A file that a packed one was made of.
struct PackedSource {
  uint64_t bytes;
  uint64_t checksum;
};

struct PackedHeader {
  char magic[8];
  uint32_t version;
  uint32_t section_count;
  uint64_t file_bytes;
  PackedSource sources[2];
  uint64_t head_checksum;  // of the head, with zeros here
};
static_assert(sizeof(PackedHeader) == 64);

struct PackedSection {
  uint64_t offset;
  uint64_t bytes;     // without what fills it up
  uint64_t checksum;  // with it
};
static_assert(sizeof(PackedSection) == 24);

struct PackedFormat {
  const char* file;   // its name in a model folder
  const char* magic;  // eight characters
  uint32_t version;
};

// One section's name (for messages) and size, in file order.
struct SectionPlan {
  static constexpr size_t kAnyBytes = SIZE_MAX;
  std::string name;
  size_t bytes;
};

class PackedFile {
 public:
  // Maps `<model_dir>/<format.file>` and checks all of it, so that what is not as packed never gets
  // past here: kModelNotFound, or kModelDamaged with what to do. What the sections mean is the
  // caller's to check.
  Status Open(const std::string& model_dir, const PackedFormat& format,
              const std::vector<SectionPlan>& plan);
  // kModelDamaged unless source `index` was these bytes.
  Status ExpectSource(size_t index, std::string_view bytes, const char* name) const;
  const PackedSource& source(size_t index) const { return header_.sources[index]; }
  std::string_view section(size_t index) const;
  // kModelDamaged, with how the file is made again.
  Status Damaged(const std::string& message) const;

 private:
  Status Refused(StatusCode code, const std::string& message) const;

  MappedFile file_;
  PackedHeader header_{};
  std::vector<PackedSection> table_;
  std::string model_dir_, name_;
};

// The source that these bytes are.
PackedSource SourceOf(std::string_view bytes);

// Writes the file whole or not at all: under another name first.
Status WritePackedFile(const std::string& model_dir, const PackedFormat& format,
                       const PackedSource (&sources)[2], const std::vector<std::string>& sections);

}  // namespace ghostai
