// Cores and threads, against what the kernel says of them in /proc.
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <thread>

#include "check.h"
#include "model_folder.h"
#include "system/affinity.h"
#include "system/service.h"

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

TEST(a_state_reaches_the_manager_that_is_named_and_nobody_else) {
  bool sent = true;
  unsetenv("NOTIFY_SOCKET");
  CHECK(Notify("READY=1", &sent).ok() && !sent);
  // An abstract socket, as a container's manager may use.
  std::string name = "@ghostai-test-" + std::to_string(getpid());
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, name.size());
  address.sun_path[0] = '\0';
  int manager = socket(AF_UNIX, SOCK_DGRAM, 0);
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  CHECK_EQ(bind(manager, reinterpret_cast<sockaddr*>(&address), size), 0);
  setenv("NOTIFY_SOCKET", name.c_str(), 1);
  CHECK(Notify("READY=1\nSTATUS=well", &sent).ok() && sent);
  char received[64];
  ssize_t length = recv(manager, received, sizeof received, 0);
  CHECK_EQ(std::string(received, static_cast<size_t>(length)), "READY=1\nSTATUS=well");
  close(manager);
  CHECK(!Notify("READY=1", &sent).ok() && !sent);
  setenv("NOTIFY_SOCKET", "neither/path/nor/abstract", 1);
  CHECK(Notify("READY=1", &sent).code == StatusCode::kInvalidArgument);
  unsetenv("NOTIFY_SOCKET");
}

TEST(a_lock_is_one_process_s_until_it_ends) {
  std::string path = "/tmp/ghostai-lock-" + std::to_string(getpid());
  int ready[2], done[2];
  CHECK_EQ(pipe(ready), 0);
  CHECK_EQ(pipe(done), 0);
  pid_t child = fork();
  if (child == 0) {
    bool taken = false;
    char answer = LockFile(path, &taken).ok() && taken ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1 || read(done[0], &answer, 1) != 1) _exit(1);
    _exit(0);
  }
  char answer = 0;
  CHECK_EQ(read(ready[0], &answer, 1), 1);
  CHECK_EQ(answer, 'y');
  bool taken = true;
  CHECK(LockFile(path, &taken).ok() && !taken);
  CHECK_EQ(write(done[1], "x", 1), 1);
  waitpid(child, nullptr, 0);
  CHECK(LockFile(path, &taken).ok() && taken);
  CHECK(!LockFile("/nowhere/at/all", &taken).ok());
  unlink(path.c_str());
}
