// SPDX-License-Identifier: Apache-2.0
#include "crypto/cbor.hpp"

#include <cbor.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace sealcam::crypto {

namespace {

constexpr std::uint64_t max_signed = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
constexpr unsigned max_depth = 8;

/// One head (RFC 8949 section 3) and the content of a string.
struct Item {
  CborType type = CborType::end;  ///< `end` for items that the deterministic encoding does not allow
  bool negative = false;          ///< the number is -1 - argument
  std::uint64_t argument = 0;     ///< number, length, count, tag, truth
  const std::byte* content = nullptr;
};

Item& item_of(void* context) { return *static_cast<Item*>(context); }

template <class Int, bool Negative>
void on_integer(void* context, Int value) {
  item_of(context) = {CborType::integer, Negative, value, nullptr};
}
template <CborType Type>
void on_string(void* context, cbor_data data, std::uint64_t size) {
  item_of(context) = {Type, false, size, reinterpret_cast<const std::byte*>(data)};
}
template <CborType Type>
void on_number(void* context, std::uint64_t value) {
  item_of(context) = {Type, false, value, nullptr};
}
void on_boolean(void* context, bool value) { item_of(context) = {CborType::boolean, false, value, nullptr}; }
void on_other(void* context) { item_of(context) = {CborType::other, false, 0, nullptr}; }

/// Indefinite lengths and floating point keep the empty callbacks of libcbor; the reader rejects them.
cbor_callbacks make_callbacks() {
  auto c = cbor_empty_callbacks;
  c.uint8 = on_integer<std::uint8_t, false>;
  c.uint16 = on_integer<std::uint16_t, false>;
  c.uint32 = on_integer<std::uint32_t, false>;
  c.uint64 = on_integer<std::uint64_t, false>;
  c.negint8 = on_integer<std::uint8_t, true>;
  c.negint16 = on_integer<std::uint16_t, true>;
  c.negint32 = on_integer<std::uint32_t, true>;
  c.negint64 = on_integer<std::uint64_t, true>;
  c.byte_string = on_string<CborType::bytes>;
  c.string = on_string<CborType::text>;
  c.array_start = on_number<CborType::array>;
  c.map_start = on_number<CborType::map>;
  c.boolean = on_boolean;
  c.null = on_other;
  c.undefined = on_other;
  return c;
}

/// Size of the shortest head with that argument (RFC 8949 section 4.2.1).
std::size_t min_head(std::uint64_t argument) noexcept {
  if (argument < 24) return 1;
  if (argument <= 0xff) return 2;
  if (argument <= 0xffff) return 3;
  return argument <= 0xffffffff ? 5 : 9;
}

bool is_string(CborType type) noexcept { return type == CborType::bytes || type == CborType::text; }

/// Reads the first head with libcbor. Returns its size.
Result<std::size_t> decode(ByteView in, Item& item) {
  static const cbor_callbacks callbacks = make_callbacks();
  const auto result = cbor_stream_decode(c_bytes(in), in.size(), &callbacks, &item);
  if (result.status == CBOR_DECODER_NEDATA) return fail(Errc::malformed, "CBOR is truncated");
  if (result.status != CBOR_DECODER_FINISHED) return fail(Errc::malformed, "not CBOR");
  if (item.type == CborType::end) return fail(Errc::malformed, "CBOR is not in its deterministic form");
  return result.read;
}

/// libcbor 0.10 rejects tags that RFC 7049 does not define, including those of COSE. The head of a tag has the form of
/// an unsigned integer, so this code reads it as one.
Result<std::size_t> decode_tag(ByteView in, Item& item) {
  std::array<std::byte, 9> head{};
  in = in.first(std::min(in.size(), head.size()));
  std::ranges::copy(in, head.begin());
  head[0] &= std::byte{0x1f};
  const auto size = decode(ByteView(head).first(in.size()), item);
  item.type = CborType::tag;
  return size;
}

/// Removes the next head, and the content of a string, from `rest`.
Result<Item> take(ByteView& rest) {
  Item item;
  const bool tag = !rest.empty() && (rest[0] >> 5) == std::byte{6};
  const auto size = tag ? decode_tag(rest, item) : decode(rest, item);
  if (!size) return std::unexpected(size.error());
  // libcbor before 0.14.1 truncates lengths to 32 bits if size_t has 32 bits (GHSA-frh9-3gqx-pqg2).
  if (is_string(item.type) && item.argument > rest.size()) return fail(Errc::malformed, "CBOR is truncated");
  const auto expected = item.type == CborType::boolean || item.type == CborType::other ? 1 : min_head(item.argument);
  const auto content = is_string(item.type) ? static_cast<std::size_t>(item.argument) : 0;
  if (*size != expected + content) return fail(Errc::malformed, "CBOR is not in its shortest form");
  rest = rest.subspan(*size);
  return item;
}

/// The same for one type. With another type, `rest` does not change.
Result<Item> take(ByteView& rest, CborType type) {
  auto after = rest;
  auto item = take(after);
  if (!item) return item;
  if (item->type != type) return fail(Errc::malformed, "CBOR item has an unexpected type");
  rest = after;
  return item;
}

ByteView content(const Item& item) { return {item.content, static_cast<std::size_t>(item.argument)}; }

/// Bytes of the UTF-8 sequence (RFC 3629 section 4) at the start of `text`, 0 if there is none.
std::size_t utf8_sequence(ByteView text) noexcept {
  const auto at = [&](std::size_t i) { return i < text.size() ? std::to_integer<unsigned>(text[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80; };
  const auto first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && at(1) < 0xa0;
    const bool surrogate = first == 0xed && at(1) >= 0xa0;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && at(1) < 0x90;
    const bool beyond = first == 0xf4 && at(1) >= 0x90;
    return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

bool is_utf8(ByteView text) noexcept {
  while (!text.empty()) {
    const auto size = utf8_sequence(text);
    if (size == 0) return false;
    text = text.subspan(size);
  }
  return true;
}

Result<> skip_item(ByteView& rest, unsigned depth);

Result<> skip_map(ByteView& rest, std::uint64_t pairs, unsigned depth) {
  ByteView previous;
  for (std::uint64_t i = 0; i < pairs; ++i) {
    const auto start = rest;
    if (auto r = skip_item(rest, depth); !r) return r;
    const auto key = start.first(start.size() - rest.size());
    if (i > 0 && !std::ranges::lexicographical_compare(previous, key))
      return fail(Errc::malformed, "CBOR map keys are not in order");
    previous = key;
    if (auto r = skip_item(rest, depth); !r) return r;
  }
  return {};
}

/// `depth`: the number of levels that remain.
Result<> skip_item(ByteView& rest, unsigned depth) {
  const auto item = take(rest);
  if (!item) return std::unexpected(item.error());
  if (item->type == CborType::text && !is_utf8(content(*item))) return fail(Errc::malformed, "CBOR text is not UTF-8");
  if (item->type != CborType::array && item->type != CborType::map && item->type != CborType::tag) return {};
  if (depth == 0) return fail(Errc::malformed, "CBOR is nested too deep");
  if (item->type == CborType::map) return skip_map(rest, item->argument, depth - 1);
  // Every item takes at least a byte of `rest`, so the loop ends for any announced number.
  const auto count = item->type == CborType::tag ? 1 : item->argument;
  for (std::uint64_t i = 0; i < count; ++i)
    if (auto r = skip_item(rest, depth - 1); !r) return r;
  return {};
}

template <class Value>
void append(Bytes& buffer, std::size_t (*encode)(Value, unsigned char*, std::size_t), Value value) {
  std::array<std::byte, 9> head;
  const auto size = encode(value, c_bytes(MutableBytes(head)), head.size());
  SC_ASSERT(size > 0);
  buffer.insert(buffer.end(), head.begin(), head.begin() + static_cast<std::ptrdiff_t>(size));
}

}  // namespace

CborHead cbor_bytes_head(std::size_t size) noexcept {
  CborHead head;
  head.size_ = cbor_encode_bytestring_start(size, c_bytes(MutableBytes(head.bytes_)), head.bytes_.size());
  return head;
}

CborWriter& CborWriter::integer(std::int64_t value) {
  if (value >= 0) return unsigned_integer(static_cast<std::uint64_t>(value));
  append(buffer_, cbor_encode_negint, static_cast<std::uint64_t>(-(value + 1)));
  return *this;
}

CborWriter& CborWriter::unsigned_integer(std::uint64_t value) {
  append(buffer_, cbor_encode_uint, value);
  return *this;
}

CborWriter& CborWriter::bytes(ByteView value) {
  append(buffer_, cbor_encode_bytestring_start, value.size());
  buffer_.insert(buffer_.end(), value.begin(), value.end());
  return *this;
}

CborWriter& CborWriter::text(std::string_view value) {
  append(buffer_, cbor_encode_string_start, value.size());
  const auto content = as_bytes(value);
  SC_ASSERT(is_utf8(content));
  buffer_.insert(buffer_.end(), content.begin(), content.end());
  return *this;
}

CborWriter& CborWriter::boolean(bool value) {
  append(buffer_, cbor_encode_bool, value);
  return *this;
}

CborWriter& CborWriter::array(std::size_t items) {
  append(buffer_, cbor_encode_array_start, items);
  return *this;
}

CborWriter& CborWriter::map(std::size_t pairs) {
  append(buffer_, cbor_encode_map_start, pairs);
  return *this;
}

CborWriter& CborWriter::tag(std::uint64_t number) {
  append(buffer_, cbor_encode_tag, number);
  return *this;
}

CborType CborReader::peek() const noexcept {
  if (rest_.empty()) return CborType::end;
  const auto head = std::to_integer<unsigned>(rest_[0]);
  switch (head >> 5) {
    case 0:
    case 1: return CborType::integer;
    case 2: return CborType::bytes;
    case 3: return CborType::text;
    case 4: return CborType::array;
    case 5: return CborType::map;
    case 6: return CborType::tag;
    default: return head == 0xf4 || head == 0xf5 ? CborType::boolean : CborType::other;
  }
}

Result<std::int64_t> CborReader::integer() {
  auto after = rest_;
  const auto item = take(after, CborType::integer);
  if (!item) return std::unexpected(item.error());
  if (item->argument > max_signed) return fail(Errc::malformed, "CBOR integer is too large");
  rest_ = after;
  const auto value = static_cast<std::int64_t>(item->argument);
  return item->negative ? -1 - value : value;
}

Result<std::uint64_t> CborReader::unsigned_integer() {
  auto after = rest_;
  const auto item = take(after, CborType::integer);
  if (!item) return std::unexpected(item.error());
  if (item->negative) return fail(Errc::malformed, "CBOR integer is negative");
  rest_ = after;
  return item->argument;
}

Result<ByteView> CborReader::bytes() {
  const auto item = take(rest_, CborType::bytes);
  if (!item) return std::unexpected(item.error());
  return content(*item);
}

Result<ByteView> CborReader::bytes(std::size_t size) {
  auto after = rest_;
  const auto item = take(after, CborType::bytes);
  if (!item) return std::unexpected(item.error());
  if (item->argument != size) return fail(Errc::malformed, "CBOR byte string has an unexpected size");
  rest_ = after;
  return content(*item);
}

Result<std::string_view> CborReader::text() {
  auto after = rest_;
  const auto item = take(after, CborType::text);
  if (!item) return std::unexpected(item.error());
  if (!is_utf8(content(*item))) return fail(Errc::malformed, "CBOR text is not UTF-8");
  rest_ = after;
  return as_text(content(*item));
}

Result<bool> CborReader::boolean() {
  const auto item = take(rest_, CborType::boolean);
  if (!item) return std::unexpected(item.error());
  return item->argument != 0;
}

Result<std::size_t> CborReader::array() {
  auto after = rest_;
  const auto item = take(after, CborType::array);
  if (!item) return std::unexpected(item.error());
  if (item->argument > after.size()) return fail(Errc::malformed, "CBOR array is truncated");
  rest_ = after;
  return static_cast<std::size_t>(item->argument);
}

Result<> CborReader::array(std::size_t items) {
  const auto before = rest_;
  const auto count = array();
  if (!count) return std::unexpected(count.error());
  if (*count == items) return {};
  rest_ = before;
  return fail(Errc::malformed, "CBOR array has an unexpected size");
}

Result<std::size_t> CborReader::map() {
  auto after = rest_;
  const auto item = take(after, CborType::map);
  if (!item) return std::unexpected(item.error());
  if (item->argument > after.size() / 2) return fail(Errc::malformed, "CBOR map is truncated");
  rest_ = after;
  return static_cast<std::size_t>(item->argument);
}

Result<> CborReader::map(std::size_t pairs) {
  const auto before = rest_;
  const auto count = map();
  if (!count) return std::unexpected(count.error());
  if (*count == pairs) return {};
  rest_ = before;
  return fail(Errc::malformed, "CBOR map has an unexpected size");
}

Result<std::uint64_t> CborReader::tag() {
  const auto item = take(rest_, CborType::tag);
  if (!item) return std::unexpected(item.error());
  return item->argument;
}

Result<> CborReader::key(std::int64_t expected) {
  const auto before = rest_;
  const auto key = integer();
  if (!key) return std::unexpected(key.error());
  if (*key == expected) return {};
  rest_ = before;
  return fail(Errc::malformed, "CBOR map key is not the expected one");
}

Result<> CborReader::skip() {
  auto after = rest_;
  if (auto r = skip_item(after, max_depth); !r) return r;
  rest_ = after;
  return {};
}

Result<> CborReader::finish() const {
  if (!rest_.empty()) return fail(Errc::malformed, "bytes after the CBOR item");
  return {};
}

}  // namespace sealcam::crypto
