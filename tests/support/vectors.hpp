// SPDX-License-Identifier: Apache-2.0
/// Published test vectors: hexadecimal text, and the JSON files of tests/vectors/data.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string_view>

#include "base/bytes.hpp"
#include "build_paths.hpp"

namespace sealcam::test {

inline Bytes hex(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes) throw std::runtime_error("not hexadecimal: " + std::string(text));
  return std::move(*bytes);
}

template <std::size_t N>
Secret<N> secret(ByteView bytes) {
  if (bytes.size() != N) throw std::runtime_error("the secret has another size");
  return Secret<N>(bytes.first<N>());
}

inline std::filesystem::path vector_folder() {
  return std::filesystem::path(SEALCAM_SOURCE_DIR) / "tests" / "vectors" / "data";
}

/// `name` is relative to vector_folder(). Throws if the file is missing, so that the test fails.
inline nlohmann::json vector_file(const std::filesystem::path& name) {
  std::ifstream file(vector_folder() / name);
  if (!file) throw std::runtime_error("cannot open test vectors " + (vector_folder() / name).string());
  return nlohmann::json::parse(file);
}

}  // namespace sealcam::test
