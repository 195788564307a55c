// SPDX-License-Identifier: Apache-2.0
#include "device/stores.hpp"
#include "devices.hpp"
#include "hal/testing/fake_board.hpp"
#include "stream/capture/capture_loop.hpp"
#include "support/camera_stores.hpp"

namespace sealcam::incident {
namespace {

constexpr std::uint32_t max_incoming = 16U << 10;  // rosters, view requests
constexpr BitsPerSecond bitrate{250'000};

/// A sensor without pixels. The album has the encoded pictures.
class AlbumSource final : public hal::FrameSource {
 public:
  explicit AlbumSource(const Clock& clock) : clock_(clock) {}

 private:
  Result<hal::Picture> do_next(std::chrono::milliseconds) override {
    hal::Picture picture;
    picture.size = do_size();
    picture.number = FrameNumber(next_++);
    picture.captured = clock_.monotonic();
    return picture;
  }
  [[nodiscard]] hal::Size do_size() const override { return {320, 180}; }
  [[nodiscard]] hal::PixelFormat do_format() const override { return hal::PixelFormat::yu12; }
  [[nodiscard]] double do_rate() const override { return 5; }
  [[nodiscard]] std::string do_describe() const override { return "album"; }
  const Clock& clock_;
  std::uint32_t next_ = 0;
};

class AlbumCapture final : public stream::CaptureFactory {
 public:
  AlbumCapture(const Clock& clock, std::shared_ptr<const Album> album) : clock_(clock), album_(std::move(album)) {}

 private:
  Result<std::unique_ptr<hal::FrameSource>> do_open_source() override { return std::make_unique<AlbumSource>(clock_); }
  Result<std::unique_ptr<hal::VideoEncoder>> do_open_encoder(const hal::FrameSource&, hal::Size,
                                                             const stream::Quality&) override {
    return std::make_unique<AlbumEncoder>(album_);
  }
  const Clock& clock_;
  std::shared_ptr<const Album> album_;
};

test::CameraOptions options_for(const protocol::Route& route) {
  const stream::Quality quality{bitrate, Album::length, 0};
  return {.publisher = {.route = route,
                        .rate = {.best = quality},
                        .lease = lease,
                        .still_interval = still_interval,
                        .slow_still_interval = still_interval},
          .queue = {.slots = 8, .bytes = 48U << 10, .max_unit = Album::max_unit},
          .quality = quality};
}

class SealedCamera final : public Camera {
 public:
  SealedCamera(const Site& site, std::uint32_t account, std::shared_ptr<const Album> album)
      : site_(site),
        person_(site.people[account]),
        run_(site.clock, site.log, person_.owner, person_.camera, stores_, options_for(person_.route)),
        factory_(site.clock, std::move(album)),
        capture_({factory_, run_.queue, run_.challenges, run_.control, site.clock, site.log, board_},
                 [this] { run_.publisher.frames_ready(); }) {}

  void connect() override {
    auto config =
        client_config(site_.people, *person_.camera_tls, person_.camera_name, site_.brokers.ingest(), max_incoming);
    config.will = test::must(run_.publisher.will());
    client_ = test::must(transport::Mqtt5Client::open(site_.io, std::move(config), run_.publisher, site_.log));
    run_.publisher.attach(*client_);
    test::must(run_.publisher.start());
  }
  [[nodiscard]] bool connected() const override { return client_ && client_->connected(); }
  void capture() override { (void)capture_.step(); }
  void tick() override { run_.publisher.tick(); }

 private:
  const Site& site_;
  const Person& person_;
  test::CameraStores stores_{person_.camera};
  test::CameraRun run_;
  AlbumCapture factory_;
  hal::testing::FakeBoard board_;
  stream::CaptureLoop capture_;
  std::unique_ptr<transport::Mqtt5Client> client_;  // last: it calls the publisher
};

}  // namespace

std::unique_ptr<Camera> make_sealed_camera(const Site& site, std::uint32_t account,
                                           std::shared_ptr<const Album> album) {
  return std::make_unique<SealedCamera>(site, account, std::move(album));
}

Kind sealed_kind(ByteView message) {
  const auto frame = protocol::parse_frame(message);
  if (!frame) return Kind::other;
  switch (frame->kind) {
    case protocol::FrameKind::key: return Kind::key;
    case protocol::FrameKind::delta: return Kind::delta;
    case protocol::FrameKind::still: return Kind::still;
    case protocol::FrameKind::report: return Kind::other;
  }
  return Kind::other;
}

}  // namespace sealcam::incident
