// SPDX-License-Identifier: Apache-2.0
#include "hal/replay/module/replay_source.hpp"

#include <algorithm>
#include <format>
#include <utility>

namespace sealcam::hal::replay {

Result<std::unique_ptr<ReplaySource>> ReplaySource::open(const ReplayConfig& config, const Clock& clock) {
  if (!is_valid(config.size)) return fail(Errc::invalid_argument, "size of the replay: even, 32 to 4096");
  if (!(config.rate >= 0 && config.rate <= 1000)) return fail(Errc::invalid_argument, "rate of the replay");
  auto reader = Reader::open(config);
  if (!reader) return std::unexpected(reader.error());
  std::unique_ptr<ReplaySource> source(new ReplaySource(config, clock, std::move(*reader)));
  const auto first = source->reader_->read(source->buffers_[0].bytes);
  if (!first) return std::unexpected(first.error());
  source->buffers_[0].state = State::ready;
  source->ready_count_ = 1;
  source->thread_ = std::jthread([self = source.get()](const std::stop_token& stop) { self->read_ahead(stop); });
  return source;
}

ReplaySource::ReplaySource(const ReplayConfig& config, const Clock& clock, std::unique_ptr<Reader> reader)
    : config_(config), reader_(std::move(reader)), rate_(reader_->rate()), pacer_(clock, rate_, config.realtime) {
  const auto pixels = static_cast<std::size_t>(config.size.width) * static_cast<std::size_t>(config.size.height);
  for (auto& buffer : buffers_) buffer.bytes.resize(pixels * 3 / 2);
}

ReplaySource::~ReplaySource() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void ReplaySource::read_ahead(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const auto free = std::ranges::find(buffers_, State::free, &Buffer::state);
    if (free == buffers_.end()) {
      changed_.wait(lock, stop,
                    [&] { return std::ranges::find(buffers_, State::free, &Buffer::state) != buffers_.end(); });
      continue;
    }
    lock.unlock();
    const auto read = reader_->read(free->bytes);  // only this thread touches a free buffer
    lock.lock();
    if (!read) {
      finished_ = read.error();
      changed_.notify_all();
      return;
    }
    free->state = State::ready;
    ready_[(ready_at_ + ready_count_++) % buffer_count] = static_cast<std::uint32_t>(free - buffers_.begin());
    changed_.notify_all();
  }
}

Result<std::uint32_t> ReplaySource::wait_ready(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const bool come = changed_.wait_for(lock, timeout, [&] { return ready_count_ > 0 || finished_; });
  if (!come) return fail(Errc::timeout, "the recording is read too slowly, or all buffers are leased");
  if (ready_count_ == 0) return std::unexpected(*finished_);
  return ready_[ready_at_];
}

Result<Picture> ReplaySource::do_next(std::chrono::milliseconds timeout) {
  const auto began = std::chrono::steady_clock::now();
  const auto index = wait_ready(timeout);
  if (!index) return std::unexpected(index.error());
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  const auto tick = pacer_.next(std::max(timeout - waited, std::chrono::milliseconds(1)));
  if (!tick) return std::unexpected(tick.error());
  Buffer& buffer = buffers_[*index];
  {
    const std::scoped_lock lock(mutex_);
    buffer.state = State::leased;
    ready_at_ = (ready_at_ + 1) % buffer_count;
    --ready_count_;
  }
  const auto width = static_cast<std::size_t>(config_.size.width);
  const auto pixels = width * static_cast<std::size_t>(config_.size.height);
  const std::byte* const luma = buffer.bytes.data();
  Picture picture(*this, *index);
  picture.format = PixelFormat::yu12;
  picture.size = config_.size;
  picture.planes = {Plane{luma, width}, Plane{luma + pixels, width / 2}, Plane{luma + pixels + pixels / 4, width / 2}};
  picture.number = tick->number;
  picture.captured = tick->due;
  return picture;
}

void ReplaySource::give_back(std::uint32_t buffer) noexcept {
  const std::scoped_lock lock(mutex_);
  buffers_[buffer].state = State::free;
  changed_.notify_all();
}

std::string ReplaySource::do_describe() const {
  return std::format("replay of {}, YU12 {}x{}, {}/s{}{}", config_.file.filename().string(), config_.size.width,
                     config_.size.height, rate_, config_.realtime ? "" : ", as fast as possible",
                     config_.loop ? "" : ", once");
}

}  // namespace sealcam::hal::replay
