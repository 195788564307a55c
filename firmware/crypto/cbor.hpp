// SPDX-License-Identifier: Apache-2.0
/// CBOR (RFC 8949) in the deterministic encoding of section 4.2.1: shortest numbers and definite lengths. The reader
/// rejects all other encodings, so that each message has one encoding. Callers read map keys in the order of the
/// format; this rejects a wrong order and duplicates too.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"

namespace sealcam::crypto {

/// Appends items to its buffer. Thread-bound.
class CborWriter {
 public:
  CborWriter& integer(std::int64_t value);
  CborWriter& unsigned_integer(std::uint64_t value);
  CborWriter& bytes(ByteView value);
  CborWriter& text(std::string_view value);
  CborWriter& boolean(bool value);
  CborWriter& array(std::size_t items);
  CborWriter& map(std::size_t pairs);
  CborWriter& tag(std::uint64_t number);
  [[nodiscard]] ByteView view() const noexcept { return buffer_; }
  [[nodiscard]] Bytes take() noexcept { return std::move(buffer_); }

 private:
  Bytes buffer_;
};

/// The head of a byte string, for callers that hash or write the content without a copy.
class CborHead {
 public:
  [[nodiscard]] ByteView view() const noexcept { return ByteView(bytes_).first(size_); }

 private:
  friend CborHead cbor_bytes_head(std::size_t size) noexcept;
  std::array<std::byte, 9> bytes_{};
  std::size_t size_ = 0;
};
[[nodiscard]] CborHead cbor_bytes_head(std::size_t size) noexcept;

/// The type of the next item.
enum class CborType { integer, bytes, text, boolean, array, map, tag, other, end };

/// Reads items in order. The bytes must outlive the reader and the views that it returns. Errors of all getters:
/// malformed (cut short, another type, not deterministic). Thread-bound.
class CborReader {
 public:
  explicit CborReader(ByteView bytes) noexcept : rest_(bytes) {}
  [[nodiscard]] CborType peek() const noexcept;
  [[nodiscard]] Result<std::int64_t> integer();  ///< malformed too if it needs more than 63 bits
  [[nodiscard]] Result<std::uint64_t> unsigned_integer();
  [[nodiscard]] Result<ByteView> bytes();
  [[nodiscard]] Result<ByteView> bytes(std::size_t size);  ///< exactly this size
  [[nodiscard]] Result<std::string_view> text();           ///< malformed too if it is not UTF-8
  [[nodiscard]] Result<bool> boolean();
  [[nodiscard]] Result<std::size_t> array();        ///< number of items, at most the number of remaining bytes
  [[nodiscard]] Result<> array(std::size_t items);  ///< exactly this number of items
  [[nodiscard]] Result<std::size_t> map();
  [[nodiscard]] Result<> map(std::size_t pairs);
  [[nodiscard]] Result<std::uint64_t> tag();
  /// The integer key `expected`.
  [[nodiscard]] Result<> key(std::int64_t expected);
  /// Skips one item of any type except floating point, with at most 8 levels. Map keys must be in order.
  [[nodiscard]] Result<> skip();
  /// Errors: malformed (bytes remain).
  [[nodiscard]] Result<> finish() const;
  [[nodiscard]] ByteView rest() const noexcept { return rest_; }

 private:
  ByteView rest_;
};

}  // namespace sealcam::crypto
