// SPDX-License-Identifier: Apache-2.0
/// The items of a recording: a CBOR sequence (RFC 8742) of header, groups and receipt. firmware/protocol/recordings.md
/// is the reference. Nothing here opens a sealed frame.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "crypto/cbor.hpp"
#include "crypto/psa.hpp"
#include "protocol/envelope.hpp"
#include "protocol/roster.hpp"
#include "recordings/archive.hpp"

namespace sealcam::recordings {

/// `count` counters from `first` on; count > 0.
struct CounterRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  friend bool operator==(const CounterRange&, const CounterRange&) = default;
};

/// Thread-bound.
class CounterSet {
 public:
  /// False, and no change, if the set contains the counter.
  bool add(std::uint64_t counter) { return add(CounterRange{counter, 1}); }
  /// False, and no change, if the set contains one of the counters, or if they exceed 2^32.
  bool add(const CounterRange& range);
  /// Adds the counters of the range that are not in the set.
  void add_missing(const CounterRange& range) {
    if (range.count == 0) return;
    for (const auto& part : missing(range.first, range.first + range.count - 1)) (void)add(part);
  }
  [[nodiscard]] bool contains(std::uint64_t counter) const;
  [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
  /// Ascending, not adjacent.
  [[nodiscard]] std::vector<CounterRange> ranges() const;
  [[nodiscard]] std::size_t range_count() const noexcept { return ranges_.size(); }
  /// The counters from `first` to `last` that are not in the set.
  [[nodiscard]] std::vector<CounterRange> missing(std::uint64_t first, std::uint64_t last) const;
  /// Requires !empty().
  [[nodiscard]] std::uint64_t first() const { return ranges_.begin()->first; }
  [[nodiscard]] std::uint64_t last() const { return ranges_.rbegin()->second - 1; }
  void clear() noexcept { ranges_.clear(); }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  ///< first counter -> counter after the last one
};

/// Number of a file of one camera at one hub. It only grows, by one.
using FileNumber = Strong<struct FileNumberTag, std::uint64_t>;

inline constexpr std::uint64_t format_version = 1;
/// Times of recordings are microseconds since 1970, and at most this far from it: the integers of JavaScript.
inline constexpr std::int64_t max_time = std::int64_t{1} << 53;

/// Errors: malformed (also a time beyond `max_time`).
[[nodiscard]] Result<CaptureTime> read_time(crypto::CborReader& reader);
/// Limits of a file; a recorder begins another one before.
inline constexpr std::chrono::minutes max_file_time{5};
inline constexpr std::size_t max_groups = 1024;
inline constexpr std::size_t max_ranges = 4096;
inline constexpr std::uint64_t max_file_size = std::uint64_t{4} << 30;
/// Two control messages and fields of fixed size.
inline constexpr std::size_t max_header_size = 2 * protocol::max_control_size + 256;

/// The first item. Nothing in it is signed as a whole, except by the receipt.
struct FileHeader {
  crypto::PublicKey owner;  ///< a reader compares its id with the account that it trusts
  Bytes roster;             ///< the message
  Bytes grants;             ///< the message
  FileNumber number;
};
[[nodiscard]] Bytes encode_header(const FileHeader& header);

/// A header whose signatures are valid.
struct VerifiedHeader {
  protocol::Route route;
  protocol::Roster roster;
  protocol::Grants grants;
  FileNumber number;
  crypto::Verifier camera;
};
/// Reads a header at the start of `bytes`. Sets its size. Errors: malformed (also if it is truncated).
[[nodiscard]] Result<FileHeader> decode_header(ByteView bytes, std::size_t& size);
/// Checks the roster with the owner's key in the header, and the grants with the camera's key in the roster. The caller
/// compares route.account and route.camera with what it expects. Errors: malformed, bad_signature, wrong_key, crypto.
[[nodiscard]] Result<VerifiedHeader> verify_header(const FileHeader& header, const DeviceId& camera);

/// Whether the bytes are all of a file that ends within its header, as after a power cut. Zeros may follow.
[[nodiscard]] bool is_cut_header(ByteView bytes) noexcept;

/// Counters that a mark names at most.
inline constexpr std::size_t max_marked = 6;
/// [time, counter…]: begins a group, before its first frame. By the hub's wall clock. The counters are frames that were
/// received and not stored since the mark before, so that they are not lost with the receipt.
[[nodiscard]] Bytes encode_mark(CaptureTime time, std::span<const std::uint64_t> left_out);

enum class ItemKind : std::uint8_t { header, mark, frame, receipt };

/// The first bytes of an item.
struct ItemHead {
  ItemKind kind = ItemKind::mark;
  std::size_t size = 0;  ///< of the whole item
  CaptureTime time{};    ///< of a mark
  std::array<std::uint64_t, max_marked> left_out{};
  std::size_t left_out_count = 0;
};
/// Bytes that are sufficient for item_head().
inline constexpr std::size_t item_head_size = 48;
/// `bytes`: the first item_head_size bytes of an item, or all bytes to the end of the file. Errors: malformed (also if
/// the head is truncated).
[[nodiscard]] Result<ItemHead> item_head(ByteView bytes);

/// Facts about a sealed frame, not verified.
struct FrameFacts {
  std::uint8_t kind = 0;  ///< protocol::FrameKind, or another number
  Epoch epoch;
  Counter counter;
};
inline constexpr std::size_t frame_facts_size = 64;
/// `bytes`: at least the first frame_facts_size bytes of a frame, or the whole frame. Errors: malformed.
[[nodiscard]] Result<FrameFacts> frame_facts(ByteView bytes);

/// One group of a file: a mark, and the frames up to the next one. All groups except the first one of a file begin with
/// a key frame.
struct Group {
  std::uint64_t size = 0;   ///< bytes, with the mark
  CaptureTime time;         ///< as in the mark
  crypto::Digest digest{};  ///< SHA-256 of the bytes
  friend bool operator==(const Group&, const Group&) = default;
};

/// The last item. The ranges are ascending. Together with the stored frames they are all counters from `first` to
/// `last`.
struct Receipt {
  FileNumber number;
  Epoch epoch;
  Counter first, last;
  std::vector<CounterRange> gaps;      ///< the hub did not receive these frames
  std::vector<CounterRange> left_out;  ///< received and not stored: reports, stills, frames in a wrong order
  std::vector<Group> groups;
  crypto::Digest header{};  ///< SHA-256 of the first item
  CaptureTime end;          ///< arrival of the last frame, by the hub's wall clock
  EndReason reason = EndReason::full;
};

/// The item: a byte string with the signed message and its size as four bytes, so that a reader finds it from the end
/// of the file. Errors: crypto.
[[nodiscard]] Result<Bytes> encode_receipt(const Receipt& receipt, const protocol::Route& route,
                                           const crypto::SigningKey& hub);
/// Size of the item that ends with these four bytes; 0 if it cannot be a receipt.
[[nodiscard]] std::size_t receipt_item_size(std::span<const std::byte, 4> last_bytes) noexcept;
/// `item`: the whole item. `hub`: a key of the roster. Errors: malformed, wrong_key, bad_signature.
[[nodiscard]] Result<Receipt> decode_receipt(ByteView item, const protocol::Route& route, const crypto::Verifier& hub);
/// The hub that claims to have signed. Errors: malformed.
[[nodiscard]] Result<DeviceId> receipt_signer(ByteView item);

/// "2026-11-30" and "14-05-09.123.seal", by UTC. Times before the year 0 or after the year 9999 are cut to the year 0
/// or 9999.
[[nodiscard]] std::string day_name(CaptureTime time);
[[nodiscard]] std::string file_name(CaptureTime time);
/// Whether the text has this form.
[[nodiscard]] bool is_day_name(std::string_view text) noexcept;
[[nodiscard]] bool is_file_name(std::string_view text) noexcept;

}  // namespace sealcam::recordings
