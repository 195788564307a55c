// SPDX-License-Identifier: Apache-2.0
#include "watch/verify_pool.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>

#include "support/stream_builder.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

/// Wakes the test as the pool wakes the network thread.
class Waker {
 public:
  void wake() {
    std::scoped_lock lock(mutex_);
    woken_ = true;
    changed_.notify_one();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, 10s, [this] { return woken_; })) return false;
    woken_ = false;
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

struct Camera {
  Actor owner, device;
  protocol::Route route = route_of(owner, device);
  StreamBuilder builder{route, device};
  TestEpoch epoch = builder.make_epoch(1);
  std::shared_ptr<const watch::CameraKeys> keys =
      std::make_shared<const watch::CameraKeys>(protocol::FrameOpener(route), device.verifier());
  std::shared_ptr<const crypto::sframe::OpeningKey> key =
      std::make_shared<const crypto::sframe::OpeningKey>(must(crypto::sframe::OpeningKey::open(
          crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, protocol::Epoch(1), epoch.content.base_key)));

  std::size_t submit(watch::FrameChecker& checker, watch::VerificationQueue queue, const Bytes& message) const {
    auto frame = checker.make();
    frame->message = message;
    frame->frame.emplace(must(protocol::parse_frame(frame->message)));
    frame->camera = keys;
    frame->key = key;
    return checker.submit(queue, std::move(frame));
  }
};

}  // namespace

TEST_CASE("accepted and rejected frames keep the order of their queue") {
  Waker waker;
  watch::VerifyPool pool(3, [&] { waker.wake(); });
  Camera a, b;
  std::vector<std::uint64_t> seen_a, seen_b;
  int rejected = 0;
  const auto queue_a = pool.add_queue([&](watch::FrameCheck& f) {
    seen_a.push_back(f.frame->counter.value());
    rejected += f.rejection == protocol::RejectReason::bad_signature;
    if (!f.rejection) CHECK(f.content.size() == 200);
  });
  const auto queue_b = pool.add_queue([&](watch::FrameCheck& f) { seen_b.push_back(f.frame->counter.value()); });
  const std::string kinds(50, 'P');
  const auto from_a = a.builder.gop(a.epoch, kinds).flip_bit(20, 0);
  const auto from_b = b.builder.gop(b.epoch, kinds);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    REQUIRE(a.submit(pool, queue_a, from_a.messages[i]) == 0);
    REQUIRE(b.submit(pool, queue_b, from_b.messages[i]) == 0);
  }
  while (seen_a.size() + seen_b.size() < 100) {
    REQUIRE(waker.wait());
    pool.drain();
  }
  CHECK(std::ranges::is_sorted(seen_a));
  CHECK(std::ranges::is_sorted(seen_b));
  CHECK(seen_a.size() == 50);
  CHECK(rejected == 1);
}

TEST_CASE("a flooded queue drops whole groups, the oldest first, and other queues lose no frame") {
  Waker waker;
  watch::VerifyPool pool(1, [&] { waker.wake(); });
  Camera flooded, calm;
  std::vector<std::uint64_t> seen;
  std::size_t calm_seen = 0;
  const auto queue = pool.add_queue([&](watch::FrameCheck& f) { seen.push_back(f.frame->counter.value()); });
  const auto calm_queue = pool.add_queue([&](watch::FrameCheck&) { ++calm_seen; });
  std::string kinds;
  for (int i = 0; i < 40; ++i) kinds += "IPPPPPPPPP";
  const auto flood = flooded.builder.gop(flooded.epoch, kinds);
  const auto few = calm.builder.gop(calm.epoch, "IPP");
  std::size_t dropped = 0;
  for (const auto& m : flood.messages) dropped += flooded.submit(pool, queue, m);
  for (const auto& m : few.messages) CHECK(calm.submit(pool, calm_queue, m) == 0);
  while (seen.size() + dropped < flood.messages.size() || calm_seen < 3) {
    REQUIRE(waker.wait());
    pool.drain();
  }
  CHECK(dropped >= flood.messages.size() - watch::VerifyPool::max_frames - 100);
  CHECK(seen.back() == 399);
  CHECK(std::ranges::is_sorted(seen));
  // The first frame after each gap is a key frame, except after the frame that a worker checked.
  int broken = 0;
  for (std::size_t i = 1; i < seen.size(); ++i) broken += seen[i] != seen[i - 1] + 1 && seen[i] % 10 != 0;
  CHECK(broken == 0);
}

TEST_CASE("a queue can be removed while its frames are checked") {
  Waker waker;
  watch::VerifyPool pool(2, [&] { waker.wake(); });
  Camera a;
  const auto gop = a.builder.gop(a.epoch, "IPPPPPPP");
  for (int i = 0; i < 20; ++i) {
    const auto queue = pool.add_queue([](watch::FrameCheck&) { FAIL("a frame of a removed queue"); });
    for (const auto& m : gop.messages) a.submit(pool, queue, m);
    pool.remove_queue(queue);
    pool.drain();
    CHECK(a.submit(pool, queue, gop.messages[0]) == 1);
  }
}

TEST_CASE("throughput of checking frames of 5 KB", "[.measure]") {
  Camera a;
  Stream gop;
  for (std::uint32_t i = 0; i < 1500; ++i)
    gop.messages.push_back(a.builder.frame(a.epoch, protocol::FrameKind::delta, {.number = i, .size = 4800}));
  for (const unsigned threads : {1U, 2U}) {
    Waker waker;
    watch::VerifyPool pool(threads, [&] { waker.wake(); });
    std::size_t seen = 0, sent = 0;
    const auto queue = pool.add_queue([&](watch::FrameCheck&) { ++seen; });
    const auto begin = std::chrono::steady_clock::now();
    while (seen < gop.messages.size()) {
      while (sent < gop.messages.size() && sent - seen < 60) a.submit(pool, queue, gop.messages[sent++]);
      REQUIRE(waker.wait());
      pool.drain();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%u threads: %.0f frames/s\n", threads, static_cast<double>(seen) / took.count());
  }
}
