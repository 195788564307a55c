// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/past_frames.hpp"

#include <algorithm>
#include <span>

#include "crypto/psa.hpp"

namespace sealcam::stream {

using namespace std::chrono_literals;
using protocol::PastRange;

namespace {

constexpr std::size_t max_requests = protocol::Roster::max_hubs * PastRange::max;
constexpr auto burst = 250ms;

}  // namespace

PastFrames::PastFrames(device::PastStore* store, const Clock& clock, Log& log, const protocol::Route& route)
    : store_(store), clock_(clock), log_(log), route_(route) {}

Result<crypto::Digest> PastFrames::digest_of(const FewAreas& masks) {
  std::string text;
  for (const auto& area : masks.list()) text += to_string(area) + ';';
  return crypto::sha256(as_bytes(text));
}

Result<> PastFrames::load(const crypto::PublicKey& camera) {
  if (store_ == nullptr) return {};
  const auto verifier = crypto::Verifier::open(camera);
  if (!verifier) return std::unexpected(verifier.error());
  Bytes message;
  for (const PastRange& range : store_->ranges()) {
    if (hubs_.contains(range.epoch)) continue;
    const auto read = store_->grants(range.epoch, message);
    const auto grants = protocol::decode_grants(message, route_, *verifier);
    // Without the grants no hub opens the frames, and the camera does not know which removed hub could.
    if (!read || !grants || grants->epoch != range.epoch) {
      log_.warning("the grants of kept frames of epoch {:016x} are damaged, deleting the frames", range.epoch.value());
      remove(std::span(&range.epoch, 1));
      continue;
    }
    auto& hubs = hubs_[range.epoch];
    for (const auto& grant : grants->grants) hubs.push_back(grant.hub);
  }
  return {};
}

void PastFrames::log(const Result<>& deleted) {
  if (!deleted && log_limit_.allow(clock_.monotonic()))
    log_.error("cannot delete kept frames, trying again: {}{}", to_string(deleted.error()), log_limit_.note());
}

/// Also after an error: no answer contains them.
void PastFrames::remove(std::span<const Epoch> epochs) {
  ready_ = false;
  for (const Epoch epoch : epochs) {
    hubs_.erase(epoch);
    std::erase_if(requests_, [&](const Request& request) { return request.range.epoch == epoch; });
  }
  log(store_->remove(epochs));
}

/// What is in memory, and what was requested of the store.
void PastFrames::forget_memory() noexcept {
  frames_.clear();
  store_due_ = false;
  hubs_.clear();
  requests_.clear();
  ready_ = false;
}

void PastFrames::set_roster(const protocol::Roster& roster) {
  if (store_ == nullptr) return;
  const auto inactive = [&](const DeviceId& hub) { return roster.active(hub) == nullptr; };
  if (std::ranges::none_of(granted_hubs_, inactive)) store_due();
  std::vector<Epoch> removed;
  for (const auto& [epoch, hubs] : hubs_)
    if (std::ranges::any_of(hubs, inactive)) removed.push_back(epoch);
  frames_.clear();  // they are of the epoch that this roster ends
  store_due_ = false;
  epoch_.reset();
  std::erase_if(requests_, [&](const Request& request) { return inactive(request.hub); });
  std::erase_if(requesters_, inactive);
  if (removed.empty()) return;
  remove(removed);
  log_.info("deleted kept frames, because a hub that could open them is not active any more");
}

void PastFrames::clear() {
  if (store_ == nullptr) return;
  forget_memory();
  if (until_) end_keeping();  // what follows is not of the outage
  log(store_->clear());
}

void PastFrames::set_masks(const FewAreas& masks) {
  if (store_ == nullptr) return;
  const auto digest = digest_of(masks);
  if (!digest) return clear();
  if (digest_ == *digest) return;
  if (digest_) forget_memory();
  digest_ = *digest;
  log(store_->set_digest(*digest));
  // The store may have been opened with other masks.
  const auto kept = store_->ranges();
  std::erase_if(hubs_, [&](const auto& known) { return !std::ranges::contains(kept, known.first, &PastRange::epoch); });
}

void PastFrames::set_bitrate(BitsPerSecond bitrate) noexcept {
  const std::uint64_t bytes = std::uint64_t{bitrate.value()} / 8 * memory_time.count() * 5 / 4;
  memory_ = std::clamp<std::uint64_t>(bytes, min_memory, max_memory);
}

void PastFrames::begin_epoch(Epoch epoch, ByteView grants, const protocol::Roster& roster) {
  if (store_ == nullptr) return;
  store_due();
  frames_.clear();
  epoch_ = epoch;
  grants_.assign(grants.begin(), grants.end());
  granted_hubs_.clear();
  for (const auto& hub : roster.hubs)
    if (roster.active(hub.identity.id()) != nullptr) granted_hubs_.push_back(hub.identity.id());
}

bool PastFrames::recording(MonotonicTime now) const noexcept {
  return (record_ && now - *record_ <= recording_time) || (motion_ && now - *motion_ <= recording_time);
}

void PastFrames::on_disconnected() {
  until_.reset();
  const MonotonicTime now = clock_.monotonic();
  if (store_ == nullptr || keeping_ || !recording(now)) return;
  keeping_ = record_ && now - *record_ <= recording_time ? PictureUse::record : PictureUse::motion;
  if (!store_due_) {  // else the frames of the outage before are among them
    drop_old(now);
    // Reports alone are of no use.
    const auto picture = std::ranges::find_if(frames_, &Frame::key);
    drop_until(static_cast<std::size_t>(picture - frames_.begin()));
  }
  (void)try_store();
  log_.info("no broker: keeping the pictures for the hubs that record");
}

void PastFrames::on_connected() {
  if (!keeping_) return;
  // A hub that recorded before still counts if the connection ends again before its next request, but only once.
  if (std::exchange(renewed_, true)) return end_keeping();
  store_due_ = !frames_.empty() && !try_store();
  (*keeping_ == PictureUse::record ? record_ : motion_) = clock_.monotonic();
  until_ = clock_.monotonic() + recording_time;
}

void PastFrames::end_keeping() {
  store_due_ = !frames_.empty() && !try_store();
  keeping_.reset();
  until_.reset();
}

void PastFrames::drop_until(std::size_t frame) {
  if (frame == 0) return;
  const std::size_t begin = frame == frames_.size() ? 0 : frames_[frame].offset;
  const std::size_t end = frame == frames_.size() ? 0 : frames_.back().offset + frames_.back().size;
  std::copy(arena_.begin() + static_cast<std::ptrdiff_t>(begin), arena_.begin() + static_cast<std::ptrdiff_t>(end),
            arena_.begin());
  frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(frame));
  for (Frame& left : frames_) left.offset -= begin;
}

void PastFrames::drop_old(MonotonicTime now) {
  auto recent = std::ranges::find_if(frames_, [&](const Frame& f) { return now - f.sealed <= memory_time; });
  while (recent != frames_.begin() && recent != frames_.end() && !recent->key) --recent;  // a group decodes as a whole
  drop_until(static_cast<std::size_t>(recent - frames_.begin()));
}

void PastFrames::drop_group() {
  const auto next = std::ranges::find_if(frames_.begin() + 1, frames_.end(), &Frame::key);
  drop_until(static_cast<std::size_t>(next - frames_.begin()));
}

void PastFrames::add(Counter counter, bool key, ByteView message) {
  const MonotonicTime now = clock_.monotonic();
  if (store_ == nullptr || (!keeping_ && !recording(now))) return;
  if (frames_.empty() && arena_.size() < memory_) {
    arena_.resize(memory_);
    frames_.reserve(max_frames);
    to_store_.reserve(max_frames);
  }
  if (message.size() > arena_.size()) return;  // the largest message does not fit into the smallest memory
  // Whole groups are written, so that a power cut costs the last group at most.
  if (keeping_ && key && now - stored_ >= min_write_interval) (void)try_store();
  const auto end = [&] { return frames_.empty() ? 0 : frames_.back().offset + frames_.back().size; };
  const auto full = [&] { return frames_.size() == max_frames || end() + message.size() > arena_.size(); };
  if (full() && !(due() && try_store())) drop_old(now);
  while (full() && !frames_.empty()) drop_group();
  const std::size_t offset = end();
  std::ranges::copy(message, arena_.begin() + static_cast<std::ptrdiff_t>(offset));
  frames_.push_back({counter, key, now, offset, message.size()});
}

void PastFrames::store() {
  stored_ = clock_.monotonic();
  store_due_ = false;
  if (frames_.empty() || !epoch_) return;
  to_store_.clear();
  for (const Frame& frame : frames_)
    to_store_.push_back({frame.counter, ByteView(arena_).subspan(frame.offset, frame.size)});
  hubs_.try_emplace(*epoch_, granted_hubs_);
  const auto stored = timed([&] { return store_->add(*epoch_, grants_, to_store_); });
  if (!stored && log_limit_.allow(stored_))
    log_.error("cannot keep pictures, so they are lost: {}{}", to_string(stored.error()), log_limit_.note());
  frames_.clear();
}

void PastFrames::tick() {
  if (store_ == nullptr) return;
  if (until_ && clock_.monotonic() >= *until_) end_keeping();
  const bool late = keeping_ && !frames_.empty() && clock_.monotonic() - stored_ >= max_write_interval;
  if (late || store_due_) (void)try_store();
  if (!resting()) log(timed([&] { return store_->tick(); }));
}

void PastFrames::request(const DeviceId& hub, const std::vector<PastRange>& ranges) {
  if (store_ == nullptr) return;
  std::erase_if(requests_, [&](const Request& request) { return request.hub == hub; });
  requested_again_ = true;  // the hub may have lost the grants
  requesters_.insert(hub);
  for (const PastRange& range : ranges) {
    const auto known = hubs_.find(range.epoch);
    if (known == hubs_.end() || !std::ranges::contains(known->second, hub) || requests_.size() == max_requests)
      continue;
    requests_.push_back({hub, clock_.monotonic() + request_time, range});
  }
}

/// Reads the first of these frames into `message_`, and removes it and those before it from the requests. False if
/// there is none. Logs an error.
Result<bool> PastFrames::read(Epoch epoch, Counter from, Counter last) {
  const auto counter = timed([&] { return store_->read(epoch, from, message_); });
  if (!counter) {
    if (log_limit_.allow(clock_.monotonic()))
      log_.warning("cannot read kept frames of epoch {:016x}: {}{}", epoch.value(), to_string(counter.error()),
                   log_limit_.note());
    return std::unexpected(counter.error());
  }
  const bool found = *counter && **counter <= last;
  const Counter done = found ? **counter : last;
  place_ = {epoch, done.next()};
  for (Request& request : requests_)
    if (request.range.epoch == epoch && request.range.first <= done) request.range.first = done.next();
  std::erase_if(requests_, [](const Request& request) { return request.range.first > request.range.last; });
  return found;
}

/// Fills `message_`.
bool PastFrames::prepare(MonotonicTime now) {
  for (;;) {
    // Upward from the last place. A request that begins before it is served from there; the hub requests the rest
    // again.
    std::optional<std::pair<Epoch, Counter>> first, again;
    Counter last;
    for (const auto& [hub, until, range] : requests_) {
      const bool within = range.epoch == place_.first && range.first < place_.second && place_.second <= range.last;
      const std::pair begin{range.epoch, within ? place_.second : range.first};
      if (auto& chosen = begin < place_ ? again : first; !chosen || begin < *chosen) chosen = begin;
    }
    const auto from = first ? first : again;
    if (!from) return false;
    for (const auto& request : requests_)
      if (request.range.epoch == from->first && request.range.first <= from->second)
        last = std::max(last, request.range.last);
    const Epoch epoch = from->first;
    if (granted_ == epoch && !(requested_again_ && now - granted_at_ >= grants_time)) {
      const auto found = read(epoch, from->second, last);
      if (!found) return false;  // the card rests before the next attempt
      if (*found) return true;
      continue;
    }
    granted_ = epoch;
    granted_at_ = now;
    requested_again_ = false;
    if (timed([&] { return store_->grants(epoch, message_); })) return true;
    remove(std::span(&epoch, 1));
  }
}

ByteView PastFrames::next(BitsPerSecond rate, std::size_t max_size) {
  const MonotonicTime now = clock_.monotonic();
  if ((requests_.empty() && !ready_) || now < next_ || rate.value() < rate_divisor) return {};
  std::erase_if(requests_, [&](const Request& request) { return request.until <= now; });
  if (!ready_ && !resting()) ready_ = prepare(now);
  if (!ready_) return {};
  if (message_.size() > max_size) {
    if (large_sent_ && now - *large_sent_ < large_time) return {};
    large_sent_ = now;
  }
  ready_ = false;
  if (protocol::parse_frame(message_)) ++sent_;
  const std::chrono::duration<double> time(static_cast<double>(message_.size()) * 8 * rate_divisor / rate.value());
  next_ = std::max(next_, now - burst) + std::chrono::duration_cast<std::chrono::nanoseconds>(time);
  return message_;
}

}  // namespace sealcam::stream
