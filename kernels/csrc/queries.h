// Python bindings of the reader of query files.
#pragma once

#include <nanobind/nanobind.h>

namespace reasonmill {

void bind_queries(nanobind::module_& m);

}  // namespace reasonmill
