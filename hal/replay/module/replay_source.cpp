// SPDX-License-Identifier: Apache-2.0
#include "hal/replay/module/replay_source.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.hpp"

namespace sealcam::hal::replay {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr double min_rate = 2;  // of a file whose pictures are repeated
constexpr milliseconds max_late{500};

nanoseconds interval_of(double rate) noexcept { return nanoseconds(std::llround(1e9 / rate)); }

}  // namespace

Result<std::unique_ptr<ReplaySource>> ReplaySource::open(const ReplayConfig& config, const Clock& clock) {
  if (!is_valid(config.size)) return fail(Errc::invalid_argument, "size of the replay: even, 32 to 4096");
  if (!(config.rate >= 0 && config.rate <= 1000)) return fail(Errc::invalid_argument, "rate of the replay");
  auto reader = Reader::open(config);
  if (!reader) return std::unexpected(reader.error());
  std::unique_ptr<ReplaySource> source(new ReplaySource(config, clock, std::move(*reader)));
  Buffer& first = source->buffers_[0];
  const auto at = source->reader_->read(first.bytes);
  if (!at) return std::unexpected(at.error());
  source->colors_ = source->reader_->colors();
  source->add_ready(first);
  source->thread_ = std::jthread([self = source.get()](const std::stop_token& stop) { self->read_ahead(stop); });
  return source;
}

ReplaySource::ReplaySource(const ReplayConfig& config, const Clock& clock, std::unique_ptr<Reader> reader)
    : config_(config),
      clock_(clock),
      reader_(std::move(reader)),
      interval_(interval_of(reader_->rate())),
      max_gap_(std::max(interval_of(min_rate), config.rate > 0 ? interval_ : nanoseconds(0))),
      rate_(config.rate > 0 ? config.rate : std::max(reader_->rate(), min_rate)) {
  const auto pixels = static_cast<std::size_t>(config.size.width) * static_cast<std::size_t>(config.size.height);
  for (auto& buffer : buffers_) buffer.bytes.resize(pixels * 3 / 2);
}

ReplaySource::~ReplaySource() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

ReplaySource::Buffer* ReplaySource::find_free() noexcept {
  for (std::uint32_t i = 0; i < buffer_count; ++i)
    if (!buffers_[i].ready && buffers_[i].leases == 0 && current_ != i) return &buffers_[i];
  return nullptr;
}

void ReplaySource::add_ready(const Buffer& buffer) noexcept {
  const auto index = static_cast<std::uint32_t>(&buffer - buffers_.data());
  buffers_[index].ready = true;
  ready_[(ready_at_ + ready_count_++) % buffer_count] = index;
  changed_.notify_all();
}

void ReplaySource::read_ahead(const std::stop_token& stop) {
  reader_->set_stop(stop);
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    Buffer* const free = find_free();
    if (free == nullptr) {
      changed_.wait(lock, stop, [&] { return find_free() != nullptr; });
      continue;
    }
    lock.unlock();
    const auto at = reader_->read(free->bytes);  // only this thread uses a free buffer
    lock.lock();
    if (at) {
      free->at = *at;
      add_ready(*free);
      continue;
    }
    still_ = config_.loop && at.error().code == Errc::end_of_stream && reader_->is_still();
    if (!still_) finished_ = at.error();
    changed_.notify_all();
    return;
  }
}

/// If the caller is late, the rest of the clip is delayed.
MonotonicTime ReplaySource::continue_at(MonotonicTime due, MonotonicTime now) noexcept {
  const nanoseconds late = now - due;
  if (late <= std::min<nanoseconds>(4 * interval_, max_late)) return due;
  number_ += static_cast<std::uint32_t>(late / interval_);
  *origin_ = *origin_ + late;
  return now;
}

Result<ReplaySource::Turn> ReplaySource::next_turn(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const auto can_continue = [&] { return ready_count_ > 0 || finished_ || (still_ && current_); };
  if (!changed_.wait_for(lock, timeout, can_continue))
    return fail(Errc::timeout, "no picture is ready, or all buffers are leased");
  const MonotonicTime now = clock_.monotonic();
  if (ready_count_ == 0 && !still_) return std::unexpected(*finished_);
  if (!config_.realtime) return Turn{ready_count_ > 0 ? ready_[ready_at_] : *current_, now, ready_count_ == 0};
  const MonotonicTime repeat = std::max(last_due_ + (still_ ? interval_ : max_gap_), now - max_late);
  if (ready_count_ == 0) return Turn{*current_, repeat, true};
  const std::uint32_t next = ready_[ready_at_];
  if (!origin_) origin_ = now - buffers_[next].at;
  const MonotonicTime due = *origin_ + buffers_[next].at;
  if (current_ && repeat < due && now < due) return Turn{*current_, repeat, true};
  return Turn{next, continue_at(due, now), false};
}

void ReplaySource::take(const Turn& turn) noexcept {
  const std::scoped_lock lock(mutex_);
  ++buffers_[turn.buffer].leases;
  if (turn.repeats) return;
  buffers_[turn.buffer].ready = false;
  ready_at_ = (ready_at_ + 1) % buffer_count;
  --ready_count_;
  current_ = turn.buffer;
  changed_.notify_all();  // the buffer of the picture before may be free now
}

Result<Picture> ReplaySource::do_next(milliseconds timeout) {
  const auto began = std::chrono::steady_clock::now();
  const auto turn = next_turn(timeout);
  if (!turn) return std::unexpected(turn.error());
  if (const auto early = turn->due - clock_.monotonic(); early.count() > 0) {
    const auto waited = std::chrono::steady_clock::now() - began;
    const auto left = std::max<nanoseconds>(timeout - waited, milliseconds(1));
    std::this_thread::sleep_for(std::min<nanoseconds>(early, left));
    if (turn->due > clock_.monotonic()) return fail(Errc::timeout, "waiting for a picture");
  }
  take(*turn);
  last_due_ = turn->due;
  const auto width = static_cast<std::size_t>(config_.size.width);
  const auto pixels = width * static_cast<std::size_t>(config_.size.height);
  const std::byte* const luma = buffers_[turn->buffer].bytes.data();
  Picture picture(*this, turn->buffer);
  picture.format = PixelFormat::yu12;
  picture.size = config_.size;
  picture.planes = {Plane{luma, width}, Plane{luma + pixels, width / 2}, Plane{luma + pixels + pixels / 4, width / 2}};
  picture.colors = colors_;
  picture.number = FrameNumber(number_++);
  picture.captured = turn->due;
  return picture;
}

void ReplaySource::give_back(std::uint32_t buffer) noexcept {
  const std::scoped_lock lock(mutex_);
  --buffers_[buffer].leases;
  changed_.notify_all();
}

std::string ReplaySource::do_describe() const {
  return sealcam::format("replay of {}, YU12 {}x{}, {:.4g}/s{}{}", config_.file.filename().string(), config_.size.width,
                         config_.size.height, rate_, config_.realtime ? "" : ", as fast as possible",
                         config_.loop ? "" : ", once");
}

}  // namespace sealcam::hal::replay
