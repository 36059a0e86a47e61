#include "packed_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ghostai {

namespace {

constexpr size_t kAlignment = 64;

size_t Filled(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

size_t HeadBytes(size_t sections) {
  return Filled(sizeof(PackedHeader) + sections * sizeof(PackedSection));
}

std::string Head(PackedHeader header, const std::vector<PackedSection>& table) {
  std::string head(HeadBytes(table.size()), '\0');
  header.head_checksum = 0;
  std::memcpy(head.data(), &header, sizeof(header));
  std::memcpy(head.data() + sizeof(header), table.data(), table.size() * sizeof(PackedSection));
  header.head_checksum = Checksum(head);
  std::memcpy(head.data(), &header, sizeof(header));
  return head;
}

}  // namespace

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<char*>(data_), size_);
}

Status MappedFile::Open(const std::string& path) {
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return Status::Error(StatusCode::kModelNotFound,
                         "Expected a model file at " + path + " but got: " + std::strerror(errno));
  }
  struct stat info;
  bool regular = fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
  void* data = MAP_FAILED;
  if (regular) {
    size_ = static_cast<size_t>(info.st_size);
    data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  close(descriptor);
  if (data == MAP_FAILED) {
    size_ = 0;
    return Status::Error(StatusCode::kModelDamaged, "Expected a file with content at " + path);
  }
  data_ = static_cast<const char*>(data);
  return Status::Ok();
}

uint64_t Checksum(std::string_view bytes) {
  constexpr uint64_t kMultiplier = 0x9E3779B185EBCA87u;
  constexpr size_t kLanes = 8;
  auto mix = [](uint64_t lane, uint64_t word) {
    lane = (lane ^ word) * kMultiplier;
    return lane << 31 | lane >> 33;
  };
  uint64_t lanes[kLanes] = {1, 2, 3, 4, 5, 6, 7, 8};
  size_t part = bytes.size() / (kLanes * 8) * 8;
  for (size_t at = 0; at < part; at += 8) {
    for (size_t i = 0; i < kLanes; ++i) {
      uint64_t word;
      std::memcpy(&word, bytes.data() + i * part + at, 8);
      lanes[i] = mix(lanes[i], word);
    }
  }
  uint64_t sum = bytes.size();
  for (uint64_t lane : lanes) sum = mix(sum, lane);
  for (size_t at = kLanes * part; at < bytes.size(); ++at)
    sum = mix(sum, static_cast<unsigned char>(bytes[at]));
  sum = mix(sum ^ sum >> 29, 0);
  return sum ^ sum >> 32;
}

PackedSource SourceOf(std::string_view bytes) { return {bytes.size(), Checksum(bytes)}; }

Status PackedFile::Refused(StatusCode code, const std::string& message) const {
  return Status::Error(
      code, message + "; `npm run build` or `ghostai-pack " + model_dir_ + "` makes it again");
}

Status PackedFile::Damaged(const std::string& message) const {
  return Refused(StatusCode::kModelDamaged, name_ + ": " + message);
}

Status PackedFile::Open(const std::string& model_dir, const PackedFormat& format,
                        const std::vector<SectionPlan>& plan) {
  model_dir_ = model_dir;
  name_ = format.file;
  if (Status s = file_.Open(model_dir + "/" + name_); !s.ok()) return Refused(s.code, s.message);
  std::string_view bytes = file_.bytes();
  if (bytes.size() < sizeof(header_)) return Damaged("expected a header");
  std::memcpy(&header_, bytes.data(), sizeof(header_));
  if (std::memcmp(header_.magic, format.magic, sizeof(header_.magic)) != 0)
    return Damaged("expected its magic");
  auto differs = [&](const char* what, uint64_t expected, uint64_t actual) {
    return Damaged(std::string("expected ") + what + std::to_string(expected) + " but got " +
                   std::to_string(actual));
  };
  if (header_.version != format.version)
    return differs("version ", format.version, header_.version);
  if (header_.file_bytes != bytes.size())
    return differs("a file of bytes: ", header_.file_bytes, bytes.size());
  if (header_.section_count != plan.size())
    return differs("sections: ", plan.size(), header_.section_count);
  size_t at = HeadBytes(plan.size());
  if (bytes.size() < at) return differs("a head of bytes: ", at, bytes.size());
  table_.resize(plan.size());
  std::memcpy(table_.data(), bytes.data() + sizeof(header_), plan.size() * sizeof(PackedSection));
  if (Head(header_, table_) != bytes.substr(0, at)) return Damaged("the head's checksum is off");
  for (size_t i = 0; i < plan.size(); ++i) {
    const PackedSection& section = table_[i];
    bool fits = section.offset == at && section.bytes <= bytes.size() - at &&
                Filled(section.bytes) <= bytes.size() - at &&
                (plan[i].bytes == SectionPlan::kAnyBytes || plan[i].bytes == section.bytes);
    if (!fits) return Damaged("section '" + plan[i].name + "' does not lie in the file");
    size_t filled = Filled(section.bytes);
    if (Checksum(bytes.substr(at, filled)) != section.checksum)
      return Damaged("the checksum of section '" + plan[i].name + "' is off");
    at += filled;
  }
  if (at != bytes.size()) return differs("sections up to byte ", bytes.size(), at);
  return Status::Ok();
}

Status PackedFile::ExpectSource(size_t index, std::string_view bytes, const char* name) const {
  const PackedSource& expected = source(index);
  // The size first: another file nearly always has another one, and it costs nothing.
  if (bytes.size() == expected.bytes && Checksum(bytes) == expected.checksum) return Status::Ok();
  return Damaged(std::string("expected to be made from this ") + name);
}

std::string_view PackedFile::section(size_t index) const {
  const PackedSection& section = table_[index];
  return file_.bytes().substr(section.offset, section.bytes);
}

Status WritePackedFile(const std::string& model_dir, const PackedFormat& format,
                       const PackedSource (&sources)[2], const std::vector<std::string>& sections) {
  std::vector<PackedSection> table;
  size_t at = HeadBytes(sections.size());
  for (const std::string& section : sections) {
    std::string filled = section;
    filled.resize(Filled(section.size()));
    table.push_back({at, section.size(), Checksum(filled)});
    at += filled.size();
  }
  PackedHeader header{};
  std::memcpy(header.magic, format.magic, sizeof(header.magic));
  header.version = format.version;
  header.section_count = static_cast<uint32_t>(table.size());
  header.file_bytes = at;
  for (size_t i = 0; i < 2; ++i) header.sources[i] = sources[i];

  std::string path = model_dir + "/" + format.file, temporary = path + ".partial";
  auto refused = [&] {
    return Status::Error(StatusCode::kInvalidArgument,
                         "Expected to be able to write " + path + " but got: " + strerror(errno));
  };
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) return refused();
  auto put = [&](std::string_view bytes) {
    static const char kZeros[kAlignment] = {};
    size_t zeros = Filled(bytes.size()) - bytes.size();
    return std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() &&
           std::fwrite(kZeros, 1, zeros, file) == zeros;
  };
  bool ok = put(Head(header, table));
  for (size_t i = 0; ok && i < sections.size(); ++i) ok = put(sections[i]);
  ok = std::fclose(file) == 0 && ok;
  if (ok && std::rename(temporary.c_str(), path.c_str()) == 0) return Status::Ok();
  Status status = refused();
  std::remove(temporary.c_str());
  return status;
}

}  // namespace ghostai
