// Files that are mapped, and must not become shorter: reading a map beyond the end of its file kills the process.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace reasonmill {

class WatchedFiles {
 public:
  // Paths, and the bytes that each must have.
  explicit WatchedFiles(const std::vector<std::pair<std::string, int64_t>>& files) {
    for (const auto& [path, size] : files) {
      files_.push_back({.descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC), .size = size});
    }
  }
  WatchedFiles(const WatchedFiles&) = delete;
  WatchedFiles& operator=(const WatchedFiles&) = delete;
  ~WatchedFiles() {
    for (const File& file : files_) {
      if (file.descriptor >= 0) close(file.descriptor);
    }
  }

  bool whole() const {
    for (const File& file : files_) {
      if (lseek(file.descriptor, 0, SEEK_END) < file.size) return false;
    }
    return true;
  }

 private:
  struct File {
    int descriptor;
    int64_t size;
  };
  std::vector<File> files_;
};

}  // namespace reasonmill
