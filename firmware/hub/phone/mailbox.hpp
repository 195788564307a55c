// SPDX-License-Identifier: Apache-2.0
/// The mailbox through which a phone and the owner's program exchange the messages of a link (firmware/protocol). The
/// hub verifies only that its owner opened the slot. The receivers judge all other messages. Nothing of it is stored:
/// after a restart all slots are gone. Thread-bound.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "protocol/phone_link.hpp"

namespace sealcam::hub::phone {

class Mailbox {
 public:
  static constexpr std::size_t max_slots = 4;
  static constexpr std::chrono::minutes slot_time{10};
  /// How much the time of an opening may differ from the hub's clock.
  static constexpr std::chrono::minutes max_difference{10};
  /// An opening is repeatable for as long as its time is accepted, so the hub remembers its slot for longer.
  static constexpr std::chrono::minutes memory_time{25};
  static constexpr std::size_t max_remembered = 64;
  static constexpr std::size_t max_opening = 512;
  static constexpr std::size_t max_descriptor = std::size_t{4} << 10;
  static constexpr std::size_t max_enrollment = std::size_t{8} << 10;

  enum class Part : std::uint8_t { descriptor, enrollment };
  /// An answer of HTTP (RFC 9110 section 15). `body` is valid until the next call.
  struct Answer {
    unsigned status = 204;
    ByteView body = {};
  };

  /// `owner`: the only key that opens slots. `clock` outlives the mailbox.
  Mailbox(const crypto::PublicKey& owner, const Clock& clock) : owner_(owner), clock_(clock) {}

  /// 204; 403 (not signed by the owner, for another slot, or at another time), 409 (the slot is in use, or was), 413,
  /// 429 (all slots are in use).
  [[nodiscard]] unsigned open(const protocol::LinkSlot& slot, ByteView opening);
  /// 204, also for the same bytes again, because the answer to the first request may have been lost; 404 (no such
  /// slot), 409 (there is another one), 413, 400 (empty).
  [[nodiscard]] unsigned put(const protocol::LinkSlot& slot, Part part, ByteView body);
  /// 200 with the body, 204 (nothing yet), 404 (no such slot).
  [[nodiscard]] Answer get(const protocol::LinkSlot& slot, Part part);

  /// For tests: all bytes that it holds.
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  struct Slot {
    protocol::LinkSlot name{};
    BootTime end;
    std::array<Bytes, 2> parts;  ///< by Part; empty: none
  };
  struct Used {
    protocol::LinkSlot name{};
    BootTime until;
  };
  /// Compares with every slot, in constant time.
  [[nodiscard]] Slot* find(const protocol::LinkSlot& name);
  void expire();

  crypto::PublicKey owner_;
  const Clock& clock_;
  std::vector<Slot> slots_;
  std::deque<Used> used_;
};

}  // namespace sealcam::hub::phone
