// Which kernels this build has and this CPU can run. The list is best first.
#include <cstring>

#include "../ghostai.h"
#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace ghostai {

extern const Kernels kScalarKernels;
#if defined(__x86_64__)
extern const Kernels kAmxKernels;
extern const Kernels kAvx512VnniKernels;
extern const Kernels kAvxVnniKernels;
extern const Kernels kAvx2Kernels;
#elif defined(__aarch64__)
extern const Kernels kNeonDotKernels;
#endif

namespace {

struct Entry {
  const Kernels* kernels;
  bool (*supported)();
};

bool Always() { return true; }

#if defined(__x86_64__)
// __builtin_cpu_supports also asks the operating system whether it saves the registers.
bool HasAvx512Vnni() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}
// CPUID leaf 7: what Debian 12's clang, which fuzzes, has no name for yet.
bool HasFeature(unsigned subleaf, bool of_eax, unsigned bit) {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, subleaf, &eax, &ebx, &ecx, &edx) != 0 &&
         ((of_eax ? eax : edx) >> bit & 1) != 0;
}
bool HasAvxVnni() {
  return HasFeature(1, true, 4) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
// Linux gives a process the tiles' state only when it asks (arch_prctl, ARCH_REQ_XCOMP_PERM).
bool HasAmx() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return HasAvx512Vnni() && HasFeature(0, false, 24) && HasFeature(0, false, 25) &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
bool HasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#elif defined(__aarch64__)
bool HasDotProduct() { return getauxval(AT_HWCAP) & HWCAP_ASIMDDP; }
#endif

const Entry kEntries[] = {
#if defined(__x86_64__)
    {&kAvx512VnniKernels, HasAvx512Vnni},
    {&kAvxVnniKernels, HasAvxVnni},
    {&kAvx2Kernels, HasAvx2},
    // Last, so that nothing chooses it by itself: no machine with these tiles has run it yet.
    {&kAmxKernels, HasAmx},
#elif defined(__aarch64__)
    {&kNeonDotKernels, HasDotProduct},
#endif
    {&kScalarKernels, Always},
};

}  // namespace

std::vector<std::string> AvailableKernels() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) {
    if (entry.supported()) names.emplace_back(entry.kernels->name);
  }
  return names;
}

std::vector<std::string> BuiltKernels() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) names.emplace_back(entry.kernels->name);
  return names;
}

const Kernels* FindKernels(const char* name) {
  for (const Entry& entry : kEntries) {
    if (entry.supported() && std::strcmp(entry.kernels->name, name) == 0) return entry.kernels;
  }
  return nullptr;
}

}  // namespace ghostai
