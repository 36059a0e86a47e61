// Counting what the inference threads take from the heap: nothing, once warm.
// The linker replaces this binary's calls of operator new by the wrappers in
// allocations.cc (`--wrap`); other libraries of the process are untouched. What
// libstdc++ allocates in its own code (std::string) is therefore not seen here;
// test/native/engine_test.cc replaces operator new of a whole process instead.
#pragma once

namespace ghostai {

// From here on the calling thread's allocations count.
void CountAllocationsOfThisThread();

}  // namespace ghostai
