// Texts from Python as bytes that the threads may read without the interpreter's lock.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "core/scan.h"

namespace reasonmill {

// Views of the UTF-8 of texts, alive as long as this object: of a sequence of str, which it owns then (lone surrogates
// are encoded as CPython's "surrogatepass" does), or of the Spans or Excerpts of kernels/texts.py, whose arrays it owns.
class Texts {
 public:
  explicit Texts(nanobind::handle source);

  const std::vector<TextView>& views() const { return views_; }

 private:
  void view_strings(nanobind::handle sequence);
  void view_spans(nanobind::handle spans);
  void view_excerpts(nanobind::handle excerpts);
  void add(const char* bytes, size_t length);

  std::vector<nanobind::object> owned_;
  std::vector<TextView> views_;
};

}  // namespace reasonmill
