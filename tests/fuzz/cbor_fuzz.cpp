// SPDX-License-Identifier: Apache-2.0
// CBOR reader: the writer reproduces each accepted item byte by byte.
#include "crypto/cbor.hpp"
#include "input.hpp"

using namespace sealcam;
using crypto::CborReader;
using crypto::CborType;
using crypto::CborWriter;

namespace {

/// Copies one item, up to the depth of skip(). Returns false if the reader rejects it.
bool copy_item(CborReader& reader, CborWriter& writer, ByteView whole, unsigned depth);  // NOLINT(misc-no-recursion)

bool copy_items(CborReader& reader, CborWriter& writer, ByteView whole, std::size_t count, unsigned depth) {
  for (std::size_t i = 0; i < count; ++i)
    if (depth == 0 || !copy_item(reader, writer, whole, depth - 1)) return false;
  return true;
}

bool copy_number(CborReader& reader, CborWriter& writer) {
  if (const auto value = reader.unsigned_integer()) return writer.unsigned_integer(*value), true;
  if (const auto value = reader.integer()) return writer.integer(*value), true;
  return false;
}

bool copy_item(CborReader& reader, CborWriter& writer, ByteView whole, unsigned depth) {
  switch (reader.peek()) {
    case CborType::integer: return copy_number(reader, writer);
    case CborType::bytes: {
      const auto value = reader.bytes();
      if (value) SC_ASSERT(fuzz::inside(*value, whole));
      return value && (writer.bytes(*value), true);
    }
    case CborType::text: {
      const auto value = reader.text();
      if (value) SC_ASSERT(fuzz::inside(as_bytes(*value), whole));
      return value && (writer.text(*value), true);
    }
    case CborType::boolean: {
      const auto value = reader.boolean();
      return value && (writer.boolean(*value), true);
    }
    case CborType::array: {
      const auto count = reader.array();
      if (count) SC_ASSERT(*count <= reader.rest().size());
      return count && (writer.array(*count), copy_items(reader, writer, whole, *count, depth));
    }
    case CborType::map: {
      const auto pairs = reader.map();
      if (pairs) SC_ASSERT(*pairs <= reader.rest().size() / 2);
      return pairs && (writer.map(*pairs), copy_items(reader, writer, whole, 2 * *pairs, depth));
    }
    case CborType::tag: {
      const auto number = reader.tag();
      return number && (writer.tag(*number), copy_items(reader, writer, whole, 1, depth));
    }
    case CborType::other:
    case CborType::end: return false;
  }
  return false;
}

/// A getter for another type does not move the reader.
void check_getters(ByteView whole) {
  const auto unmoved = [&](auto get) {
    CborReader reader(whole);
    const auto result = get(reader);
    if (!result) SC_ASSERT(reader.rest().data() == whole.data() && reader.rest().size() == whole.size());
  };
  unmoved([](CborReader& r) { return r.integer(); });
  unmoved([](CborReader& r) { return r.unsigned_integer(); });
  unmoved([](CborReader& r) { return r.bytes(); });
  unmoved([](CborReader& r) { return r.bytes(20); });
  unmoved([](CborReader& r) { return r.text(); });
  unmoved([](CborReader& r) { return r.boolean(); });
  unmoved([](CborReader& r) { return r.array(); });
  unmoved([](CborReader& r) { return r.array(4); });
  unmoved([](CborReader& r) { return r.map(); });
  unmoved([](CborReader& r) { return r.map(6); });
  unmoved([](CborReader& r) { return r.tag(); });
  unmoved([](CborReader& r) { return r.key(1); });
  unmoved([](CborReader& r) { return r.skip(); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto whole = fuzz::Input(data, size).rest();
  {
    const fuzz::AllocationLimit reading_allocates_nothing(0);
    check_getters(whole);
  }
  CborReader skipper(whole);
  const bool skipped = skipper.skip().has_value();
  CborReader reader(whole);
  CborWriter writer;
  const bool copied = copy_item(reader, writer, whole, 8);
  if (!copied) return 0;
  const auto used = whole.first(whole.size() - reader.rest().size());
  SC_ASSERT(equal(writer.view(), used));
  // skip() also requires sorted map keys. If it accepts the item, both readers end at the same position.
  if (skipped) SC_ASSERT(skipper.rest().size() == reader.rest().size());
  return 0;
}
