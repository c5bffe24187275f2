#include "core/isa.h"

#include <atomic>
#include <cstring>

namespace reasonmill {
namespace {

std::atomic<const Isa*>& current() {
  static std::atomic<const Isa*> isa{known_isas().front()};
  return isa;
}

}  // namespace

std::vector<const Isa*> known_isas() {
  std::vector<const Isa*> known;
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  if (isa_avx512() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("bmi2")) {
    known.push_back(isa_avx512());
  }
  if (isa_avx2() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
      __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt")) {
    known.push_back(isa_avx2());
  }
#endif
  known.push_back(isa_portable());
  return known;
}

const Isa& isa() { return *current().load(std::memory_order_relaxed); }

bool use_isa(const char* name) {
  for (const Isa* known : known_isas()) {
    if (std::strcmp(known->name, name) == 0) {
      current() = known;
      return true;
    }
  }
  return false;
}

}  // namespace reasonmill
