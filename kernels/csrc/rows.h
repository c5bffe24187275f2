// Python bindings of the row planner and of the store that rows are copied from.
#pragma once

#include <nanobind/nanobind.h>

namespace reasonmill {

void bind_rows(nanobind::module_& m);

}  // namespace reasonmill
