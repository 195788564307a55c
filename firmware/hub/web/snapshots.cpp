// SPDX-License-Identifier: Apache-2.0
#include "hub/web/snapshots.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace sealcam::hub::web {
namespace {

namespace asio = boost::asio;

/// A group in memory of its own: the cache goes on while the worker decodes.
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

bool watched(const Host& host, const DeviceId& camera) {
  return std::ranges::any_of(host.statuses(), [&](const auto& s) { return s.id == camera && s.wanted; });
}

bool is_barred(const Host& host, const DeviceId& camera) {
  return std::ranges::any_of(host.statuses(), [&](const auto& s) { return s.id == camera && watch::barred(s.reason); });
}

std::unexpected<Error> barred_error() { return fail(Errc::permission, "nothing of this camera may be shown"); }

// On the worker.
Result<Bytes> make_still(hal::Media& media, const GroupCopy& group) {
  try {
    const auto maker = media.open_still_maker();
    if (!maker) return fail(Errc::unsupported, maker.error().what, maker.error().native);
    const std::vector<ByteView> units(group.units.begin(), group.units.end());
    return (*maker)->make(units);
  } catch (const std::exception&) {
    return fail(Errc::no_memory, "making a snapshot");
  }
}

}  // namespace

Snapshots::Snapshots(asio::any_io_executor network, const Host& host, const Clock& clock, Worker& worker,
                     hal::Media& media, std::function<void()> on_interest)
    : network_(std::move(network)),
      host_(host),
      clock_(clock),
      worker_(worker),
      media_(media),
      on_interest_(std::move(on_interest)) {}

void Snapshots::request(const DeviceId& camera, bool stale_allowed, Handler done) {
  if (stopped_) return done(fail(Errc::cancelled, "the hub ends"));
  if (is_barred(host_, camera)) return done(barred_error());
  const auto now = clock_.monotonic();
  const auto* group = host_.newest(camera);
  const bool at_once = watched(host_, camera) && group != nullptr && freshness_at(newest_of(*group), now).live;
  const bool wanted = until_.contains(camera);
  until_[camera] = now + interest_time;
  Waiting one{camera, now, stale_allowed, std::move(done)};
  if (at_once) {
    Waiters waiters;
    waiters.push_back(std::move(one));
    serve(std::move(waiters));
  } else {
    waiting_.push_back(std::move(one));
  }
  if (!wanted) on_interest_();
}

void Snapshots::on_picture(const DeviceId& camera, const watch::PictureInfo& picture) {
  if (waiting_.empty() || !freshness_at(picture, picture.handed_out).live) return;
  const auto oldest = picture.handed_out - *picture.age;
  const auto served =
      std::ranges::stable_partition(waiting_, [&](const Waiting& w) { return w.camera != camera || w.asked > oldest; });
  if (served.empty()) return;
  Waiters waiters(std::make_move_iterator(served.begin()), std::make_move_iterator(served.end()));
  waiting_.erase(served.begin(), served.end());
  serve(std::move(waiters));
}

void Snapshots::withdraw(const DeviceId& camera) {
  const auto gone = std::ranges::stable_partition(waiting_, [&](const Waiting& w) { return w.camera != camera; });
  Waiters refused(std::make_move_iterator(gone.begin()), std::make_move_iterator(gone.end()));
  waiting_.erase(gone.begin(), gone.end());
  for (const auto& w : refused) w.done(barred_error());
}

// All of one camera: they share one picture.
void Snapshots::serve(Waiters waiters) {
  const auto* newest = host_.newest(waiters.front().camera);
  const auto group = newest == nullptr ? nullptr : copy(*newest);
  const auto shared = std::make_shared<const Waiters>(std::move(waiters));
  if (!group) {
    for (const auto& w : *shared) w.done(fail(Errc::timeout, "no picture of this camera"));
    return;
  }
  // What the handlers hold belongs to the network thread and must be let go there: the job gives its share away.
  auto job = [&media = media_, network = network_, group, self = shared_from_this(), waiters = shared]() mutable {
    auto jpeg = make_still(media, *group);
    asio::post(network, [self = std::move(self), group = std::move(group), waiters = std::move(waiters),
                         jpeg = std::move(jpeg)]() mutable { self->finish(*waiters, group->newest, std::move(jpeg)); });
  };
  if (!worker_.submit(std::move(job)))
    for (const auto& w : *shared) w.done(fail(Errc::exhausted, "too many snapshots wait"));
}

void Snapshots::finish(const Waiters& waiters, const watch::PictureInfo& picture, Result<Bytes> jpeg) const {
  const auto freshness = freshness_at(picture, clock_.monotonic());
  Result<Snapshot> made = fail(Errc::cancelled, "the hub ends");
  if (!jpeg) made = std::unexpected(jpeg.error());
  else if (!stopped_ && is_barred(host_, waiters.front().camera)) made = barred_error();
  else if (!stopped_) made = Snapshot{std::make_shared<const Bytes>(std::move(*jpeg)), picture, freshness};
  for (const auto& w : waiters) {
    const bool frozen = made && !freshness.live && !w.stale_allowed;
    w.done(frozen ? fail(Errc::stale, "no live picture") : made);
  }
}

void Snapshots::tick() {
  if (stopped_) return;
  const auto now = clock_.monotonic();
  const auto late =
      std::ranges::stable_partition(waiting_, [&](const Waiting& w) { return now - w.asked < wait_time; });
  Waiters given_up(std::make_move_iterator(late.begin()), std::make_move_iterator(late.end()));
  waiting_.erase(late.begin(), late.end());
  for (auto& w : given_up) {
    const auto* group = host_.newest(w.camera);
    const bool good = group != nullptr && (w.stale_allowed || freshness_at(newest_of(*group), now).live);
    if (!good) {
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
  for (const auto& w : std::exchange(waiting_, {})) w.done(fail(Errc::cancelled, "the hub ends"));
}

}  // namespace sealcam::hub::web
