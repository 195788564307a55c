// SPDX-License-Identifier: Apache-2.0
#include "hub/web/recordings.hpp"

#include <algorithm>
#include <future>

#include "base/format.hpp"
#include "hub/web/live_stream.hpp"

namespace sealcam::hub::web {
namespace {

namespace asio = boost::asio;
using recordings::PictureFacts;
using recordings::RecordedPicture;

/// A chunk ends after this size or this number of pictures. Reading a picture takes about a millisecond.
constexpr std::size_t chunk_size = 128U << 10;
constexpr int chunk_pictures = 32;

/// The media module is bound to the worker's thread, but its muxers are not. Waits for up to the length of a snapshot.
Result<std::unique_ptr<hal::Mp4Muxer>> open_muxer(Worker& worker, hal::Media& media, hal::Size size) {
  using Opened = Result<std::unique_ptr<hal::Mp4Muxer>>;
  std::promise<Opened> promise;
  auto opened = promise.get_future();
  const bool submitted = worker.submit_stream([promise = std::move(promise), &media, size]() mutable {
    try {
      auto muxer = media.open_mp4_muxer(size);
      if (muxer) promise.set_value(std::move(muxer));
      else promise.set_value(fail(Errc::unsupported, muxer.error().what, muxer.error().native));
    } catch (const std::bad_alloc&) {
      promise.set_value(fail(Errc::no_memory, "opening a file"));
    }
  });
  if (!submitted) return fail(Errc::exhausted, "too many jobs wait");
  return opened.get();
}

/// Turns pictures into the bytes of an answer.
class RangeFormat {
 public:
  virtual ~RangeFormat() = default;
  /// Appends to `out`. False: the rest of the range does not fit into this answer.
  virtual Result<bool> add(Bytes& out, const RecordedPicture& picture) = 0;
  virtual Result<> finish(Bytes& out, const recordings::Skipped& skipped) = 0;
};

class UnitsFormat final : public RangeFormat {
  Result<bool> add(Bytes& out, const RecordedPicture& picture) override {
    append_unit(out, picture.facts, picture.access_unit);
    return true;
  }
  Result<> finish(Bytes& out, const recordings::Skipped& skipped) override {
    append_end(out, skipped);
    return {};
  }
};

class Mp4Format final : public RangeFormat {
 public:
  Mp4Format(Worker& worker, hal::Media& media) : worker_(worker), media_(media) {}

 private:
  Result<bool> add(Bytes& out, const RecordedPicture& picture) override {
    const hal::Size size{picture.facts.width, picture.facts.height};
    if (!muxer_) {
      auto muxer = open_muxer(worker_, media_, size);
      if (!muxer) return std::unexpected(muxer.error());
      muxer_ = std::move(*muxer);
      size_ = size;
    }
    if (size != size_) return false;  // a file has one size
    const auto bytes =
        muxer_->write({.bytes = picture.access_unit, .at = timeline_.next(picture.facts), .key = picture.facts.key});
    if (!bytes) return std::unexpected(bytes.error());
    out.insert(out.end(), bytes->begin(), bytes->end());
    return true;
  }
  Result<> finish(Bytes& out, const recordings::Skipped&) override {
    if (!muxer_) return {};
    const auto bytes = muxer_->finish();
    if (!bytes) return std::unexpected(bytes.error());
    out.insert(out.end(), bytes->begin(), bytes->end());
    return {};
  }

  Worker& worker_;
  hal::Media& media_;
  std::unique_ptr<hal::Mp4Muxer> muxer_;
  hal::Size size_;
  ClipTimeline timeline_;
};

// Runs on a thread of the pool.
Result<> send_range(recordings::Archive& archive, const RecordingRequest& request, const KnownCameras& known,
                    RangeFormat& format, StreamPipe& pipe) {
  const auto camera = find_recorded_camera(archive, known, request.camera);
  if (!camera) return std::unexpected(camera.error());
  pipe.set_camera(*camera);
  auto reader =
      archive.read(*camera, request.range, request.keys_only ? recordings::Pictures::keys : recordings::Pictures::all);
  if (!reader) return std::unexpected(reader.error());
  Bytes chunk;
  // The first chunk has one picture, so that the page shows it soon.
  for (int total = 0, pictures = 0;; ++total) {
    const auto picture = (*reader)->next();
    if (!picture) return std::unexpected(picture.error());
    if (!*picture && total == 0) return fail(Errc::not_found, "no picture in the range");
    if (!*picture) break;
    const auto added = format.add(chunk, **picture);
    if (!added) return std::unexpected(added.error());
    if (!*added) break;
    if (total > 0 && ++pictures < chunk_pictures && chunk.size() < chunk_size) continue;
    pictures = 0;
    if (!chunk.empty() && !pipe.push(std::exchange(chunk, {}))) return {};
  }
  if (auto r = format.finish(chunk, (*reader)->skipped()); !r) return r;
  if (!chunk.empty()) (void)pipe.push(std::move(chunk));
  return {};
}

class RecordedStream final : public StreamSession {
 public:
  RecordedStream(asio::ip::tcp::socket socket, Request request, ConnectionCount count, const access::TokenHash& token)
      : StreamSession(std::move(socket), std::move(request), std::move(count), token) {}
  RecordedStream(const RecordedStream&) = delete;
  RecordedStream& operator=(const RecordedStream&) = delete;
  ~RecordedStream() {
    if (pipe_) pipe_->close();
  }

  void start(RecordingRequest recording, KnownCameras known) {
    open_session();
    video_ = recording.kind == RecordingRequest::Kind::video;
    // The pipe does not keep this object alive, because the network thread must destroy it.
    pipe_ = std::make_shared<StreamPipe>(shared().post, [this, weak = weak_from_this()] {
      if (const auto self = weak.lock()) drain();
    });
    auto job = [archive = shared().archive, worker = shared().worker, media = shared().media, pipe = pipe_,
                video = video_, recording = std::move(recording), known = std::move(known)] {
      try {
        Mp4Format mp4(*worker, *media);
        UnitsFormat units;
        pipe->finish(send_range(*archive, recording, known, video ? static_cast<RangeFormat&>(mp4) : units, *pipe));
      } catch (const std::bad_alloc&) {
        pipe->finish(fail(Errc::no_memory, "reading a recording"));
      }
    };
    if (!shared().recording_pool->submit_stream(std::move(job))) stop({Errc::exhausted, 0, "too many streams"});
  }

  void send(QueuedPicture) override {}
  // A removed hub keeps its recordings. A suspended integration shows no picture, old or new.
  void withdraw(const DeviceId& camera) override {
    const auto known = known_cameras(shared().backend->statuses());
    const auto found = std::ranges::find(known, camera, &KnownCamera::id);
    if (found == known.end() || !found->suspended || (pipe_ && pipe_->camera().value_or(camera) != camera)) return;
    stop({Errc::permission, 0, "the integration is suspended"});
  }
  void tick() override {
    if (shared().clock->boot() - last_taken() > player_timeout)
      stop({Errc::timeout, 0, "the recordings cannot be read"});
  }

 private:
  [[nodiscard]] bool chunked() const noexcept { return !request().http_1_0; }

  void drain() override {
    if (is_writing() || !is_open()) return;
    if (auto chunk = pipe_->take()) {
      if (request().method == Request::Method::head) return end(head());
      chunk_ = std::move(*chunk);
      return write_chunk();
    }
    const auto result = pipe_->result();
    if (!result) return;
    if (!*result) return stop(result->error());  // a cut answer: the client misses the last chunk
    end(chunked() ? "0\r\n\r\n" : "");
  }

  void write_chunk() {
    static constexpr std::string_view line_end = "\r\n";
    auto text = has_begun() ? std::string() : head();
    if (chunked()) text += sealcam::format("{:x}\r\n", chunk_.size());
    write(std::move(text), {chunk_.data(), chunk_.size()}, {line_end.data(), chunked() ? line_end.size() : 0});
  }

  [[nodiscard]] std::string head() const {
    return stream_head(
        request(), video_ ? "video/mp4" : "application/octet-stream",
        chunked() ? "X-Sealcam-State: RECORDED\r\nTransfer-Encoding: chunked\r\n" : "X-Sealcam-State: RECORDED\r\n");
  }

  [[nodiscard]] Response failure(const Error& error) const override { return recording_failure(error); }
  void removed() override {
    if (pipe_) pipe_->close();
  }

  std::shared_ptr<StreamPipe> pipe_;
  Bytes chunk_;  ///< while it is being written
  bool video_ = false;
};

}  // namespace

std::chrono::microseconds ClipTimeline::next(const PictureFacts& facts) {
  if (!first_) first_ = facts.at;
  const auto at = timeline_.next(facts.captured, BootTime{facts.at.since_epoch - first_->since_epoch});
  const auto step = at - last_;
  last_ = at;
  shown_ += step > recordings::Archive::max_pause ? pause : step;
  return shown_;
}

void start_recorded_stream(asio::ip::tcp::socket socket, Request request, ConnectionCount count,
                           RecordingRequest recording, KnownCameras known, const access::TokenHash& token) {
  std::make_shared<RecordedStream>(std::move(socket), std::move(request), std::move(count), token)
      ->start(std::move(recording), std::move(known));
}

}  // namespace sealcam::hub::web
