#include "affinity.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace ghostai {

namespace {

// The mask of the whole process as it was when first asked: pinning a thread narrows only that
// thread's, but the main thread's is the process's to everyone who asks later.
const std::vector<int>& ProcessCores() {
  static const std::vector<int> cores = [] {
    std::vector<int> allowed;
    // Machines may have more cores than cpu_set_t counts; the kernel says how many by refusing.
    for (int count = CPU_SETSIZE; count <= 1 << 18; count *= 2) {
      cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(count));
      size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(count));
      CPU_ZERO_S(bytes, set);
      bool ok = sched_getaffinity(getpid(), bytes, set) == 0;
      for (int core = 0; ok && core < count; ++core) {
        if (CPU_ISSET_S(static_cast<size_t>(core), bytes, set)) allowed.push_back(core);
      }
      CPU_FREE(set);
      if (ok) break;
    }
    return allowed;
  }();
  return cores;
}

}  // namespace

std::vector<int> AllowedCores() { return ProcessCores(); }

Status PinCurrentThread(int core) {
  const std::vector<int>& allowed = ProcessCores();
  auto refuse = [&](const std::string& reason) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "Expected a core that this process may use but "
                         "received " +
                             std::to_string(core) + reason);
  };
  if (std::find(allowed.begin(), allowed.end(), core) == allowed.end()) return refuse("");
  size_t count = static_cast<size_t>(std::max(core + 1, CPU_SETSIZE));
  cpu_set_t* set = CPU_ALLOC(count);
  size_t bytes = CPU_ALLOC_SIZE(count);
  CPU_ZERO_S(bytes, set);
  CPU_SET_S(static_cast<size_t>(core), bytes, set);
  int error = pthread_setaffinity_np(pthread_self(), bytes, set);
  CPU_FREE(set);
  return error == 0 ? Status::Ok() : refuse(std::string(": ") + std::strerror(error));
}

void LowerPriorityOfCurrentThread() {
  // On Linux the nice value is a thread's own. Where it cannot rise, the thread is as good as any.
  setpriority(PRIO_PROCESS, static_cast<id_t>(CurrentThreadId()),
              getpriority(PRIO_PROCESS, static_cast<id_t>(CurrentThreadId())) + 10);
}

void NameCurrentThread(const char* name) {
  // The kernel refuses a longer name instead of cutting it.
  char cut[16] = {};
  std::strncpy(cut, name, sizeof cut - 1);
  pthread_setname_np(pthread_self(), cut);
}

int CurrentThreadId() { return static_cast<int>(syscall(SYS_gettid)); }

}  // namespace ghostai
