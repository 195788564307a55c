// SPDX-License-Identifier: Apache-2.0
/// CBOR (RFC 8949) in the deterministic encoding of its section 4.2.1: shortest numbers, definite
/// lengths. The reader refuses everything else, so that one message has one spelling. Map keys are
/// read in the order the format defines, which refuses wrong order and duplicates as well.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace sealcam::crypto {

/// Appends items to a buffer of its own. Thread-bound.
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

/// The head of a byte string, for those who hash or write the content where it lies.
class CborHead {
 public:
  [[nodiscard]] ByteView view() const noexcept { return ByteView(bytes_).first(size_); }

 private:
  friend CborHead cbor_bytes_head(std::size_t size) noexcept;
  std::array<std::byte, 9> bytes_{};
  std::size_t size_ = 0;
};
[[nodiscard]] CborHead cbor_bytes_head(std::size_t size) noexcept;

/// What comes next.
enum class CborType { integer, bytes, text, boolean, array, map, tag, other, end };

/// Reads items one after the other from bytes that outlive it; returned views point into them.
/// Every getter's errors: malformed (cut short, another type, not deterministic). Thread-bound.
class CborReader {
 public:
  explicit CborReader(ByteView bytes) noexcept : rest_(bytes) {}
  [[nodiscard]] CborType peek() const noexcept;
  [[nodiscard]] Result<std::int64_t> integer();  ///< also malformed when beyond 63 bits
  [[nodiscard]] Result<std::uint64_t> unsigned_integer();
  [[nodiscard]] Result<ByteView> bytes();
  [[nodiscard]] Result<ByteView> bytes(std::size_t size);  ///< of exactly that size
  [[nodiscard]] Result<std::string_view> text();           ///< also malformed when not UTF-8
  [[nodiscard]] Result<bool> boolean();
  [[nodiscard]] Result<std::size_t> array();        ///< number of items, at most the bytes left
  [[nodiscard]] Result<> array(std::size_t items);  ///< of exactly that many items
  [[nodiscard]] Result<std::size_t> map();
  [[nodiscard]] Result<> map(std::size_t pairs);
  [[nodiscard]] Result<std::uint64_t> tag();
  /// The integer key `expected`.
  [[nodiscard]] Result<> key(std::int64_t expected);
  /// Passes over one item of any type but floating point, nested at most 8 deep; map keys must be in order.
  [[nodiscard]] Result<> skip();
  /// Nothing may follow. Errors: malformed.
  [[nodiscard]] Result<> finish() const;
  [[nodiscard]] ByteView rest() const noexcept { return rest_; }

 private:
  ByteView rest_;
};

}  // namespace sealcam::crypto
