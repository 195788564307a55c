// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <climits>
#include <optional>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "hal/media/mp4/mp4_muxer.hpp"
#include "owner/record/recorder.hpp"

#include <poll.h>
#include <unistd.h>

namespace sealcam::owner {

namespace {

/// Writes all of `content`. Unlike write_all(), a signal ends the wait for a reader that does not read (EINTR). False
/// after an error; errno has the reason.
bool write_interruptibly(int descriptor, ByteView content) {
  while (!content.empty()) {
    pollfd output{.fd = descriptor, .events = POLLOUT, .revents = 0};
    if (::poll(&output, 1, -1) < 0) return false;
    // A pipe that is ready takes this much without waiting (pipe(7)).
    if (!write_all(descriptor, content.first(std::min<std::size_t>(content.size(), PIPE_BUF)))) return false;
    content = content.subspan(std::min<std::size_t>(content.size(), PIPE_BUF));
  }
  return true;
}

/// The error of a failed write; `error` is an errno.
std::unexpected<Error> write_failed(const char* what, int error) {
  if (error == EPIPE) return fail(Errc::end_of_stream, "the reader of the output ended");
  if (error == EINTR) return fail(Errc::canceled, "the output was interrupted");
  return fail(Errc::io, what, error);
}

class Mp4Recorder final : public Recorder {
 public:
  explicit Mp4Recorder(OutputFile file) : file_(std::move(file)) {}
  Mp4Recorder(const Mp4Recorder&) = delete;
  Mp4Recorder& operator=(const Mp4Recorder&) = delete;
  ~Mp4Recorder() override { (void)do_finish(); }

 private:
  Result<> do_add(const Recordable& picture) override;
  Result<> do_finish() override;
  Result<> write(ByteView content);

  OutputFile file_;
  std::unique_ptr<hal::Mp4Muxer> muxer_;
  Timeline timeline_;
  std::uint16_t width_ = 0, height_ = 0;
  bool published_ = false;
  bool failed_ = false;  ///< the file ends within a fragment
};

Result<> Mp4Recorder::do_add(const Recordable& picture) {
  if (!muxer_) {
    if (!picture.key) return fail(Errc::invalid_argument, "the first picture is not a key frame");
    auto muxer = hal::media::open_mp4_muxer({picture.width, picture.height});
    if (!muxer) return std::unexpected(muxer.error());
    muxer_ = std::move(*muxer);
    width_ = picture.width;
    height_ = picture.height;
  }
  if (picture.width != width_ || picture.height != height_)
    return fail(Errc::unsupported, "the size of the picture changed, and an MP4 file has one size");
  const auto at = timeline_.next(picture.captured, picture.received);
  const auto out = muxer_->write({.bytes = picture.access_unit, .at = at, .key = picture.key});
  return out ? write(*out) : std::unexpected(out.error());
}

/// The muxer returns the first bytes together with the first picture, so that the recording replaces an existing file
/// early, and only with a playable one.
Result<> Mp4Recorder::write(ByteView content) {
  if (content.empty()) return {};
  if (!write_interruptibly(file_.descriptor(), content)) {
    failed_ = true;
    return write_failed("writing a picture", errno);
  }
  return std::exchange(published_, true) ? Result<>() : file_.publish();
}

Result<> Mp4Recorder::do_finish() {
  const auto muxer = std::exchange(muxer_, nullptr);
  if (!muxer || failed_) return {};
  const auto out = muxer->finish();
  auto result = out ? write(*out) : std::unexpected(out.error());
  if (::fsync(file_.descriptor()) != 0 && errno != EINVAL && result)
    result = write_failed("finishing the MP4 file", errno);
  return result;
}

class AnnexBRecorder final : public Recorder {
 public:
  explicit AnnexBRecorder(int descriptor) : descriptor_(descriptor) {}

 private:
  Result<> do_add(const Recordable& picture) override {
    if (!started_ && !picture.key) return fail(Errc::invalid_argument, "the first picture is not a key frame");
    started_ = true;
    if (!write_interruptibly(descriptor_, picture.access_unit)) return write_failed("writing the stream", errno);
    return {};
  }
  Result<> do_finish() override { return {}; }

  int descriptor_;
  bool started_ = false;
};

}  // namespace

Result<std::unique_ptr<Recorder>> record_mp4(const std::filesystem::path& path) {
  auto file = OutputFile::open(path);
  if (!file) return std::unexpected(file.error());
  return std::make_unique<Mp4Recorder>(std::move(*file));
}

std::unique_ptr<Recorder> record_annex_b(int descriptor) { return std::make_unique<AnnexBRecorder>(descriptor); }

}  // namespace sealcam::owner
