// Which cores this process may use, and tying a thread to one.
#pragma once

#include <vector>

#include "../status.h"

namespace ghostai {

// Cores of this process's affinity mask (taskset, cgroup cpusets), ascending.
std::vector<int> AllowedCores();

// Ties the calling thread to `core`; kInvalidArgument for a core that is not allowed.
Status PinCurrentThread(int core);

// Lets other threads go first: the calling thread's nice value rises by ten.
void LowerPriorityOfCurrentThread();

// Names the calling thread for ps and top; at most 15 characters count.
void NameCurrentThread(const char* name);

// The Linux id of the calling thread.
int CurrentThreadId();

}  // namespace ghostai
