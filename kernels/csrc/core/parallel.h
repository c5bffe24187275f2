// Blocks of work over a few threads. What a block writes depends on the block alone, so results do not depend on threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace reasonmill {

// Number of threads for `requested`, where 0 means every core that this process may use.
inline size_t thread_count(size_t requested) {
  return requested > 0 ? requested : std::max<size_t>(1, std::thread::hardware_concurrency());
}

// Calls work(begin, end, thread) for consecutive blocks of [0, count). The first exception is thrown again at the end.
template <typename Work>
void parallel_blocks(size_t count, size_t block, size_t threads, const Work& work) {
  const size_t num_blocks = (count + block - 1) / block;
  threads = std::min(thread_count(threads), std::max<size_t>(1, num_blocks));
  std::atomic<size_t> next{0};
  std::exception_ptr failure;
  std::mutex guard;
  const auto run = [&](size_t thread) {
    try {
      for (size_t at = next++; at < num_blocks; at = next++) {
        work(at * block, std::min(count, (at + 1) * block), thread);
      }
    } catch (...) {
      const std::lock_guard<std::mutex> lock(guard);
      if (!failure) failure = std::current_exception();
      next = num_blocks;
    }
  };
  std::vector<std::jthread> others;
  for (size_t thread = 1; thread < threads; ++thread) others.emplace_back(run, thread);
  run(0);
  others.clear();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace reasonmill
