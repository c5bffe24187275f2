// Python strings as bytes that the threads may read without the interpreter's lock.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "core/scan.h"

namespace reasonmill {

// Views of the UTF-8 of a sequence of str, alive as long as this object: it owns the strings. Strings with lone
// surrogates are encoded as CPython's "surrogatepass" does.
class Texts {
 public:
  explicit Texts(nanobind::handle sequence);

  const std::vector<TextView>& views() const { return views_; }

 private:
  nanobind::object tuple_;
  std::vector<nanobind::object> encoded_;
  std::vector<TextView> views_;
};

}  // namespace reasonmill
