// Cores and threads, against what the kernel says of them in /proc.
#include <sched.h>

#include <algorithm>
#include <string>
#include <thread>

#include "check.h"
#include "model_folder.h"
#include "system/affinity.h"

using namespace ghostai;

namespace {

std::string StatusLine(int thread, const std::string& field) {
  std::string status = test::ReadAll("/proc/self/task/" + std::to_string(thread) + "/status");
  size_t at = status.find(field + ":\t");
  if (at == std::string::npos) return "";
  at += field.size() + 2;
  return status.substr(at, status.find('\n', at) - at);
}

}  // namespace

TEST(allowed_cores_are_those_of_the_mask) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  std::vector<int> cores = AllowedCores();
  CHECK_EQ(static_cast<int>(cores.size()), CPU_COUNT(&set));
  CHECK(std::is_sorted(cores.begin(), cores.end()));
  for (int core : cores) CHECK(CPU_ISSET(static_cast<size_t>(core), &set));
}

TEST(a_pinned_thread_has_one_core_and_the_others_keep_theirs) {
  std::string before = StatusLine(CurrentThreadId(), "Cpus_allowed_list");
  for (int core : AllowedCores()) {
    std::thread([core] {
      CHECK(PinCurrentThread(core).ok());
      CHECK_EQ(StatusLine(CurrentThreadId(), "Cpus_allowed_list"), std::to_string(core));
      CHECK_EQ(sched_getcpu(), core);
    }).join();
  }
  CHECK_EQ(StatusLine(CurrentThreadId(), "Cpus_allowed_list"), before);
}

TEST(a_pinned_thread_may_move_and_the_process_keeps_its_cores) {
  std::vector<int> before = AllowedCores();
  std::thread([&] {
    for (int core : before) CHECK(PinCurrentThread(core).ok());
    CHECK(AllowedCores() == before);
  }).join();
}

TEST(a_core_that_is_not_allowed_is_refused) {
  std::vector<int> cores = AllowedCores();
  for (int core : {-1, cores.back() + 1, 4096, 1 << 18}) {
    Status status = PinCurrentThread(core);
    CHECK(status.code == StatusCode::kInvalidArgument);
    CHECK(status.message.find("received " + std::to_string(core)) != std::string::npos);
  }
}

TEST(threads_carry_their_names) {
  std::thread([] {
    NameCurrentThread("ghostai-infer0");
    CHECK_EQ(StatusLine(CurrentThreadId(), "Name"), "ghostai-infer0");
    NameCurrentThread("ghostai-infer1234");
    CHECK_EQ(StatusLine(CurrentThreadId(), "Name"), "ghostai-infer12");
  }).join();
}

CHECK_MAIN()
