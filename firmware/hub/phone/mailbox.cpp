// SPDX-License-Identifier: Apache-2.0
#include "hub/phone/mailbox.hpp"

#include <algorithm>
#include <utility>

#include "crypto/psa.hpp"

namespace sealcam::hub::phone {

void Mailbox::expire() {
  const auto now = clock_.boot();
  std::erase_if(slots_, [now](const Slot& slot) { return slot.end <= now; });
  std::erase_if(used_, [now](const Used& used) { return used.until <= now; });
}

Mailbox::Slot* Mailbox::find(const protocol::LinkSlot& name) {
  expire();
  Slot* found = nullptr;
  for (auto& slot : slots_)
    if (crypto::equal_secrets(slot.name, name)) found = &slot;
  return found;
}

unsigned Mailbox::open(const protocol::LinkSlot& slot, ByteView opening) {
  if (opening.size() > max_opening) return 413;
  if (find(slot) != nullptr) return 409;
  if (std::ranges::any_of(used_, [&](const Used& used) { return crypto::equal_secrets(used.name, slot); })) return 409;
  if (slots_.size() >= max_slots) return 429;
  const auto read = protocol::decode_link_opening(opening, &owner_);
  if (!read || !crypto::equal_secrets(read->slot, slot)) return 403;
  const auto wall = clock_.wall();
  const auto difference = std::chrono::abs(wall.since_epoch - read->time.since_epoch);
  if (is_plausible(wall) && difference > max_difference) return 403;
  const auto now = clock_.boot();
  slots_.push_back({.name = slot, .end = now + slot_time, .parts = {}});
  if (used_.size() >= max_remembered) used_.pop_front();
  used_.push_back({slot, now + memory_time});
  return 204;
}

unsigned Mailbox::put(const protocol::LinkSlot& slot, Part part, ByteView body) {
  if (body.empty()) return 400;
  if (body.size() > (part == Part::descriptor ? max_descriptor : max_enrollment)) return 413;
  auto* const found = find(slot);
  if (found == nullptr) return 404;
  auto& stored = found->parts[std::to_underlying(part)];
  if (!stored.empty()) return equal(stored, body) ? 204 : 409;
  stored.assign(body.begin(), body.end());
  return 204;
}

Mailbox::Answer Mailbox::get(const protocol::LinkSlot& slot, Part part) {
  const auto* const found = find(slot);
  if (found == nullptr) return {404};
  const auto& stored = found->parts[std::to_underlying(part)];
  return stored.empty() ? Answer{204} : Answer{200, stored};
}

std::size_t Mailbox::size() const noexcept {
  std::size_t sum = slots_.size() * sizeof(Slot) + used_.size() * sizeof(Used);
  for (const auto& slot : slots_)
    for (const auto& part : slot.parts) sum += part.size();
  return sum;
}

}  // namespace sealcam::hub::phone
