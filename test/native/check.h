// The few macros that the C++ tests need, so that a fresh machine needs no test
// library. A test is a function; a failed check is reported and counted, and
// the program ends with 1.
//
//   TEST(adds) { CHECK_EQ(1 + 1, 2); }
//   int main() { return ghostai::test::RunAll(); }   // at the end of each file: CHECK_MAIN()
#pragma once

#include <cstdio>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace ghostai::test {

struct Case {
  const char* name;
  std::function<void()> run;
};
inline std::vector<Case>& Cases() {
  static std::vector<Case> cases;
  return cases;
}
inline int& Failures() {
  static int failures = 0;
  return failures;
}
struct Registration {
  Registration(const char* name, std::function<void()> run) { Cases().push_back({name, run}); }
};
inline void Fail(const char* file, int line, const std::string& what) {
  ++Failures();
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}
inline int RunAll() {
  for (const Case& c : Cases()) {
    int before = Failures();
    c.run();
    std::printf("%s %s\n", Failures() == before ? "ok    " : "FAILED", c.name);
  }
  std::printf("%zu tests, %d failed checks\n", Cases().size(), Failures());
  return Failures() == 0 && !Cases().empty() ? 0 : 1;
}

}  // namespace ghostai::test

#define TEST(name)                                                              \
  static void test_##name();                                                    \
  static ::ghostai::test::Registration registration_##name(#name, test_##name); \
  static void test_##name()
#define CHECK(condition)                                                                 \
  do {                                                                                   \
    if (!(condition)) ::ghostai::test::Fail(__FILE__, __LINE__, "expected " #condition); \
  } while (0)
#define CHECK_EQ(actual, expected)                                                       \
  do {                                                                                   \
    const auto check_actual = (actual);                                                  \
    const auto check_expected = (expected);                                              \
    if (!(check_actual == check_expected)) {                                             \
      std::ostringstream text;                                                           \
      text << #actual << ": expected " << check_expected << " but got " << check_actual; \
      ::ghostai::test::Fail(__FILE__, __LINE__, text.str());                             \
    }                                                                                    \
  } while (0)
#define CHECK_MAIN() \
  int main() { return ::ghostai::test::RunAll(); }
