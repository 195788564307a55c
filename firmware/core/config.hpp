// SPDX-License-Identifier: Apache-2.0
/// Reads a JSON document once, strictly: every value is consumed by name, and what nobody consumed
/// is an error, empty objects and lists included. Messages name the place by JSON Pointer (RFC 6901), made printable
/// and at most 200 bytes of it. Thread-bound.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sealcam {

/// Collects the first error instead of returning one from every getter: read all, then `finish()`.
class ConfigReader {
 public:
  /// Objects and lists within one another, the outermost included.
  static constexpr int max_depth = 16;

  /// Errors are reported by finish(): text that is not JSON (with line and column, and nothing of the text), not an
  /// object, nested deeper than `max_depth`, or has two members of one name in an object.
  explicit ConfigReader(std::string_view json);
  /// Reads a file of at most 1 MiB; a missing one counts as `{}` when `optional`.
  static ConfigReader from_file(const std::filesystem::path& path, bool optional);
  ConfigReader(ConfigReader&&) noexcept;
  ConfigReader& operator=(ConfigReader&&) noexcept;
  ~ConfigReader();

  /// Getters take a JSON Pointer ("/broker/host") and a default that is returned when the value is
  /// absent. A value of another type or out of range is an error.
  [[nodiscard]] std::string text(std::string_view pointer, std::string_view otherwise);
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view pointer);
  /// Absent is an error.
  [[nodiscard]] std::string required_text(std::string_view pointer);
  [[nodiscard]] std::int64_t integer(std::string_view pointer, std::int64_t otherwise, std::int64_t min,
                                     std::int64_t max);
  [[nodiscard]] double number(std::string_view pointer, double otherwise, double min, double max);
  [[nodiscard]] bool boolean(std::string_view pointer, bool otherwise);
  /// Absent: empty.
  [[nodiscard]] std::vector<std::string> texts(std::string_view pointer);
  [[nodiscard]] bool has(std::string_view pointer) const;
  /// There is a value and it is a text: for settings that are a number or a word.
  [[nodiscard]] bool is_text(std::string_view pointer) const;
  /// Names of an object's members, which are then read as "/pointer/name"; empty when absent.
  [[nodiscard]] std::vector<std::string> keys(std::string_view pointer);
  /// Number of elements of an array, 0 when absent; its elements are then read as "/pointer/0" ….
  [[nodiscard]] std::size_t size(std::string_view pointer);

  /// Records an error of the caller's own (a value that has the type but no sense).
  void reject(std::string_view pointer, std::string_view why);
  /// The first error in a sentence for people, or nothing. Values nobody asked for are an error here.
  [[nodiscard]] std::optional<std::string> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealcam
