// SPDX-License-Identifier: Apache-2.0
#include "hub/web/snapshots.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace sealcam::hub::web {

Worker::Worker() : thread_([this](const std::stop_token& stop) { work(stop); }) {
  ::pthread_setname_np(thread_.native_handle(), "media");
}

Worker::~Worker() {
  thread_.request_stop();
  thread_.join();
}

bool Worker::submit(const DeviceId& turn, Job job, std::size_t limit) {
  {
    const std::scoped_lock lock(mutex_);
    auto& jobs = jobs_[turn];
    if (jobs.size() >= limit) return false;
    jobs.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

void Worker::work(const std::stop_token& stop) {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return !jobs_.empty(); });
      if (stop.stop_requested()) return;
      auto next = jobs_.upper_bound(last_);
      if (next == jobs_.end()) next = jobs_.begin();
      last_ = next->first;
      job = std::move(next->second.front());
      next->second.pop_front();
      if (next->second.empty()) jobs_.erase(next);
    }
    job();
  }
}

namespace {

/// A copy for the worker, because the cache changes while the worker decodes.
struct GroupCopy {
  std::vector<Bytes> units;
  watch::PictureInfo newest;
};

std::shared_ptr<const GroupCopy> copy(const watch::PictureGroup& group) {
  auto made = std::make_shared<GroupCopy>();
  group.for_each([&](const watch::PictureInfo& picture, ByteView unit) {
    made->units.emplace_back(unit.begin(), unit.end());
    made->newest = picture;
  });
  return made;
}

watch::PictureInfo newest_of(const watch::PictureGroup& group) {
  watch::PictureInfo newest;
  group.for_each([&](const watch::PictureInfo& picture, ByteView) { newest = picture; });
  return newest;
}

bool watched(const WebBackend& backend, const DeviceId& camera) {
  return std::ranges::any_of(backend.statuses(), [&](const auto& s) { return s.id == camera && s.watched; });
}

bool is_blocked(const WebBackend& backend, const DeviceId& camera) {
  return std::ranges::any_of(backend.statuses(),
                             [&](const auto& s) { return s.id == camera && watch::blocked(s.reason); });
}

std::unexpected<Error> blocked_error() { return fail(Errc::permission, "the camera is blocked"); }

// Runs on the worker.
Result<Bytes> make_still(hal::Media& media, const std::vector<Bytes>& group) {
  try {
    const auto builder = media.open_still_builder();
    if (!builder) return fail(Errc::unsupported, builder.error().what, builder.error().native);
    const std::vector<ByteView> units(group.begin(), group.end());
    return (*builder)->make(units);
  } catch (const std::exception&) {
    return fail(Errc::no_memory, "decoding a snapshot");
  }
}

}  // namespace

Snapshots::Snapshots(NetworkPost post, const WebBackend& backend, const Clock& clock, Worker& worker, hal::Media& media,
                     std::function<void()> on_interest)
    : post_(std::move(post)),
      backend_(backend),
      clock_(clock),
      worker_(worker),
      media_(media),
      on_interest_(std::move(on_interest)) {}

void Snapshots::request(const DeviceId& camera, bool stale_allowed, Handler done) {
  if (stopped_) return done(fail(Errc::canceled, "the hub stops"));
  if (is_blocked(backend_, camera)) return done(blocked_error());
  const auto now = clock_.boot();
  const auto* group = backend_.newest(camera);
  const bool at_once = watched(backend_, camera) && group != nullptr && freshness_at(newest_of(*group), now).live;
  const bool was_interested = until_.contains(camera);
  until_[camera] = now + interest_time;
  Waiting one{camera, now, stale_allowed, std::move(done)};
  if (at_once) {
    Waiters waiters;
    waiters.push_back(std::move(one));
    serve(std::move(waiters));
  } else {
    waiting_.push_back(std::move(one));
  }
  if (!was_interested) on_interest_();
}

void Snapshots::on_picture(const DeviceId& camera, const watch::PictureInfo& picture) {
  if (waiting_.empty() || !freshness_at(picture, picture.handed_out).live) return;
  const auto oldest = picture.handed_out - *picture.age;
  const auto served =
      std::ranges::stable_partition(waiting_, [&](const Waiting& w) { return w.camera != camera || w.since > oldest; });
  if (served.empty()) return;
  Waiters waiters(std::make_move_iterator(served.begin()), std::make_move_iterator(served.end()));
  waiting_.erase(served.begin(), served.end());
  serve(std::move(waiters));
}

void Snapshots::withdraw(const DeviceId& camera) {
  const auto gone = std::ranges::stable_partition(waiting_, [&](const Waiting& w) { return w.camera != camera; });
  Waiters rejected(std::make_move_iterator(gone.begin()), std::make_move_iterator(gone.end()));
  waiting_.erase(gone.begin(), gone.end());
  for (const auto& w : rejected) w.done(blocked_error());
}

// All waiters are for one camera and share one picture.
void Snapshots::serve(Waiters waiters) {
  const auto camera = waiters.front().camera;
  if (paused(live_pauses_, camera)) {
    for (const auto& w : waiters) w.done(fail(Errc::io, "the decoder failed shortly before"));
    return;
  }
  const auto* newest = backend_.newest(camera);
  auto group = newest == nullptr ? nullptr : copy(*newest);
  const auto shared = std::make_shared<const Waiters>(std::move(waiters));
  if (!group) {
    for (const auto& w : *shared) w.done(fail(Errc::timeout, "no picture of this camera"));
    return;
  }
  // The network thread must destroy the objects that the handlers hold. Therefore the job returns its reference to that
  // thread.
  auto job = [&media = media_, post = post_, group = std::move(group), self = shared_from_this(),
              waiters = shared]() mutable {
    auto jpeg = make_still(media, group->units);
    post([self = std::move(self), group = std::move(group), waiters = std::move(waiters),
          jpeg = std::move(jpeg)]() mutable { self->finish(*waiters, group->newest, std::move(jpeg)); });
  };
  if (!worker_.submit(camera, std::move(job)))
    for (const auto& w : *shared) w.done(fail(Errc::exhausted, "too many snapshots wait"));
}

void Snapshots::finish(const Waiters& waiters, const watch::PictureInfo& picture, Result<Bytes> jpeg) {
  note_decoder(live_pauses_, waiters.front().camera, jpeg);
  const auto freshness = freshness_at(picture, clock_.boot());
  Result<Snapshot> made = fail(Errc::canceled, "the hub stops");
  if (!jpeg) made = std::unexpected(jpeg.error());
  else if (!stopped_ && is_blocked(backend_, waiters.front().camera)) made = blocked_error();
  else if (!stopped_) made = Snapshot{std::make_shared<const Bytes>(std::move(*jpeg)), picture, freshness};
  for (const auto& w : waiters) {
    const bool only_stale = made && !freshness.live && !w.stale_allowed;
    w.done(only_stale ? fail(Errc::stale, "no live picture") : made);
  }
}

void Snapshots::decode(const DeviceId& camera, std::vector<Bytes> group,
                       std::function<void(const Result<Bytes>&)> done) {
  if (stopped_) return done(fail(Errc::canceled, "the hub stops"));
  if (paused(other_pauses_, camera)) return done(fail(Errc::io, "the decoder failed shortly before"));
  // Not const, so that the job can move its copy.
  auto handler = std::make_shared<const std::function<void(const Result<Bytes>&)>>(std::move(done));
  // As in serve(): the job moves what the handler holds back to the network thread.
  auto job = [&media = media_, post = post_, group = std::move(group), self = shared_from_this(), camera,
              handler]() mutable {
    auto jpeg = make_still(media, group);
    post([self = std::move(self), camera, handler = std::move(handler), jpeg = std::move(jpeg)] {
      self->note_decoder(self->other_pauses_, camera, jpeg);
      (*handler)(self->stopped_ ? fail(Errc::canceled, "the hub stops") : jpeg);
    });
  };
  if (!worker_.submit(camera, std::move(job))) (*handler)(fail(Errc::exhausted, "too many snapshots wait"));
}

bool Snapshots::paused(const Pauses& pauses, const DeviceId& camera) const {
  const auto pause = pauses.find(camera);
  return pause != pauses.end() && clock_.boot() < pause->second.until;
}

// Without the pause, a camera whose pictures stop decoders would use the worker all the time.
void Snapshots::note_decoder(Pauses& pauses, const DeviceId& camera, const Result<Bytes>& jpeg) {
  if (jpeg || jpeg.error().code != Errc::io) {
    pauses.erase(camera);
    return;
  }
  auto& [until, length] = pauses[camera];
  length = std::clamp(2 * length, first_pause, max_pause);
  until = clock_.boot() + length;
}

void Snapshots::tick() {
  if (stopped_) return;
  const auto now = clock_.boot();
  const auto late =
      std::ranges::stable_partition(waiting_, [&](const Waiting& w) { return now - w.since < wait_time; });
  Waiters late_ones(std::make_move_iterator(late.begin()), std::make_move_iterator(late.end()));
  waiting_.erase(late.begin(), late.end());
  for (auto& w : late_ones) {
    const auto* group = backend_.newest(w.camera);
    const bool usable = group != nullptr && (w.stale_allowed || freshness_at(newest_of(*group), now).live);
    if (!usable) {
      w.done(group == nullptr ? fail(Errc::timeout, "no picture of this camera")
                              : fail(Errc::stale, "no live picture"));
      continue;
    }
    Waiters one;
    one.push_back(std::move(w));
    serve(std::move(one));
  }
  if (std::erase_if(until_, [&](const auto& entry) { return entry.second <= now; }) > 0) on_interest_();
}

std::set<DeviceId> Snapshots::interest() const {
  std::set<DeviceId> cameras;
  for (const auto& [camera, until] : until_) cameras.insert(camera);
  return cameras;
}

void Snapshots::stop() {
  stopped_ = true;
  until_.clear();
  for (const auto& w : std::exchange(waiting_, {})) w.done(fail(Errc::canceled, "the hub stops"));
}

}  // namespace sealcam::hub::web
