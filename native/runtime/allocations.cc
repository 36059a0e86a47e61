#include "allocations.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "../ghostai.h"

namespace ghostai {

namespace {
thread_local bool counted = false;
std::atomic<uint64_t> allocations{0};

inline void Count() {
  if (counted) allocations.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

void CountAllocationsOfThisThread() { counted = true; }

uint64_t InferenceAllocations() { return allocations.load(std::memory_order_relaxed); }

}  // namespace ghostai

// operator new, new[] and both for over-aligned types, by their linker names.
extern "C" {
void* __real__Znwm(size_t size);
void* __wrap__Znwm(size_t size);
void* __wrap__Znwm(size_t size) {
  ghostai::Count();
  return __real__Znwm(size);
}
void* __real__Znam(size_t size);
void* __wrap__Znam(size_t size);
void* __wrap__Znam(size_t size) {
  ghostai::Count();
  return __real__Znam(size);
}
void* __real__ZnwmSt11align_val_t(size_t size, std::align_val_t align);
void* __wrap__ZnwmSt11align_val_t(size_t size, std::align_val_t align);
void* __wrap__ZnwmSt11align_val_t(size_t size, std::align_val_t align) {
  ghostai::Count();
  return __real__ZnwmSt11align_val_t(size, align);
}
void* __real__ZnamSt11align_val_t(size_t size, std::align_val_t align);
void* __wrap__ZnamSt11align_val_t(size_t size, std::align_val_t align);
void* __wrap__ZnamSt11align_val_t(size_t size, std::align_val_t align) {
  ghostai::Count();
  return __real__ZnamSt11align_val_t(size, align);
}
}
