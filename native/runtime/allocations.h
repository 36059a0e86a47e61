// Counting what the inference threads take from the heap: nothing, once warm.
// The linker replaces this binary's calls of operator new by the wrapper in
// allocations.cc (`--wrap=_Znwm`); other libraries of the process are untouched.
#pragma once

namespace ghostai {

// From here on the calling thread's allocations count.
void CountAllocationsOfThisThread();

}  // namespace ghostai
