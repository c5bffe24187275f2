#include "texts.h"

#include <string>

namespace reasonmill {

namespace nb = nanobind;

Texts::Texts(nb::handle sequence) : tuple_(nb::steal(PySequence_Tuple(sequence.ptr()))) {
  if (!tuple_.is_valid()) throw nb::python_error();
  const Py_ssize_t count = PyTuple_GET_SIZE(tuple_.ptr());
  views_.reserve(static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* text = PyTuple_GET_ITEM(tuple_.ptr(), i);
    if (!PyUnicode_Check(text)) {
      const std::string message = "text " + std::to_string(i) + " is no str but " + Py_TYPE(text)->tp_name;
      throw nb::type_error(message.c_str());
    }
    Py_ssize_t length = 0;
    const char* bytes = PyUnicode_AsUTF8AndSize(text, &length);
    if (bytes == nullptr) {
      if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) throw nb::python_error();
      PyErr_Clear();
      nb::object encoded = nb::steal(PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass"));
      if (!encoded.is_valid()) throw nb::python_error();
      bytes = PyBytes_AS_STRING(encoded.ptr());
      length = PyBytes_GET_SIZE(encoded.ptr());
      encoded_.push_back(std::move(encoded));
    }
    views_.push_back({reinterpret_cast<const uint8_t*>(bytes), static_cast<size_t>(length)});
  }
}

}  // namespace reasonmill
