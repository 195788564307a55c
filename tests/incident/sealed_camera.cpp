// SPDX-License-Identifier: Apache-2.0
#include "devices.hpp"
#include "stream/capture_loop.hpp"
#include "stream/publisher.hpp"

namespace sealcam::incident {
namespace {

constexpr std::uint32_t largest_incoming = 16U << 10;  // rosters, asks
constexpr BitsPerSecond bitrate{600'000};

class MemoryEpochs final : public stream::EpochStore {
  [[nodiscard]] Result<std::uint32_t> do_load() const override { return counter_; }
  Result<> do_store(std::uint32_t counter) override {
    counter_ = counter;
    return {};
  }
  std::uint32_t counter_ = 0;
};

class MemoryRosters final : public stream::RosterStore {
  [[nodiscard]] Result<Bytes> do_load() const override {
    if (content_.empty()) return fail(Errc::not_found, "no roster");
    return content_;
  }
  Result<> do_store(ByteView message) override {
    content_.assign(message.begin(), message.end());
    return {};
  }
  Bytes content_;
};

/// A sensor without pixels: the album has the pictures, encoded.
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
  Result<std::unique_ptr<hal::FrameSource>> do_open_source(int) override {
    return std::make_unique<AlbumSource>(clock_);
  }
  Result<std::unique_ptr<hal::VideoEncoder>> do_open_encoder(const hal::FrameSource&, const stream::Quality&) override {
    return std::make_unique<AlbumEncoder>(album_);
  }
  const Clock& clock_;
  std::shared_ptr<const Album> album_;
};

stream::PublisherConfig publisher_config(const protocol::Route& route) {
  return {
      .route = route, .pace = {.best = {bitrate, Album::length, 0}}, .lease = lease, .still_interval = still_interval};
}

class SealedCamera final : public Camera {
 public:
  SealedCamera(const Site& site, std::uint32_t account, std::shared_ptr<const Album> album)
      : site_(site),
        person_(site.people[account]),
        queue_({.slots = 8, .bytes = 96U << 10, .largest = 48U << 10}),
        control_({bitrate, Album::length, 0}),
        factory_(site.clock, std::move(album)),
        capture_({factory_, queue_, board_, control_, site.clock, site.log}, [this] { publisher_.frames_ready(); }),
        roster_(roster_store_, person_.route, person_.owner.verifier(), person_.camera.keys()),
        epochs_(epoch_store_, site.clock, person_.route, person_.camera.keys().identity, "camera"),
        asks_(person_.route, site.clock),
        publisher_(publisher_config(person_.route), {site.clock, site.log, queue_, board_, control_, roster_, epochs_,
                                                     asks_, person_.camera.keys().identity}) {}

  void connect() override {
    auto config = client_config(site_.people, *person_.camera_tls, person_.camera.id().to_string(),
                                site_.brokers.ingest(), largest_incoming);
    config.will = test::must(publisher_.will());
    client_ = test::must(transport::Mqtt5Client::open(site_.io, std::move(config), publisher_, site_.log));
    publisher_.attach(*client_);
    test::must(publisher_.start());
  }
  [[nodiscard]] bool connected() const override { return client_ && client_->connected(); }
  void capture() override { (void)capture_.step(); }
  void tick() override { publisher_.tick(); }

 private:
  const Site& site_;
  const Person& person_;
  MemoryEpochs epoch_store_;
  MemoryRosters roster_store_;
  stream::AccessUnitQueue queue_;
  stream::ChallengeBoard board_;
  stream::CaptureControl control_;
  AlbumCapture factory_;
  stream::CaptureLoop capture_;
  stream::RosterKeeper roster_;
  stream::Epochs epochs_;
  stream::AskKeeper asks_;
  stream::Publisher publisher_;
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
