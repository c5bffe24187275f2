#include "texts.h"

#include <nanobind/ndarray.h>

#include <string>

namespace reasonmill {

namespace nb = nanobind;

namespace {

using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Places = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

}  // namespace

Texts::Texts(nb::handle source) {
  if (nb::hasattr(source, "offsets")) {
    view_spans(source);
  } else if (nb::hasattr(source, "places")) {
    view_excerpts(source);
  } else {
    view_strings(source);
  }
}

void Texts::add(const char* bytes, size_t length) {
  if (length > kMaxText) {
    const std::string message = "text " + std::to_string(views_.size()) + " has " + std::to_string(length) +
                                " bytes; the limit is " + std::to_string(kMaxText);
    throw nb::value_error(message.c_str());
  }
  views_.push_back({reinterpret_cast<const uint8_t*>(bytes), length});
}

void Texts::view_strings(nb::handle sequence) {
  nb::object tuple = nb::steal(PySequence_Tuple(sequence.ptr()));
  if (!tuple.is_valid()) throw nb::python_error();
  const Py_ssize_t count = PyTuple_GET_SIZE(tuple.ptr());
  views_.reserve(static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* text = PyTuple_GET_ITEM(tuple.ptr(), i);
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
      owned_.push_back(std::move(encoded));
    }
    add(bytes, static_cast<size_t>(length));
  }
  owned_.push_back(std::move(tuple));
}

void Texts::view_spans(nb::handle spans) {
  nb::object held_bytes = spans.attr("bytes");
  nb::object held_offsets = spans.attr("offsets");
  const auto bytes = nb::cast<Bytes>(held_bytes);
  const auto offsets = nb::cast<Places>(held_offsets);
  if (offsets.shape(0) == 0) throw nb::value_error("offsets are empty; N texts have N + 1");
  const int64_t* at = offsets.data();
  const auto* first = reinterpret_cast<const char*>(bytes.data());
  views_.reserve(offsets.shape(0) - 1);
  for (size_t i = 0; i + 1 < offsets.shape(0); ++i) {
    if (at[i] < 0 || at[i] > at[i + 1] || static_cast<size_t>(at[i + 1]) > bytes.shape(0)) {
      throw nb::value_error("offsets do not ascend within the bytes");
    }
    add(first + at[i], static_cast<size_t>(at[i + 1] - at[i]));
  }
  owned_.push_back(std::move(held_bytes));
  owned_.push_back(std::move(held_offsets));
}

void Texts::view_excerpts(nb::handle excerpts) {
  for (const char* name : {"bytes", "more", "places", "sizes"}) owned_.push_back(excerpts.attr(name));
  const auto bytes = nb::cast<Bytes>(owned_[0]), more = nb::cast<Bytes>(owned_[1]);
  const auto places = nb::cast<Places>(owned_[2]), sizes = nb::cast<Places>(owned_[3]);
  if (places.shape(0) != sizes.shape(0)) throw nb::value_error("places and sizes are of other numbers of texts");
  views_.reserve(places.shape(0));
  for (size_t i = 0; i < places.shape(0); ++i) {
    const int64_t at = places.data()[i], size = sizes.data()[i];
    const Bytes& from = at >= 0 ? bytes : more;
    const auto begin = static_cast<uint64_t>(at >= 0 ? at : ~at);
    if (size < 0 || begin > from.shape(0) || static_cast<uint64_t>(size) > from.shape(0) - begin) {
      throw nb::value_error("places and sizes are not within the bytes");
    }
    add(reinterpret_cast<const char*>(from.data()) + begin, static_cast<size_t>(size));
  }
}

}  // namespace reasonmill
