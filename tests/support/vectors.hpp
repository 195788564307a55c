// SPDX-License-Identifier: Apache-2.0
/// Reading published test vectors: hexadecimal, and JSON files from the folder SEALCAM_VECTORS.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>

#include "core/bytes.hpp"
#include "core/secret.hpp"

namespace sealcam::test {

inline Bytes hex(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes) throw std::runtime_error("not hexadecimal: " + std::string(text));
  return std::move(*bytes);
}

template <std::size_t N>
Secret<N> secret(ByteView bytes) {
  if (bytes.size() != N) throw std::runtime_error("a secret of another size");
  return Secret<N>(bytes.first<N>());
}

inline std::filesystem::path vector_folder() { return SEALCAM_VECTORS; }

/// Nothing when the file is not there: the test then says so with SKIP().
inline std::optional<nlohmann::json> vector_file(const std::filesystem::path& name) {
  std::ifstream file(vector_folder() / name);
  if (!file) return std::nullopt;
  return std::make_optional(nlohmann::json::parse(file));
}

}  // namespace sealcam::test
