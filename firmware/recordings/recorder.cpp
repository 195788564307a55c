// SPDX-License-Identifier: Apache-2.0
#include "recordings/recorder.hpp"

#include <utility>

namespace sealcam::recordings {

namespace {

constexpr std::chrono::seconds tick_interval{1};
constexpr std::size_t max_spare = 32;
constexpr std::size_t max_spare_size = 512U << 10;

}  // namespace

Recorder::Recorder(RecorderConfig config, const RecorderDependencies& deps)
    : clock_(deps.clock),
      max_call_(config.max_call),
      core_(std::move(config), deps),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Recorder::~Recorder() {
  thread_.request_stop();
  changed_.notify_all();
}

void Recorder::add(const AcceptedFrame& frame) {
  const std::scoped_lock lock(mutex_);
  const auto& camera = frame.epoch->route.camera;
  if (frame.stored) {
    auto& wait = wait_for_key_[camera];
    if (frame.kind == protocol::FrameKind::key) wait = false;
    if (wait || queued_bytes_ + frame.message.size() > max_queue_bytes || queue_.size() >= max_queue_length) {
      wait = true;
      ++dropped_[camera];
      return;
    }
  } else if (queue_.size() >= max_queue_length) {
    return;
  }
  Frame copy{frame.epoch, frame.kind, frame.counter, {}, frame.received, frame.mark, frame.stored};
  if (frame.stored) {
    if (!spare_.empty()) {
      copy.message = std::move(spare_.back());
      spare_.pop_back();
    }
    copy.message.assign(frame.message.begin(), frame.message.end());
    queued_bytes_ += copy.message.size();
  }
  queue_.emplace_back(std::move(copy));
  changed_.notify_one();
}

void Recorder::push(Event event) {
  const std::scoped_lock lock(mutex_);
  queue_.push_back(std::move(event));
  changed_.notify_one();
}

void Recorder::list_past(const DeviceId& camera, std::vector<protocol::PastRange> ranges) {
  const std::scoped_lock lock(mutex_);
  // A list that waits for the disk is replaced, so that they do not accumulate.
  if (!listed_.insert_or_assign(camera, std::move(ranges)).second) return;
  queue_.emplace_back(Listed{camera});
  changed_.notify_one();
}

void Recorder::add_past(const PastFrame& frame) {
  const std::scoped_lock lock(mutex_);
  // A half remains for frames that are sent only once.
  if (queued_bytes_ + frame.message.size() > max_queue_bytes / 2 || queue_.size() >= max_queue_length / 2) return;
  Past past{frame, Bytes(frame.message.begin(), frame.message.end())};
  past.frame.message = {};
  queued_bytes_ += past.message.size();
  queue_.emplace_back(std::move(past));
  changed_.notify_one();
}

void Recorder::end(const DeviceId& camera, EndReason reason) { push(End{camera, reason}); }

void Recorder::set_modes(std::vector<std::pair<DeviceId, Mode>> modes) { push(Modes{std::move(modes)}); }

Result<Erased> Recorder::erase(const DeviceId& camera, const TimeRange& range) {
  auto done = std::make_shared<std::promise<Result<Erased>>>();
  auto result = done->get_future();
  push(Erase{camera, range, done});
  return result.get();
}

Status Recorder::status() const {
  auto status = core_.status();
  const auto wall = clock_.wall();
  const std::scoped_lock lock(mutex_);
  for (const auto& [camera, frames] : dropped_) status.dropped_frames += frames;
  if (status.fault != RecorderFault::none || !busy_since_) return status;
  const auto busy = std::chrono::steady_clock::now() - *busy_since_;
  if (busy <= max_call_) return status;
  status.fault = RecorderFault::slow;
  status.fault_since = CaptureTime{wall.since_epoch - std::chrono::duration_cast<std::chrono::microseconds>(busy)};
  status.fault_text = "the disk does not answer";
  return status;
}

void Recorder::run(const std::stop_token& stop) {
  {
    const std::scoped_lock lock(mutex_);
    busy_since_ = std::chrono::steady_clock::now();
  }
  core_.start();
  bool more_work = true;
  for (;;) {
    std::unique_lock lock(mutex_);
    busy_since_.reset();
    if (queue_.empty() && !more_work) changed_.wait_for(lock, stop, tick_interval, [this] { return !queue_.empty(); });
    if (queue_.empty() && stop.stop_requested()) break;
    const auto dropped = std::exchange(dropped_, {});
    std::optional<Event> event;
    if (!queue_.empty()) {
      event.emplace(std::move(queue_.front()));
      queue_.pop_front();
    }
    busy_since_ = std::chrono::steady_clock::now();
    lock.unlock();
    for (const auto& [camera, frames] : dropped) core_.note_dropped(camera, frames);
    if (event) handle(*event);
    // Frames first: files of an earlier start can wait.
    if (!event || core_due_ <= std::chrono::steady_clock::now()) {
      more_work = core_.tick();
      core_due_ = std::chrono::steady_clock::now() + tick_interval;
    }
  }
  core_.end_all(EndReason::stopped);
}

void Recorder::handle(Event& event) {
  if (auto* const frame = std::get_if<Frame>(&event)) {
    if (!frame->stored) return core_.leave_out(*frame->epoch, frame->counter);
    core_.add(frame->epoch, frame->kind, frame->counter, frame->message, frame->received, frame->mark);
    const std::scoped_lock lock(mutex_);
    queued_bytes_ -= frame->message.size();
    if (spare_.size() < max_spare && frame->message.capacity() <= max_spare_size)
      spare_.push_back(std::move(frame->message));
    return;
  }
  if (const auto* const past = std::get_if<Past>(&event)) {
    const auto& frame = past->frame;
    core_.add_past(frame.epoch, frame.kind, frame.counter, past->message, frame.time, frame.mark);
    const std::scoped_lock lock(mutex_);
    queued_bytes_ -= past->message.size();
    return;
  }
  if (const auto* const listed = std::get_if<Listed>(&event)) {
    std::unique_lock lock(mutex_);
    const auto list = listed_.extract(listed->camera);
    lock.unlock();
    return core_.list_past(listed->camera, list.mapped());
  }
  if (const auto* const end = std::get_if<End>(&event)) return core_.end(end->camera, end->reason);
  if (const auto* const modes = std::get_if<Modes>(&event)) return core_.set_modes(modes->modes);
  auto& erase = std::get<Erase>(event);
  erase.done->set_value(core_.erase(erase.camera, erase.range));
}

}  // namespace sealcam::recordings
