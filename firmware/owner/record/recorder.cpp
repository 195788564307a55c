// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <climits>
#include <optional>

#include "base/clock.hpp"
#include "owner/output_file.hpp"
#include "owner/record/recorder.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
}

#include <poll.h>
#include <unistd.h>

namespace sealcam::owner {

namespace {

constexpr AVRational microseconds{1, 1'000'000};
constexpr int buffer_size = 64 << 10;

struct FreeFormat {
  void operator()(AVFormatContext* context) const { avformat_free_context(context); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct FreeIo {
  void operator()(AVIOContext* io) const {
    av_freep(&io->buffer);
    avio_context_free(&io);
  }
};

std::size_t start_code_at(ByteView bytes, std::size_t from) {
  for (auto i = from; i + 3 <= bytes.size(); ++i)
    if (bytes[i] == std::byte{0} && bytes[i + 1] == std::byte{0} && bytes[i + 2] == std::byte{1}) return i;
  return bytes.size();
}

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

/// SPS and PPS of a key frame with their start codes, in their order.
Bytes parameter_sets(ByteView unit) {
  constexpr unsigned sps = 7, pps = 8;
  Bytes out;
  for (auto at = start_code_at(unit, 0); at < unit.size();) {
    const auto next = start_code_at(unit, at + 3);
    auto nal = unit.subspan(at + 3, next - at - 3);
    while (next < unit.size() && !nal.empty() && nal.back() == std::byte{0}) nal = nal.first(nal.size() - 1);
    const unsigned type = nal.empty() ? 0 : std::to_integer<unsigned>(nal[0]) & 0x1fU;
    if (type == sps || type == pps) {
      for (const auto b : {0, 0, 0, 1}) out.push_back(static_cast<std::byte>(b));
      out.insert(out.end(), nal.begin(), nal.end());
    }
    at = next;
  }
  return out;
}

class Mp4Recorder final : public Recorder {
 public:
  explicit Mp4Recorder(OutputFile file) : file_(std::move(file)) {}
  Mp4Recorder(const Mp4Recorder&) = delete;
  Mp4Recorder& operator=(const Mp4Recorder&) = delete;
  ~Mp4Recorder() override { (void)close(); }

 private:
  Result<> do_add(const Recordable& picture) override {
    if (!format_) {
      if (!picture.key) return fail(Errc::invalid_argument, "the first picture is not a key frame");
      if (auto r = begin(picture); !r) return r;
    }
    if (picture.width != width_ || picture.height != height_)
      return fail(Errc::unsupported, "the size of the picture changed, and an MP4 file has one size");
    const auto at = timeline_.next(picture.captured, picture.received);
    if (auto r = write_held(at); !r) return r;
    held_.assign(picture.access_unit.begin(), picture.access_unit.end());
    held_at_ = at;
    held_key_ = picture.key;
    return {};
  }
  Result<> do_finish() override { return close(); }

  Result<> begin(const Recordable& picture);
  Result<> write_held(std::chrono::microseconds next);
  Result<> publish();
  Result<> close();
  static int write_out(void* self, const std::uint8_t* data, int size);
  static std::int64_t seek(void* self, std::int64_t offset, int whence);

  OutputFile file_;
  std::unique_ptr<AVIOContext, FreeIo> io_;
  std::unique_ptr<AVFormatContext, FreeFormat> format_;
  std::unique_ptr<AVPacket, FreePacket> packet_;
  Timeline timeline_;
  std::uint16_t width_ = 0, height_ = 0;
  // A picture is written when the next one arrives, because only then is its duration known.
  Bytes held_;
  std::chrono::microseconds held_at_{0}, last_step_{33'333};
  bool held_key_ = false;
  bool begun_ = false, published_ = false;
};

int Mp4Recorder::write_out(void* self, const std::uint8_t* data, int size) {
  const int fd = static_cast<Mp4Recorder*>(self)->file_.descriptor();
  const ByteView content(reinterpret_cast<const std::byte*>(data), static_cast<std::size_t>(size));
  return write_interruptibly(fd, content) ? size : AVERROR(errno);
}

std::int64_t Mp4Recorder::seek(void* self, std::int64_t offset, int whence) {
  if ((whence & AVSEEK_SIZE) != 0) return AVERROR(ENOSYS);
  const auto at = ::lseek(static_cast<Mp4Recorder*>(self)->file_.descriptor(), offset, whence);
  return at < 0 ? AVERROR(errno) : at;
}

Result<> Mp4Recorder::begin(const Recordable& picture) {
  AVFormatContext* format = nullptr;
  if (const int e = avformat_alloc_output_context2(&format, nullptr, "mp4", nullptr); e < 0)
    return fail(Errc::no_memory, "starting the MP4 writer", e);
  format_.reset(format);
  auto* buffer = static_cast<unsigned char*>(av_malloc(buffer_size));
  packet_.reset(av_packet_alloc());
  if (buffer != nullptr) io_.reset(avio_alloc_context(buffer, buffer_size, 1, this, nullptr, &write_out, &seek));
  AVStream* stream = avformat_new_stream(format, nullptr);
  if (io_ == nullptr || packet_ == nullptr || stream == nullptr)
    return fail(Errc::no_memory, "starting the MP4 writer");
  format->pb = io_.get();

  auto& parameters = *stream->codecpar;
  parameters.codec_type = AVMEDIA_TYPE_VIDEO;
  parameters.codec_id = AV_CODEC_ID_H264;
  parameters.width = width_ = picture.width;
  parameters.height = height_ = picture.height;
  const auto sets = parameter_sets(picture.access_unit);
  if (sets.empty()) return fail(Errc::malformed, "the key frame has no parameter sets");
  parameters.extradata = static_cast<std::uint8_t*>(av_mallocz(sets.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (parameters.extradata == nullptr) return fail(Errc::no_memory, "starting the MP4 writer");
  parameters.extradata_size = static_cast<int>(sets.size());
  std::ranges::copy(sets, reinterpret_cast<std::byte*>(parameters.extradata));
  stream->time_base = {1, 90'000};

  AVDictionary* options = nullptr;
  av_dict_set(&options, "movflags", "frag_keyframe+empty_moov+default_base_moof", 0);
  const int e = avformat_write_header(format, &options);
  av_dict_free(&options);
  if (e < 0) return write_failed("writing the MP4 header", AVUNERROR(e));
  begun_ = true;
  return {};
}

Result<> Mp4Recorder::write_held(std::chrono::microseconds next) {
  if (held_.empty()) return {};
  last_step_ = next - held_at_;
  const auto* stream = format_->streams[0];
  if (const int e = av_new_packet(packet_.get(), static_cast<int>(held_.size())); e < 0)
    return fail(Errc::no_memory, "writing a picture", e);
  std::ranges::copy(held_, reinterpret_cast<std::byte*>(packet_->data));
  packet_->pts = packet_->dts = av_rescale_q(held_at_.count(), microseconds, stream->time_base);
  packet_->duration = av_rescale_q(next.count(), microseconds, stream->time_base) - packet_->pts;
  packet_->flags = held_key_ ? AV_PKT_FLAG_KEY : 0;
  packet_->stream_index = 0;
  held_.clear();
  const int e = av_write_frame(format_.get(), packet_.get());
  av_packet_unref(packet_.get());
  if (e < 0) return write_failed("writing a picture", AVUNERROR(e));
  return published_ ? Result<>() : publish();
}

/// The first fragment contains only the first picture, so that the recording replaces an existing file early, and only
/// with a playable one.
Result<> Mp4Recorder::publish() {
  int e = av_write_frame(format_.get(), nullptr);  // ends the fragment
  avio_flush(io_.get());
  if (e >= 0) e = io_->error;
  if (e < 0) return write_failed("writing a picture", AVUNERROR(e));
  published_ = true;
  return file_.publish();
}

Result<> Mp4Recorder::close() {
  if (!std::exchange(begun_, false)) return {};
  auto result = write_held(held_at_ + last_step_);
  if (const int e = av_write_trailer(format_.get()); e < 0 && result)
    result = write_failed("finishing the MP4 file", AVUNERROR(e));
  format_.reset();
  io_.reset();
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
